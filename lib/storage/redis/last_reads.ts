/**
 * Who was read lately: a table of fixed size, in which the reads that are longest ago make room for others.
 *
 * An item is known by its revision, which no other write has (`FORMAT.md`) and no client chooses: so an item
 * that takes the place of another starts anew, and no key need be hashed.
 *
 * @module
 */

/** Words of a bucket: one line of the processor's cache. */
const LINE = 16;
/** Entries of a bucket, and words of each: the two of a revision, and seconds since 1970. */
const WAYS = 5;
const WORDS = 3;
/** The bits of the number of a bucket: 163,840 items are known, in 2 MiB of memory. */
const BITS = 15;

/** The times of last reads. */
export class LastReads {
  readonly #shift: number;
  readonly #words: Uint32Array;

  /** @param bits there is room for 2^bits times 5 items */
  constructor(bits = BITS) {
    this.#shift = 32 - bits;
    this.#words = new Uint32Array(LINE << bits);
  }

  /** When that revision, in two words, was read last, in seconds since 1970; -1 where that is not known. */
  of(high: number, low: number): number {
    const words = this.#words;
    const first = this.#first(low);
    for (let at = first; at < first + WAYS * WORDS; at += WORDS) {
      if (words[at + 1] === low && words[at] === high) return words[at + 2]!;
    }
    return -1;
  }

  /**
   * Notes a read, and returns what {@linkcode of} did before.
   *
   * @param seconds since 1970
   */
  note(high: number, low: number, seconds: number): number {
    const words = this.#words;
    const first = this.#first(low);
    let oldest = first;
    for (let at = first; at < first + WAYS * WORDS; at += WORDS) {
      if (words[at + 1] === low && words[at] === high) {
        const before = words[at + 2]!;
        words[at + 2] = seconds;
        return before;
      }
      if (words[at + 2]! < words[oldest + 2]!) oldest = at;
    }
    words[oldest] = high;
    words[oldest + 1] = low;
    words[oldest + 2] = seconds;
    return -1;
  }

  /** Neighbours among the revisions are apart in the table. */
  #first(low: number): number {
    return (Math.imul(low, 0x9e3779b1) >>> this.#shift) * LINE;
  }
}
