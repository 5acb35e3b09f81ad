/**
 * Numbers of 64 bits from their halves.
 *
 * @module
 */

/** Memory of this machine's order of bytes, which Deno runs on with the low half first. */
const halves = new Uint32Array(2);
const whole = new BigUint64Array(halves.buffer);

/** The number that two halves of 32 bits are. To read it from memory takes a third of what `BigInt()` does. */
export function uint64(low: number, high: number): bigint {
  halves[0] = low;
  halves[1] = high;
  return whole[0];
}

/** An integer from 0 to 2^53 - 1 as a number of 64 bits. */
export function uint64Of(integer: number): bigint {
  return uint64(integer, integer / 2 ** 32);
}
