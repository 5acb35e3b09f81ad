/**
 * A clock that costs one reading a batch: to read the system's takes as long as a part of a request.
 *
 * When a batch ends it is read; one that begins takes what was read last, by the batch before it or, where
 * little is asked, by a timer. So a batch seems to take longer than it did by the timer's period at most, and
 * by the time for which nothing could be read at all, as its client had to wait for as long.
 *
 * Where that is too coarse, for a period below a millisecond, the system's clock is read exactly, twice a batch.
 *
 * @module
 */

/** The shortest period of the timer, in milliseconds; below it there is none. */
const SHORTEST = 1;
/** Periods without a batch after which the timer ends. */
const IDLE_PERIODS = 2;

/** Milliseconds since any moment, of this thread. */
export class CoarseClock implements Disposable {
  readonly #period: number;
  readonly #now: () => number;
  #last = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Periods since somebody last asked. */
  #idle = 0;

  /** @param period how old a reading may be, in milliseconds */
  constructor(
    period: number,
    now: () => number = period < SHORTEST ? () => performance.now() : Date.now,
  ) {
    this.#period = period;
    this.#now = now;
  }

  /** The time as it was read last. */
  recent(): number {
    if (this.#period < SHORTEST) return this.read();
    this.#idle = 0;
    if (this.#timer === undefined) this.#begin();
    return this.#last;
  }

  /** Reads the time. */
  read(): number {
    return this.#last = this.#now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #begin(): void {
    this.read();
    this.#timer = setInterval(() => {
      this.read();
      if (this.#idle++ >= IDLE_PERIODS) this[Symbol.dispose]();
    }, this.#period);
    Deno.unrefTimer(this.#timer);
  }
}
