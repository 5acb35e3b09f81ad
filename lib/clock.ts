/**
 * The time that items live by. Expiry is a wall-clock time, read anew each time, so that a server
 * that has run for years agrees with its clients about when a lock ends.
 *
 * @module
 */

/** Tells the time in milliseconds since 1970 (Unix time). */
export interface Clock {
  now(): number;
}

/**
 * A clock that never goes back, whatever happens to the wall clock: what has expired stays away. When
 * the wall clock is set back, this one goes on at half speed until the wall clock has caught up.
 *
 * @param wall milliseconds since 1970
 * @param elapsed milliseconds since any moment; it never goes back
 */
export function steadyClock(wall: () => number, elapsed: () => number): Clock {
  /** What was told last, and at which moment, where the wall clock is behind that. */
  let last = -Infinity;
  let lastElapsed = 0;
  let isBehind = false;
  return {
    now() {
      const now = wall();
      if (now >= last) {
        isBehind = false;
        return last = now;
      }
      const moment = elapsed();
      if (!isBehind) {
        isBehind = true;
        lastElapsed = moment;
      }
      last += (moment - lastElapsed) / 2;
      lastElapsed = moment;
      return Math.floor(last);
    },
  };
}

/** The machine's own clock, as long as it does not go back. */
export const systemClock: Clock = steadyClock(Date.now, () => performance.now());

/** A clock that can be moved and stopped: for tests, and for memcached's `debugtime`. */
export class AdjustableClock implements Clock {
  /** The offset, and when it was stopped, in milliseconds since 1970 without the offset; 0 where it was not. */
  readonly #state: Float64Array;

  /** @param memory 16 bytes of zeros; shared where the clocks of several threads are one */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(16)) {
    this.#state = new Float64Array(memory);
  }

  /** How far this clock is ahead of the machine's, in milliseconds. */
  get offset(): number {
    return this.#state[0]!;
  }

  set offset(milliseconds: number) {
    this.#state[0] = milliseconds;
  }

  now(): number {
    return (this.#state[1] || Date.now()) + this.offset;
  }

  /** Stops it. */
  pause(): void {
    this.#state[1] ||= Date.now();
  }

  /** Lets it go on with the machine's time. */
  resume(): void {
    this.#state[1] = 0;
  }
}
