/**
 * The words of one line, and the numbers in them, for the two text protocols.
 *
 * There is one list of words for all connections: a line is read without a wait.
 *
 * @module
 */

import { binaryString, bytesOf } from "../../bytes.ts";
import { signedOfC, unsignedOfC } from "../../c_number.ts";
import { uint64Of } from "../../uint64.ts";

/** Lines other than retrievals have few words; memcached reads no more than these (`MCMC_PARSER_MAX_TOKENS`). */
const MAX_TOKENS = 23;
const SPACE = 0x20;
const MINUS = 0x2d;
const INT32_MAX = 0x7fffffff;
const UINT32_MAX = 0xffffffff;
const UINT64_MAX = 0xffffffffffffffffn;

/** Letters of a number of 32 and of 64 bits, at most (memcached's `MCMC_TOKTO32_MAX`, `MCMC_TOKTO64_MAX`). */
const MOST_32 = 11;
const MOST_64 = 22;

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
        // Of many words only where the last one ends is of interest: the keys of a retrieval are read on their own.
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

  /** Whether the last of the words is `noreply`. */
  get hasNoreply(): boolean {
    const { bytes, at, count } = this;
    const start = at[2 * count - 2];
    if (at[2 * count - 1] - start !== NOREPLY.length) return false;
    for (let i = 0; i < NOREPLY.length; i++) {
      if (bytes[start + i] !== NOREPLY[i]) return false;
    }
    return true;
  }

  /** An unsigned decimal number of 32 bits, -1 for anything else. `skip` bytes of the word are passed over. */
  unsigned32(token: number, skip = 0): number {
    const value = this.#digits(this.at[2 * token] + skip, this.at[2 * token + 1], MOST_32);
    return value <= UINT32_MAX ? value : -1;
  }

  /**
   * A decimal number of 32 bits, perhaps negative; `undefined` for anything else. A minus alone is 0, as it is
   * for memcached (`mcmc_tokto32`).
   */
  signed32(token: number, skip = 0): number | undefined {
    const { bytes, at } = this;
    let i = at[2 * token] + skip;
    const end = at[2 * token + 1];
    const negative = i < end && bytes[i] === MINUS;
    if (i >= end || end - i > MOST_32) return undefined;
    if (negative) i++;
    let value = 0;
    for (; i < end; i++) {
      const digit = bytes[i] - 48;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
      if (value > INT32_MAX + 1) return undefined;
    }
    // What is subtracted from 0 is never -0.
    if (negative) return 0 - value;
    return value <= INT32_MAX ? value : undefined;
  }

  /** An unsigned decimal number of 64 bits; `undefined` for anything else. */
  unsigned64(token: number, skip = 0): bigint | undefined {
    const start = this.at[2 * token] + skip;
    const end = this.at[2 * token + 1];
    const value = this.#digits(start, end, MOST_64);
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return uint64Of(value);
    if (value < 0) return undefined;
    const big = BigInt(binaryString(this.bytes.subarray(start, end)));
    return big <= UINT64_MAX ? big : undefined;
  }

  /**
   * The low 32 bits, as a signed number, of what C's `strtol` reads; `undefined` for what it does not. So
   * memcached reads the exptime of storage commands.
   */
  truncated32(token: number): number | undefined {
    const value = this.signed32(token);
    if (value !== undefined && this.bytes[this.endOf(token) - 1] !== MINUS) return value;
    const number = signedOfC(this.bytes, this.startOf(token), this.lastEnd);
    return number === undefined ? undefined : Number(BigInt.asIntN(32, number));
  }

  /**
   * The low 32 bits of what C's `strtoul` reads; -1 for what it does not. So memcached reads the flags of storage
   * commands.
   */
  lowUnsigned32(token: number): number {
    const value = this.unsigned32(token);
    if (value >= 0) return value;
    const number = unsignedOfC(this.bytes, this.startOf(token), this.lastEnd);
    return number === undefined ? -1 : Number(BigInt.asUintN(32, number));
  }

  /**
   * Digits from `start` to `end`, at most `most` of them; -1 for anything else. Beyond 2^53 the number is not
   * exact.
   */
  #digits(start: number, end: number, most: number): number {
    const { bytes } = this;
    if (start >= end || end - start > most) return -1;
    let value = 0;
    for (let i = start; i < end; i++) {
      const digit = bytes[i] - 48;
      if (digit < 0 || digit > 9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }
}
