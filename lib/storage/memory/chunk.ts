/**
 * Memory outside the JavaScript heap, and the records in it.
 *
 * A chunk holds records one behind the other, each at a multiple of 8 bytes:
 *
 * | bytes | what                                              |
 * | ----- | ------------------------------------------------- |
 * | 4     | key length, {@linkcode State} << 8                |
 * | 4     | value length                                      |
 * | 4     | flags                                             |
 * | 4     | last access, seconds since 1970                   |
 * | 8     | version, a double                                 |
 * | 8     | cas unique                                        |
 * | 8     | exptime, milliseconds since 1970, 0 for never, a double |
 * |       | key, value, padding                               |
 *
 * A record of {@linkcode LENDING} bytes and more that is alone in its chunk has others between key and value:
 * {@linkcode Chunk.roomBefore}.
 *
 * @module
 */

import { giveMemory, type Lender } from "../../bytes.ts";
import type { Attributes, Item, Listed, NewItem } from "../contract.ts";
import type { ItemCursor } from "../item_cursor.ts";

/** Bytes before the key. */
export const HEADER = 40;

/** Of a record of so many bytes that is alone in its chunk the value is sent from there, in one with its reply. */
export const LENDING = 1 << 15;

/** Bits of a record's state. */
export const State = {
  stale: 1 << 8,
  won: 1 << 9,
  fetched: 1 << 10,
  binaryKey: 1 << 11,
  /** It was read or written again since the hand of the clock has passed. */
  used: 1 << 12,
  /** The item has another record, or none. */
  gone: 1 << 13,
} as const;

/** One piece of memory: many records, or a large one alone. */
export class Chunk implements Lender {
  /** Who sends the value of its record from here, if that is one for it alone. */
  borrowers = 0;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly doubles: Float64Array<ArrayBuffer>;
  readonly longs: BigUint64Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** Bytes written, and those of them that are records of items. */
  used = 0;
  live = 0;
  /** The greatest version in it. */
  newest = 0;
  /** Its neighbours in the order in which chunks are looked at to make room. */
  before: Chunk | undefined;
  after: Chunk | undefined;
  /** Whether others use its memory again. */
  readonly #isTaken: boolean;

  /**
   * @param number which it is among all
   * @param size bytes, a multiple of 8
   * @param isLarge whether it is for one record alone
   * @param roomBefore bytes between the key and the value of that
   * @param bytes memory that {@linkcode takeMemory} has returned; of its own where there is none
   * @throws {RangeError} where there is no memory
   */
  constructor(
    readonly number: number,
    size: number,
    readonly isLarge: boolean,
    readonly roomBefore = 0,
    bytes?: Uint8Array<ArrayBuffer>,
  ) {
    this.bytes = bytes ?? new Uint8Array(size);
    this.#isTaken = bytes !== undefined;
    const memory = this.bytes.buffer;
    this.words = new Uint32Array(memory);
    this.doubles = new Float64Array(memory);
    this.longs = new BigUint64Array(memory);
    this.view = new DataView(memory);
  }

  /** Its size in bytes; 0 after {@linkcode free}. */
  get size(): number {
    return this.bytes.length;
  }

