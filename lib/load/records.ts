/**
 * The records of `generate`: the same seed and place make the same record, so that a longer file
 * begins with a shorter one and nothing has to be remembered.
 *
 * @module
 */

import { type ByteBuffer, bytesOf, digitsOf } from "../bytes.ts";
import type { Sizes } from "./distribution.ts";
import { Random } from "./random.ts";

/** The most records: two random streams each, of 2^32. */
export const MOST_RECORDS = 2 ** 31;

const KEY_LETTERS = bytesOf("abcdefghijklmnopqrstuvwxyz012345");
const VALUE_LETTERS = bytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const COLON = 0x3a;

/** Keys and values by their place. */
export class Records {
  readonly #random = new Random(0);

  constructor(
    readonly seed: number,
    readonly keySizes: Sizes,
    readonly valueSizes: Sizes,
  ) {}

  /** Writes a key: letters by chance, a colon and the place, which makes it the only one. */
  writeKey(out: ByteBuffer, index: number): void {
    this.#random.restart(this.seed, 2 * index);
    const size = this.keySizes.pick(this.#random);
    writeLetters(out, this.#random, KEY_LETTERS, 5, size - 1 - digitsOf(index));
    out.byte(COLON);
    out.decimal(index);
  }

  /** Writes a value: letters, digits, `-` and `_` by chance, so that it is one line of a text. */
  writeValue(out: ByteBuffer, index: number): void {
    this.#random.restart(this.seed, 2 * index + 1);
    writeLetters(out, this.#random, VALUE_LETTERS, 6, this.valueSizes.pick(this.#random));
  }
}

/** How long a key must be at least, in bytes, so that `count` of them can be told apart. */
export function shortestKey(count: number): number {
  return 1 + digitsOf(Math.max(0, count - 1));
}

/** Any bytes that a value may consist of. */
export function writeValueLetters(out: ByteBuffer, random: Random, count: number): void {
  writeLetters(out, random, VALUE_LETTERS, 6, count);
}

/** Writes letters of an alphabet of 2^`bits`, several out of one number. */
function writeLetters(
  out: ByteBuffer,
  random: Random,
  letters: Uint8Array,
  bits: number,
  count: number,
): void {
  if (count <= 0) return;
  out.reserve(count);
  const { bytes } = out;
  const mask = letters.length - 1;
  const end = out.length + count;
  let at = out.length;
  while (at < end) {
    let number = random.next();
    for (let left = 32; left >= bits && at < end; left -= bits) {
      bytes[at++] = letters[number & mask]!;
      number >>>= bits;
    }
  }
  out.length = end;
}
