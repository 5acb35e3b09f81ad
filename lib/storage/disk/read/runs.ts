/**
 * Which bytes of a segment are wanted: runs that are marked in any order, and passed in the segment's.
 *
 * @module
 */

import { assert } from "../../../errors.ts";

const PAGE_SHIFT = 12;
/** Bits of a page; each stands for 8 bytes. */
const PAGE_BITS = 1 << PAGE_SHIFT >>> 3;

/** Runs of bytes. They take a 64th of the segment's bytes in memory. */
export class Runs {
  readonly #bits: Uint32Array;
  /** Whether there is a run in a page of 4096 bytes. */
  readonly #pages: Uint8Array;
  readonly #end: number;

  /** @param end the segment's length in bytes */
  constructor(end: number) {
    this.#pages = new Uint8Array(Math.ceil(end / (1 << PAGE_SHIFT)));
    this.#bits = new Uint32Array(this.#pages.length * PAGE_BITS / 32);
    this.#end = end;
  }

  /** Marks a record. */
  mark(offset: number, size: number): void {
    const end = (offset + size) / 8;
    assert(
      size > 0 && offset % 8 === 0 && offset + size <= this.#end,
      "a record is in its segment",
    );
    for (let bit = offset / 8; bit < end;) {
      const first = bit & 31;
      const count = Math.min(32 - first, end - bit);
      this.#bits[bit >>> 5] |= count === 32 ? -1 : (1 << count) - 1 << first;
      bit += count;
    }
    this.#pages.fill(1, offset >>> PAGE_SHIFT, (offset + size - 1 >>> PAGE_SHIFT) + 1);
  }

  /** The first wanted byte from an offset on, or the segment's end. */
  nextFrom(offset: number): number {
    const end = this.#end / 8;
    for (let bit = offset / 8; bit < end;) {
      const page = Math.floor(bit / PAGE_BITS);
      if (this.#pages[page] === 0) {
        bit = (page + 1) * PAGE_BITS;
        continue;
      }
      const rest = this.#bits[bit >>> 5] >>> (bit & 31);
      if (rest !== 0) return (bit + 31 - Math.clz32(rest & -rest)) * 8;
      bit = ((bit >>> 5) + 1) * 32;
    }
    return this.#end;
  }

  /** Where the run ends that an offset is in. */
  endOf(offset: number): number {
    const end = this.#end / 8;
    for (let bit = offset / 8; bit < end;) {
      const rest = ~this.#bits[bit >>> 5] >>> (bit & 31);
      if (rest !== 0) return Math.min((bit + 31 - Math.clz32(rest & -rest)) * 8, this.#end);
      bit = ((bit >>> 5) + 1) * 32;
    }
    return this.#end;
  }

  /**
   * How far one read from a wanted byte on may go: up to where no byte is wanted for so many pages of 4096
   * bytes.
   */
  reach(offset: number, pages: number): number {
    let last = offset >>> PAGE_SHIFT;
    for (let page = last; page <= last + pages && page < this.#pages.length; page++) {
      if (this.#pages[page] === 1) last = page;
    }
    return Math.min(last + 1 << PAGE_SHIFT >>> 0, this.#end);
  }
}