  /**
   * Gives the memory back now, and not when the collector comes to it, unless somebody sends from it. (A lender's
   * `release` would be called by who has looked at an item.)
   */
  free(): void {
    if (this.borrowers > 0) return;
    if (this.#isTaken) giveMemory(this.bytes);
    else this.bytes.buffer.transfer(0);
  }

  keyLength(at: number): number {
    return this.words[at >>> 2] & 0xff;
  }

  valueLength(at: number): number {
    return this.words[(at >>> 2) + 1];
  }

  version(at: number): number {
    return this.doubles[(at >>> 3) + 2];
  }

  cas(at: number): bigint {
    return this.longs[(at >>> 3) + 3];
  }

  exptime(at: number): number {
    return this.doubles[(at >>> 3) + 4];
  }

  has(at: number, state: number): boolean {
    return (this.words[at >>> 2] & state) !== 0;
  }

  mark(at: number, state: number): void {
    this.words[at >>> 2] |= state;
  }

  unmark(at: number, state: number): void {
    this.words[at >>> 2] &= ~state;
  }

  /** Notes an access: point 16 of the contract. */
  access(at: number, seconds: number): void {
    this.words[at >>> 2] |= State.fetched | State.used;
    this.words[(at >>> 2) + 3] = seconds;
  }

  /** The record's key, as a view. */
  key(at: number): Uint8Array {
    const from = at + HEADER;
    return this.bytes.subarray(from, from + this.keyLength(at));
  }

  /** Whether the record is of the key that lies in `key` from `start` on. */
  isOf(at: number, key: Uint8Array, start = 0, length = key.length): boolean {
    if ((this.words[at >>> 2] & 0xff) !== length) return false;
    const { bytes } = this;
    const from = at + HEADER;
    for (let i = 0; i < length; i++) if (bytes[from + i] !== key[start + i]) return false;
    return true;
  }

  /** The item, with a view of its value. */
  item(at: number): Item {
    const w = at >>> 2;
    const d = at >>> 3;
    const { words, doubles } = this;
    const kinds = words[w];
    const from = at + HEADER + (kinds & 0xff) + this.roomBefore;
    return {
      value: this.bytes.subarray(from, from + words[w + 1]),
      flags: words[w + 2],
      exptime: doubles[d + 4],
      cas: this.longs[d + 3],
      stale: (kinds & State.stale) !== 0,
      won: (kinds & State.won) !== 0,
      fetched: (kinds & State.fetched) !== 0,
      accessed: words[w + 3],
      binaryKey: (kinds & State.binaryKey) !== 0,
      version: doubles[d + 2],
    };
  }

  /** Lets a cursor show the item. */
  show(at: number, into: ItemCursor): void {
    const w = at >>> 2;
    const d = at >>> 3;
    const { words, doubles } = this;
    const kinds = words[w];
    const from = at + HEADER + (kinds & 0xff) + this.roomBefore;
    into.place(this.bytes, this.view, from, from + words[w + 1]);
    into.lender = this.isLarge ? this : undefined;
    into.flags = words[w + 2];
    into.exptime = doubles[d + 4];
    // The machine is little-endian, as all are that Deno runs on.
    into.casLow = words[w + 6];
    into.casHigh = words[w + 7];
    into.stale = (kinds & State.stale) !== 0;
    into.won = (kinds & State.won) !== 0;
    into.fetched = (kinds & State.fetched) !== 0;
    into.accessed = words[w + 3];
    into.binaryKey = (kinds & State.binaryKey) !== 0;
    into.version = doubles[d + 2];
  }

  /** The item as a listing shows it, with a copy of its key. */
  listed(at: number): Listed {
    const { value: _, version: __, ...attributes } = this.item(at);
    const from = at + HEADER;
    const key = this.bytes.slice(from, from + this.keyLength(at));
    return { key, size: this.valueLength(at), ...attributes };
  }

  /** Writes the key of a record, which lies in `key` from `start` on. */
  writeKey(at: number, key: Uint8Array, start: number, length: number): void {
    const { bytes } = this;
    const from = at + HEADER;
    for (let i = 0; i < length; i++) bytes[from + i] = key[start + i];
  }

  /**
   * Writes an item's record but for its key, also over the one of the same key and size.
   *
   * @param item whose value may be a view of that of the record that is written over
   * @param cas the cas unique, not 0
   */
  write(
    at: number,
    keyLength: number,
    valueLength: number,
    item: NewItem,
    cas: bigint,
    version: number,
  ): void {
    const from = at + HEADER + keyLength + this.roomBefore;
    if (item.copyTo !== undefined) item.copyTo(this.bytes, this.view, from);
    else if (item.value.length !== 0) this.bytes.set(item.value, from);
    this.writeHeader(at, keyLength, valueLength, item, cas, version);
  }

  /** Writes what stands before an item's key. */
  writeHeader(
    at: number,
    keyLength: number,
    valueLength: number,
    item: NewItem,
    cas: bigint,
    version: number,
  ): void {
    const { words, doubles } = this;
    const w = at >>> 2;
    const d = at >>> 3;
    words[w] = keyLength | stateOf(item);
    words[w + 1] = valueLength;
    words[w + 2] = item.flags;
    words[w + 3] = item.accessed;
    doubles[d + 2] = version;
    this.longs[d + 3] = cas;
    doubles[d + 4] = item.exptime;
    if (version > this.newest) this.newest = version;
  }

  /** Copies a record of another chunk to the end of this one. */
  take(from: Chunk, at: number, size: number): void {
    const to = this.used;
    if (size > 256) this.bytes.set(from.bytes.subarray(at, at + size), to);
    else {
      const words = this.words;
      for (let i = to >>> 2, j = at >>> 2, end = j + (size >>> 2); j < end; i++, j++) {
        words[i] = from.words[j];
      }
    }
    this.used = to + size;
    this.live += size;
    this.newest = Math.max(this.newest, this.version(to));
  }
}

function stateOf(item: Attributes): number {
  return (item.stale ? State.stale : 0) | (item.won ? State.won : 0) |
    (item.fetched ? State.fetched : 0) | (item.binaryKey ? State.binaryKey : 0);
}
