/**
 * Numbers that a caller names for an item, as every server and dialect takes them.
 *
 * @module
 */

import { LATEST_EXPTIME } from "../exptime.ts";

/** @throws {RangeError} for what is no number of 32 bits. */
export function checkFlags(flags: number): void {
  if (Number.isInteger(flags) && flags >= 0 && flags <= 0xffffffff) return;
  throw new RangeError(`flags have 32 bits and no sign, received ${flags}`);
}

/**
 * An exptime that all dialects take: text reads a later one as 32 bits with a sign, and the item would
 * be over immediately.
 *
 * @throws {RangeError} for what is no whole number of seconds.
 */
export function exptimeOf(exptime: number): number {
  if (!Number.isSafeInteger(exptime)) {
    throw new RangeError(`an exptime is a whole number of seconds, received ${exptime}`);
  }
  return Math.max(-1, Math.min(exptime, LATEST_EXPTIME));
}
