/**
 * All chunks of a store: which there are, in which order they are looked at to make room, and how
 * much memory they take.
 *
 * Most records share chunks of one size. One that would take more than half of such a chunk has a chunk
 * of its own, as large as it is.
 *
 * @module
 */

import { ROOM_BEFORE, ROOM_BEHIND } from "../../bytes.ts";
import { assert, OutOfSpaceError } from "../../errors.ts";
import { Chunk, HEADER, LENDING } from "./chunk.ts";
import type { Pages } from "./place_index.ts";

/** Bytes of a chunk: a part of the limit between these. It takes well under a millisecond to empty. */
const CHUNK_BYTES = 1 << 17;
const SMALLEST_CHUNK = 1 << 8;
const GREATEST_CHUNK = 1 << 20;
/** Chunks that a small limit has at least, and a large one at most if that is possible. */
const FEWEST_CHUNKS = 32;
const MOST_CHUNKS = 1 << 14;
/** The greatest limit at which places, which are 32 bits, count by 8 bytes. */
const LIMIT_BY_8 = 12 * 2 ** 30;

/** The chunks. */
export class Chunks implements Pages {
  /** By their numbers; 0 is never used. */
  readonly all: Array<Chunk | undefined> = [undefined];
  /** Bytes of all of them. */
  memory = 0;
  /** Bytes of records in shared chunks that are no item's any more. */
  garbage = 0;
  /** How many there are, and how many of them have one record alone. */
  count = 0;
  large = 0;
  /** The one that is written. It is in no order. */
  current: Chunk | undefined;
  /** The one that is looked at next to make room. */
  oldest: Chunk | undefined;
  /** The one that is being emptied. */
  victim: Chunk | undefined;
  /** Bytes of a shared chunk. */
  readonly chunkBytes: number;
  /** What records begin at a multiple of, as a power of two; and the bits of a place within its chunk. */
  readonly unitShift: number;
  readonly unitBits: number;

  /** Bytes of a record that shares a chunk, at most. */
  readonly #mostShared: number;
  readonly #free: number[] = [];
  readonly #pool: Chunk[] = [];
  #newest: Chunk | undefined;

  /** @param limit bytes that everything may take, 0 for no limit */
  constructor(limit: number) {
    const part = limit === 0
      ? CHUNK_BYTES
      : Math.max(Math.min(CHUNK_BYTES, limit / FEWEST_CHUNKS), limit / MOST_CHUNKS);
    const bits = Math.floor(Math.log2(Math.min(Math.max(part, SMALLEST_CHUNK), GREATEST_CHUNK)));
    this.chunkBytes = 1 << bits;
    this.#mostShared = this.chunkBytes >>> 1;
    this.unitShift = 3 + Math.max(0, Math.ceil(Math.log2(limit / LIMIT_BY_8)));
    this.unitBits = bits - this.unitShift;
    assert(this.unitBits >= 0, "a chunk has room for a record");
  }

  /** The greatest limit that places can tell apart, in bytes. */
  get greatest(): number {
    return LIMIT_BY_8 * 2 ** (this.unitShift - 3);
  }

  /** The bytes of a record. */
  sizeOf(keyLength: number, valueLength: number): number {
    const last = (1 << this.unitShift) - 1;
    const bytes = HEADER + keyLength + valueLength;
    if (!this.isLarge(bytes)) return bytes + last & ~last;
    // Of one that has a chunk of its own the value may be sent from there.
    const room = bytes >= LENDING ? ROOM_BEFORE + ROOM_BEHIND : ROOM_BEHIND;
    return bytes + room + last & ~last;
  }

  /** The place of a record. */
  placeOf(chunk: Chunk, at: number): number {
    return (chunk.number << this.unitBits | at >>> this.unitShift) >>> 0;
  }

  /** Whether a record of that size has a chunk of its own. */
  isLarge(size: number): boolean {
    return size > this.#mostShared;
  }

  /** How many empty chunks there are, or may be made under a limit of `limit` bytes for chunks. */
  spare(limit: number): number {
    return this.#pool.length + Math.floor((limit - this.memory) / this.chunkBytes);
  }

  /** A chunk of zeros, for the index. */
  takePage(): Uint32Array<ArrayBuffer> {
    const chunk = this.#pool.pop();
    if (chunk === undefined) return this.#make(this.chunkBytes, false).words;
    chunk.bytes.fill(0);
    return chunk.words;
  }

  /** Takes a chunk back from the index. */
  givePage(words: Uint32Array<ArrayBuffer>): void {
    const chunk = this.all.find((one) => one?.words === words);
    assert(chunk !== undefined, "a page of the index is a chunk");
    this.#pool.push(chunk);
  }

