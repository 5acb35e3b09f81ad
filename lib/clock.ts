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

/** The machine's own clock. */
export const systemClock: Clock = { now: Date.now };

/** A clock that can be moved and stopped: for tests, and for memcached's `debugtime`. */
export class AdjustableClock implements Clock {
  /** How far this clock is ahead of the machine's, in milliseconds. */
  offset = 0;
  /** When it was stopped, in milliseconds since 1970 without the offset. */
  #stopped: number | undefined;

  now(): number {
    return (this.#stopped ?? Date.now()) + this.offset;
  }

  /** Stops it. */
  pause(): void {
    this.#stopped ??= Date.now();
  }

  /** Lets it go on with the machine's time. */
  resume(): void {
    this.#stopped = undefined;
  }
}
