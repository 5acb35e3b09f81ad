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

/** The work that one connection has done since the event loop turned last. */
export class Turn {
  /** Whether the connection must give way before it goes on. */
  isOver = false;
  #units = 0;
  /** When the first {@linkcode CHECK} units were done, in milliseconds; 0 before that. */
  #began = 0;

  /** Begins anew: the loop has turned, or the connection waits for its client. */
  begin(): void {
    this.isOver = false;
    this.#units = 0;
    this.#began = 0;
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
    if (this.#began === 0) this.#began = now;
    else if (now - this.#began >= LONGEST) this.isOver = true;
  }
}
