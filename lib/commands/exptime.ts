/**
 * Expiry as clients give it, to the moment it means.
 *
 * @module
 */

/** Up to this many seconds, 30 days, an exptime is relative (memcached's `REALTIME_MAXDELTA`). */
const MAX_RELATIVE = 60 * 60 * 24 * 30;

/** A moment that has always passed. */
const PAST = 1;

/**
 * When an item expires.
 *
 * @param exptime seconds as the client gave them: 0 never, negative at once, up to 30 days from now,
 * else Unix time (memcached, `doc/protocol.txt`, "Expiration times").
 * @param now milliseconds since 1970.
 * @returns milliseconds since 1970; 0 for never.
 */
export function expiryOf(exptime: number, now: number): number {
  if (exptime === 0) return 0;
  if (exptime < 0) return PAST;
  return exptime <= MAX_RELATIVE ? now + exptime * 1000 : exptime * 1000;
}
