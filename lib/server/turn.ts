/**
 * How long a connection may go on before the others have a turn.
 *
 * A socket that always has something to read never makes its connection wait, and so nothing else runs
 * until it does. Work is counted in cheap units, and the clock is asked only when enough has come together.
 *
 * @module
 */

/** A connection gives way after so much work without a wait, in milliseconds. */
const LONGEST = 1;
/** Units after which the clock is asked: reading it costs about a quarter of a request. */
const CHECK = 32;
/** Bytes that are one unit of work: a small request. */
const UNIT_BYTES = 1024;

/** Bytes of a read that a client who sends without a pause may have had ready. */
const MUCH = 8 * 1024;

/** How often the event loop was seen to turn, and whether it is watched. */
let turns = 0;
let isWatched = false;

/** Sees to it that {@linkcode turns} is another number when the event loop has turned. */
function watchLoop(): void {
  if (isWatched) return;
  isWatched = true;
  setImmediate(turned);
}

function turned(): void {
  isWatched = false;
  turns++;
}

/** The work that one connection has done since the event loop turned last. */
export class Turn {
  /** Whether the connection must give way before it goes on. */
  isOver = false;
  #units = 0;
  /** When the first {@linkcode CHECK} units were done, in milliseconds; 0 before that. */
  #began = 0;
  /** In which turn of the loop it has begun. */
  #turn = 0;

  /** Begins anew: the loop has turned, or the connection waits for its client. */
  begin(): void {
    this.isOver = false;
    this.#units = 0;
    this.#began = 0;
    this.#turn = turns;
  }

  /**
   * Counts a read of so many bytes, which was all that there was: the next one waits. But who sends much may
   * have sent more meanwhile, so that there was no wait before this one.
   */
  read(bytes: number): void {
    if (this.#turn !== turns || bytes < MUCH && this.#began === 0) this.begin();
    if (bytes >= MUCH) this.bytes(bytes);
  }

  /** Counts one small request. */
  request(): void {
    if (++this.#units >= CHECK) this.#check();
  }

  /** Counts so many bytes that were copied, stored or sent. */
  bytes(count: number): void {
    this.#units += count / UNIT_BYTES;
    if (this.#units >= CHECK) this.#check();
  }

  /** Counts a request of unknown cost. */
  rareRequest(): void {
    this.#check();
  }

  #check(): void {
    this.#units = 0;
    const now = performance.now();
    if (this.#began === 0) {
      this.#began = now;
      watchLoop();
    } else if (now - this.#began >= LONGEST) this.isOver = true;
  }
}
