/**
 * The words of one line, and the numbers in them, for the two text protocols.
 *
 * There is one list of words for all connections: a line is read without a wait.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { uint64Of } from "../../uint64.ts";

/** Lines other than retrievals have few words; memcached reads no more than 24. */
const MAX_TOKENS = 24;
const SPACE = 0x20;
const MINUS = 0x2d;
const PLUS = 0x2b;
const INT32_MAX = 0x7fffffff;
const INT64_MAX = 0x7fffffffffffffffn;
const UINT64_MAX = 0xffffffffffffffffn;

const NOREPLY = bytesOf("noreply");

/** The words of the line that was {@linkcode split} last. */
export class Tokens {
  bytes: Uint8Array = new Uint8Array(0);
  /** Start and end of word i at 2i and 2i + 1. */
  readonly at = new Int32Array(2 * MAX_TOKENS);
  count = 0;
  /** Where the line's last word starts and ends, beyond the ones kept in `at` too. */
  lastStart = 0;
  lastEnd = 0;

  /** Splits the line from `start` to `end`, which are without its line end. */
  split(bytes: Uint8Array, start: number, end: number): void {
    const at = this.at;
    let count = 0;
    let i = start;
    this.bytes = bytes;
    this.lastStart = this.lastEnd = start;
    while (i < end) {
      if (bytes[i] === SPACE) {
        i++;
        continue;
      }
      const word = i;
      do i++; while (i < end && bytes[i] !== SPACE);
      if (count === MAX_TOKENS) {
        // Only the last of many words is of interest; the keys of a retrieval are read on their own.
        let tail = end;
        while (bytes[tail - 1] === SPACE) tail--;
        this.lastEnd = tail;
        while (bytes[tail - 1] !== SPACE) tail--;
        this.lastStart = tail;
        this.count = count;
        return;
      }
      at[2 * count] = word;
      at[2 * count + 1] = i;
      count++;
    }
    this.count = count;
    if (count > 0) {
      this.lastStart = at[2 * count - 2];
      this.lastEnd = at[2 * count - 1];
    }
  }

  startOf(token: number): number {
    return this.at[2 * token];
  }

  endOf(token: number): number {
    return this.at[2 * token + 1];
  }

  lengthOf(token: number): number {
    return this.at[2 * token + 1] - this.at[2 * token];
  }

  /** A word as text, one character a byte. */
  textOf(token: number): string {
    return String.fromCharCode(...this.bytes.subarray(this.startOf(token), this.endOf(token)));
  }

  /** All words from one on, as text. */
  textsFrom(token: number): string[] {
    const words: string[] = [];
    for (let i = token; i < this.count; i++) words.push(this.textOf(i));
    return words;
  }

  /** Whether the line's last word is `noreply`. */
  get hasNoreply(): boolean {
    const { bytes, lastStart, lastEnd } = this;
    if (lastEnd - lastStart !== NOREPLY.length) return false;
    for (let i = 0; i < NOREPLY.length; i++) {
      if (bytes[lastStart + i] !== NOREPLY[i]) return false;
    }
    return true;
  }

  /** An unsigned decimal number up to 2^53, -1 for anything else. `skip` bytes of the word are passed over. */
  unsigned(token: number, skip = 0): number {
    const { bytes, at } = this;
    const end = at[2 * token + 1];
    let i = at[2 * token] + skip;
    if (i >= end) return -1;
    let value = 0;
    for (; i < end; i++) {
      const digit = bytes[i] - 48;
      if (digit < 0 || digit > 9) return -1;
      value = value * 10 + digit;
    }
    return value <= Number.MAX_SAFE_INTEGER ? value : -1;
  }

  /** An unsigned decimal number of 32 bits, -1 for anything else. */
  unsigned32(token: number, skip = 0): number {
    const value = this.unsigned(token, skip);
    return value <= 0xffffffff ? value : -1;
  }

  /** A decimal number of 32 bits, perhaps negative; `undefined` for anything else. */
  signed32(token: number, skip = 0): number | undefined {
    const { bytes, at } = this;
    let i = at[2 * token] + skip;
    const end = at[2 * token + 1];
    const negative = i < end && bytes[i] === MINUS;
    if (negative) i++;
    if (i >= end) return undefined;
    let value = 0;
    for (; i < end; i++) {
      const digit = bytes[i] - 48;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
      if (value > INT32_MAX + 1) return undefined;
    }
    if (negative) return -value;
    return value <= INT32_MAX ? value : undefined;
  }

  /**
   * The low 32 bits, as a signed number, of a decimal number of 64 bits, perhaps with a sign; `undefined`
   * for anything else. So memcached reads the exptime of storage commands.
   */
  truncated32(token: number): number | undefined {
    const plus = this.#plusAt(token);
    if (plus === 1 && this.bytes[this.at[2 * token] + 1] === MINUS) return undefined;
    const value = this.signed32(token, plus);
    if (value !== undefined) return value;
    const big = this.#big(token, plus === 0, plus);
    if (big === undefined || big > INT64_MAX || big < -INT64_MAX - 1n) return undefined;
    return Number(BigInt.asIntN(32, big));
  }

  /**
   * The low 32 bits of an unsigned decimal number of 64 bits, perhaps with a plus; -1 for anything else. So
   * memcached reads the flags of storage commands.
   */
  lowUnsigned32(token: number): number {
    const plus = this.#plusAt(token);
    const value = this.unsigned(token, plus);
    if (value >= 0) return value <= 0xffffffff ? value : value % 0x100000000;
    const big = this.#big(token, false, plus);
    return big === undefined || big > UINT64_MAX ? -1 : Number(BigInt.asUintN(32, big));
  }

  /** An unsigned decimal number of 64 bits; `undefined` for anything else. */
  unsigned64(token: number, skip = 0): bigint | undefined {
    const value = this.unsigned(token, skip);
    if (value >= 0) return uint64Of(value);
    const big = this.#big(token, false, skip);
    return big === undefined || big > UINT64_MAX ? undefined : big;
  }

  /** 1 where a word begins with a plus. */
  #plusAt(token: number): number {
    return this.bytes[this.at[2 * token]] === PLUS ? 1 : 0;
  }

  #big(token: number, signed: boolean, skip = 0): bigint | undefined {
    const { bytes, at } = this;
    const end = at[2 * token + 1];
    let i = at[2 * token] + skip;
    const negative = signed && bytes[i] === MINUS;
    if (negative) i++;
    // A number of 64 bits has 20 digits at most; more would only be slow.
    if (i >= end || end - i > 20) return undefined;
    let big = 0n;
    for (; i < end; i++) {
      const digit = bytes[i] - 48;
      if (digit < 0 || digit > 9) return undefined;
      big = big * 10n + BigInt(digit);
    }
    return negative ? -big : big;
  }
}
