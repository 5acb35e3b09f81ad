/**
 * Records that are too long for the cache's chunks, each in memory of its own; the one that was not used
 * for the longest time goes first.
 *
 * @module
 */

import { giveMemory, type Lender } from "../../../bytes.ts";
import { RECORD_HEADER, Word } from "../format/record.ts";
import type { Chunk } from "./chunk.ts";

const TWO_32 = 2 ** 32;

/** A record that values may be sent from, and its neighbours in the order of their last use. */
export interface Large extends Chunk, Lender {
  readonly a: number;
  readonly b: number;
  older: Large | undefined;
  newer: Large | undefined;
}

/** What stands for a key: 53 bits of its hash. */
function nameOf(a: number, b: number): number {
  return a + (b & 0x1fffff) * TWO_32;
}

/** The long records of a cache. */
export class LargeRecords {
  /** Bytes of all of them. */
  bytes = 0;
  readonly #records = new Map<number, Large>();
  #oldest: Large | undefined = undefined;
  #newest: Large | undefined = undefined;

  get size(): number {
    return this.#records.size;
  }

  /** The key's record, if it is here; unless that is a peek, it is the last that goes. */
  find(
    a: number,
    b: number,
    key: Uint8Array,
    peek: boolean,
    start: number,
    length: number,
  ): Large | undefined {
    const found = this.of(a, b);
    if (found === undefined || !isOf(found, key, start, length)) return undefined;
    if (!peek && found !== this.#newest) {
      this.#unlink(found);
      this.#link(found);
    }
    return found;
  }

  /** The record of a hash. */
  of(a: number, b: number): Large | undefined {
    const found = this.#records.get(nameOf(a, b));
    return found !== undefined && found.a === a && found.b === b ? found : undefined;
  }

  /** Takes in a record that lies in memory of its own, in the place of the one of its hash. */
  insert(a: number, b: number, record: Chunk): void {
    this.forget(a, b);
    const neighbours = { older: undefined, newer: undefined };
    const large = { ...record, a, b, borrowers: 0, roomBefore: 0, ...neighbours };
    this.#records.set(nameOf(a, b), large);
    this.#link(large);
    this.bytes += record.bytes.length;
  }

  /** Drops the record of a hash. */
  forget(a: number, b: number): void {
    const name = nameOf(a, b);
    const found = this.#records.get(name);
    if (found === undefined) return;
    this.#records.delete(name);
    this.#unlink(found);
    this.bytes -= found.bytes.length;
    // Where somebody sends from it, it is for the garbage collector.
    if (found.borrowers === 0) giveMemory(found.bytes);
  }

  /** Drops as many as it takes to be within so many bytes. */
  shrink(bytes: number): void {
    while (this.bytes > bytes && this.#oldest !== undefined) {
      this.forget(this.#oldest.a, this.#oldest.b);
    }
  }

  /** Drops all. */
  clear(): void {
    this.#records.clear();
    this.#oldest = this.#newest = undefined;
    this.bytes = 0;
  }

  /**
   * Makes a record the last that goes. A map keeps an order too, but to find its first it passes over all that have
   * left it.
   */
  #link(large: Large): void {
    large.older = this.#newest;
    large.newer = undefined;
    if (this.#newest === undefined) this.#oldest = large;
    else this.#newest.newer = large;
    this.#newest = large;
  }

  #unlink(large: Large): void {
    const { older, newer } = large;
    // Who sends from it keeps it, and must not keep the others with it.
    large.older = large.newer = undefined;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
  }
}

function isOf({ bytes, words }: Chunk, key: Uint8Array, start: number, length: number): boolean {
  if ((words[Word.kinds] & 0xff) !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[RECORD_HEADER + i] !== key[start + i]) return false;
  return true;
}
