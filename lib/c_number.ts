/**
 * Decimal numbers as C reads them (`strtol`, `strtoull`) and memcached after it (`util.c`, `safe_strtol`,
 * `safe_strtoull`): the flags and the exptime of storage commands, and the numbers in values.
 *
 * @module
 */

import { binaryString } from "./bytes.ts";
import { uint64Of } from "./uint64.ts";

const SPACE = 0x20;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const INT64_MAX = 0x7fffffffffffffffn;
const UINT64_MAX = 0xffffffffffffffffn;
/** So many digits are a number that a float holds to the last of them. */
const EXACT_DIGITS = 15;
/** Digits of 2^64 - 1. */
const MAX_DIGITS = 20;

/** The number of 64 bits that stands from `start` to `end`; `undefined` where there is none. */
export function signedOfC(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const number = numberOfC(bytes, start, end);
  return number === undefined || number > INT64_MAX || number < -INT64_MAX - 1n
    ? undefined
    : number;
}

/**
 * The unsigned number of 64 bits that stands from `start` to `end`; `undefined` where there is none. A number
 * below 0 counts down from 2^64, and is none only in the upper half of that.
 */
export function unsignedOfC(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const number = numberOfC(bytes, start, end);
  if (number === undefined) return undefined;
  if (number >= 0n) return number <= UINT64_MAX ? number : undefined;
  const unsigned = UINT64_MAX + 1n + number;
  return unsigned > 0n && unsigned <= INT64_MAX ? unsigned : undefined;
}

/** After blanks of all kinds a sign and digits, up to the end, another blank or a NUL. */
function numberOfC(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  let i = start;
  while (i < end && isBlank(bytes[i])) i++;
  const negative = i < end && bytes[i] === MINUS;
  if (negative || i < end && bytes[i] === PLUS) i++;
  const first = i;
  while (i < end && bytes[i] === ZERO) i++;
  const significant = i;
  let number = 0;
  for (; i < end; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
    // A value may be long: what is no number of 64 bits is known as such after a few digits.
    if (i - significant >= MAX_DIGITS) return undefined;
  }
  if (i === first || i < end && bytes[i] !== 0 && !isBlank(bytes[i])) return undefined;
  const unsigned = i - significant <= EXACT_DIGITS
    ? uint64Of(number)
    : BigInt(binaryString(bytes.subarray(significant, i)));
  return negative ? -unsigned : unsigned;
}

/** What C's `isspace` says: a space, and tab to carriage return. */
function isBlank(byte: number): boolean {
  return byte === SPACE || byte >= 0x09 && byte <= 0x0d;
}
