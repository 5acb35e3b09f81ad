/**
 * Cas uniques that a store counts.
 *
 * @module
 */

/** The cas unique of a number. V8 makes one of 32 bits in place, and any other by a call of its runtime. */
export function casOf(version: number): bigint {
  return version <= 0xffffffff ? BigInt(version >>> 0) : BigInt(version);
}
