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

/** A clock that can be moved: for tests, and for memcached's `debugtime`. */
export class AdjustableClock implements Clock {
  /** How far this clock is ahead of the machine's, in milliseconds. */
  offset = 0;

  now(): number {
    return Date.now() + this.offset;
  }
}
