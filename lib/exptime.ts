/**
 * memcached's exptime: 0 never, negative already over, up to 30 days in seconds from now, above that
 * in seconds since 1970 (`doc/protocol.txt`, "Expiration times"). It holds for items and for the
 * delay of `flush_all`. Every duration that a user or a client names passes through this file.
 *
 * @module
 */

/** Up to so many seconds, 30 days, an exptime counts from now (memcached's `REALTIME_MAXDELTA`). */
export const LONGEST_RELATIVE = 30 * 24 * 60 * 60;

/** The latest exptime that memcached takes in each dialect, in seconds since 1970: in January 2038. */
export const LATEST_EXPTIME = 2 ** 31 - 1;

/** An exptime that is over, and that no server reads as a time from now. */
export const OVER = LONGEST_RELATIVE + 1;

/** A moment that has always passed, in milliseconds since 1970. */
const PAST = 1;

/**
 * When an item expires.
 *
 * @param exptime as a client sent it, in seconds.
 * @param now milliseconds since 1970.
 * @returns milliseconds since 1970; 0 for never.
 */
export function expiryOf(exptime: number, now: number): number {
  if (exptime === 0) return 0;
  if (exptime < 0) return PAST;
  return exptime <= LONGEST_RELATIVE ? now + exptime * 1000 : exptime * 1000;
}

/**
 * The exptime of a span of time, rounded up to whole seconds; 0 stays 0.
 *
 * @param span milliseconds.
 * @param now milliseconds since 1970.
 */
export function exptimeAfter(span: number, now: number = Date.now()): number {
  const seconds = Math.ceil(span / 1000);
  if (seconds <= LONGEST_RELATIVE) return seconds;
  return Math.min(LATEST_EXPTIME, Math.floor(now / 1000) + seconds);
}

/**
 * The exptime of a moment, in seconds since 1970; 0 for never. A moment within 30 days of 1970 has
 * passed, and would be read as a time from now.
 */
export function exptimeAt(expires: number): number {
  return expires === 0 ? 0 : Math.min(LATEST_EXPTIME, Math.max(OVER, expires));
}
