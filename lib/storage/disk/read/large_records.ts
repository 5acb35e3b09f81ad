/**
 * Records that are too long for the cache's chunks; the one that was not used for the longest time goes first.
 *
 * What stands before a record's value is apart from that: the value has memory of its own, where a reply may
 * be written before and behind it.
 *
 * @module
 */

import { giveMemory, type Lender } from "../../../bytes.ts";
import { nameOf } from "../../../key_hash.ts";
import { CHECKSUM, RECORD_HEADER, Word } from "../format/record.ts";
import { type Chunk, chunkOf } from "./chunk.ts";

/** A record whose value may be sent from here, and its neighbours in the order of their last use. */
export interface Large extends Lender {
  readonly a: number;
  readonly b: number;
  /** Header and key. */
  readonly head: Chunk;
  /** The value begins at its byte {@linkcode Lender.roomBefore}. */
  readonly memory: Uint8Array<ArrayBuffer>;
  older: Large | undefined;
  newer: Large | undefined;
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

  /**
   * Takes in a record, in the place of the one of its hash; returns what stands before its value.
   *
   * @param rest header and key, without the checksum
   * @param memory that the value lies in, from `start` on
   */
  insert(
    a: number,
    b: number,
    rest: Uint8Array,
    memory: Uint8Array<ArrayBuffer>,
    start: number,
  ): Chunk {
    this.forget(a, b);
    const head = chunkOf(CHECKSUM + rest.length + 7 & ~7);
    head.bytes.set(rest, CHECKSUM);
    const neighbours = { older: undefined, newer: undefined };
    const large = { a, b, head, memory, borrowers: 0, roomBefore: start, ...neighbours };
    this.#records.set(nameOf(a, b), large);
    this.#link(large);
    this.bytes += memory.length + head.bytes.length;
    return head;
  }

  /** Drops the record of a hash. */
  forget(a: number, b: number): void {
    const name = nameOf(a, b);
    const found = this.#records.get(name);
    if (found === undefined) return;
    this.#records.delete(name);
    this.#unlink(found);
    this.bytes -= found.memory.length + found.head.bytes.length;
    // Where somebody sends from it, it is for the garbage collector.
    if (found.borrowers === 0) giveMemory(found.memory);
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

function isOf({ head }: Large, key: Uint8Array, start: number, length: number): boolean {
  const { bytes, words } = head;
  if ((words[Word.kinds] & 0xff) !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[RECORD_HEADER + i] !== key[start + i]) return false;
  return true;
}
