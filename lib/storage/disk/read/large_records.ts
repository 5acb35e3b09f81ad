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

/** A record that values may be sent from. */
export interface Large extends Chunk, Lender {
  readonly a: number;
  readonly b: number;
}

/** What stands for a key: 53 bits of its hash. */
function nameOf(a: number, b: number): number {
  return a + (b & 0x1fffff) * TWO_32;
}

/** The long records of a cache. */
export class LargeRecords {
  /** Bytes of all of them. */
  bytes = 0;
  /** In the order of their last use. */
  readonly #records = new Map<number, Large>();

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
    if (!peek) {
      const name = nameOf(a, b);
      this.#records.delete(name);
      this.#records.set(name, found);
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
    this.#records.set(nameOf(a, b), { ...record, a, b, borrowers: 0, roomBefore: 0 });
    this.bytes += record.bytes.length;
  }

  /** Drops the record of a hash. */
  forget(a: number, b: number): void {
    const name = nameOf(a, b);
    const found = this.#records.get(name);
    if (found === undefined) return;
    this.#records.delete(name);
    this.bytes -= found.bytes.length;
    // Where somebody sends from it, it is for the garbage collector.
    if (found.borrowers === 0) giveMemory(found.bytes);
  }

  /** Drops as many as it takes to be within so many bytes. */
  shrink(bytes: number): void {
    for (const { a, b } of this.#records.values()) {
      if (this.bytes <= bytes) return;
      this.forget(a, b);
    }
  }

  /** Drops all. */
  clear(): void {
    this.#records.clear();
    this.bytes = 0;
  }
}

function isOf({ bytes, words }: Chunk, key: Uint8Array, start: number, length: number): boolean {
  if ((words[Word.kinds] & 0xff) !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[RECORD_HEADER + i] !== key[start + i]) return false;
  return true;
}
