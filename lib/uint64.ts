/**
 * Numbers of 64 bits from their halves.
 *
 * @module
 */

/** Memory of this machine's order of bytes, which Deno runs on with the low half first. */
const halves = new Uint32Array(2);
const whole = new BigUint64Array(halves.buffer);
const double = new Float64Array(halves.buffer);

/** The number that two halves of 32 bits are. To read it from memory takes a third of what `BigInt()` does. */
export function uint64(low: number, high: number): bigint {
  halves[0] = low;
  halves[1] = high;
  return whole[0];
}

/** An integer from 0 to 2^53 - 1 as a number of 64 bits. */
export function uint64Of(integer: number): bigint {
  if (integer >= 2 ** 52) return uint64(integer, integer / 2 ** 32);
  // The bits of 2^52 + n are those of 2^52 with n in the lowest 52. What was stored with one instruction the processor
  // reads without waiting for its stores.
  double[0] = integer + 2 ** 52;
  return BigInt.asUintN(64, whole[0] - 0x4330000000000000n);
}