  /** Ends the chunk that is written, and begins another. */
  turn(): Chunk {
    const next = this.#pool.pop() ?? this.#make(this.chunkBytes, false);
    const { current } = this;
    this.current = next;
    if (current !== undefined) {
      this.enqueue(current);
      if (current.live === 0) this.retire(current, true);
    }
    return next;
  }

  /** A chunk for one record alone, which the caller puts into the order. */
  makeLarge(size: number): Chunk {
    return this.#make(size, true, size >= LENDING + ROOM_BEFORE ? ROOM_BEFORE : 0);
  }

  /** The same of memory where its value lies already, with `roomBefore` bytes between key and value. */
  keep(bytes: Uint8Array<ArrayBuffer>, roomBefore: number): Chunk {
    return this.#make(bytes.length, true, roomBefore, bytes);
  }

  /** Whether there is a number for one more. */
  get mayGrow(): boolean {
    return this.#free.length > 0 || this.all.length < 2 ** (32 - this.unitBits);
  }

  /** Puts a chunk at the end of the order. */
  enqueue(chunk: Chunk): void {
    chunk.before = this.#newest;
    if (this.#newest === undefined) this.oldest = chunk;
    else this.#newest.after = chunk;
    this.#newest = chunk;
  }

  /** Puts a chunk that is in the order at its end. */
  requeue(chunk: Chunk): void {
    this.#dequeue(chunk);
    this.enqueue(chunk);
  }

  /** The shared chunk in the order with the most garbage. */
  filthiest(): Chunk | undefined {
    let worst: Chunk | undefined;
    let most = 0;
    for (let chunk = this.oldest; chunk !== undefined; chunk = chunk.after) {
      const garbage = chunk.used - chunk.live;
      if (garbage <= most || chunk.isLarge) continue;
      most = garbage;
      worst = chunk;
    }
    return worst;
  }

  /**
   * Takes a chunk in the order that has no item any more out of use.
   *
   * @param keep whether its memory stays for the next chunk
   */
  retire(chunk: Chunk, keep: boolean): void {
    assert(chunk.live === 0 && chunk !== this.current, "a chunk without items is taken out of use");
    this.#dequeue(chunk);
    if (chunk === this.victim) this.victim = undefined;
    if (!chunk.isLarge) this.garbage -= chunk.used;
    assert(this.garbage >= 0, "garbage is counted once");
    chunk.used = chunk.newest = 0;
    if (keep && !chunk.isLarge) this.#pool.push(chunk);
    else this.#drop(chunk);
  }

  /** Frees the memory of an empty chunk; returns whether there was one. */
  shrink(): boolean {
    const chunk = this.#pool.pop();
    if (chunk === undefined) return false;
    this.#drop(chunk);
    return true;
  }

  /** Takes everything out of use. */
  clear(): void {
    for (const chunk of this.all) chunk?.free();
    this.all.length = 1;
    this.#free.length = this.#pool.length = 0;
    this.current =
      this.oldest =
      this.victim =
      this.#newest =
        undefined;
    this.memory =
      this.garbage =
      this.count =
      this.large =
        0;
  }

  #make(
    size: number,
    isLarge: boolean,
    roomBefore = 0,
    bytes?: Uint8Array<ArrayBuffer>,
  ): Chunk {
    const number = this.#free.at(-1) ?? this.all.length;
    if (!this.mayGrow) {
      throw new OutOfSpaceError(`no room for more than ${number} chunks of memory`);
    }
    let chunk;
    try {
      chunk = new Chunk(number, size, isLarge, roomBefore, bytes);
    } catch {
      throw new OutOfSpaceError(`the system has no ${size} bytes of memory for more items`);
    }
    if (number === this.all.length) this.all.push(chunk);
    else {
      this.#free.pop();
      this.all[number] = chunk;
    }
    this.memory += size;
    this.count++;
    if (isLarge) {
      this.large++;
      chunk.used = chunk.live = size;
    }
    return chunk;
  }

  #drop(chunk: Chunk): void {
    this.memory -= chunk.size;
    this.count--;
    if (chunk.isLarge) this.large--;
    this.all[chunk.number] = undefined;
    this.#free.push(chunk.number);
    chunk.free();
  }

  #dequeue(chunk: Chunk): void {
    const { before, after } = chunk;
    if (before === undefined) this.oldest = after;
    else before.after = after;
    if (after === undefined) this.#newest = before;
    else after.before = before;
    chunk.before = chunk.after = undefined;
  }
}
