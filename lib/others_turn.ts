/**
 * How long work gives way so that others really have a turn.
 *
 * Deno's event loop does not look at its sockets in each of its turns: where it always has something to
 * run, it does so once in 61 turns (tokio's event interval). One `setImmediate` lets go on only
 * what is known to be ready; a request that arrives meanwhile would wait for 61 such turns. So work gives
 * way for that many, which are empty and together take less than a fifth of a millisecond where nobody else
 * has anything to do.
 *
 * @module
 */

/** Turns of the loop within which it has looked at its sockets. */
const POLL_TURNS = 61;
/** So many of those that gave way go on before the sockets are looked at again. */
const GROUP = 4;

/** Those that have given way, the first first. */
const waiting: (() => void)[] = [];
/** Turns since some of them went on; -1 while nobody waits. */
let turns = -1;

/**
 * Resolves when others have had a turn, those too whose requests have yet to be read.
 *
 * @param isFirst whether it goes on before all others that have given way: who lets clients in does
 */
export function othersTurn(isFirst = false): Promise<void> {
  return new Promise((resolve) => {
    if (isFirst) waiting.unshift(resolve);
    else waiting.push(resolve);
    if (turns >= 0) return;
    turns = 0;
    setImmediate(turn);
  });
}

function turn(): void {
  if (++turns >= POLL_TURNS) {
    turns = 0;
    for (const resolve of waiting.splice(0, GROUP)) resolve();
    if (waiting.length === 0) {
      turns = -1;
      return;
    }
  }
  setImmediate(turn);
}
