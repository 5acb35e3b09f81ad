/**
 * Records and where they are: finding, adding and removing them, with their accounts.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { assert } from "../../errors.ts";
import type { NewItem } from "../contract.ts";
import { KeyHash } from "../../key_hash.ts";
import { Chunk, HEADER, State } from "./chunk.ts";
import { Chunks } from "./chunks.ts";
import { PlaceIndex } from "./place_index.ts";
import { uint64Of } from "../../uint64.ts";

/** The records. */
export class Records {
  index: PlaceIndex;
  readonly chunks: Chunks;
  /** The hash of the key that was looked for last. */
  readonly hash: KeyHash;
  /** Bytes that everything may take; 0 for no limit. */
  limit: number;
  /** Bytes of all records, of flushed items too until they are met or swept. */
  bytes = 0;
  /** Items that are not flushed. */
  count = 0;
  /** Items with a version up to this one are flushed. */
  flushed = 0;
  /** Expired and flushed items whose room was given back. */
  reclaimed = 0;
  /** Whether any item may be expired or flushed, or become so. */
  mayBeDead = false;

  /** The record that was found last: its place, its chunk, and where it begins in it. */
  place = 0;
  chunk: Chunk;
  at = 0;
  /** The chunk of the value that was shown last. */
  shown: Chunk | undefined;

  readonly #clock: Clock;
  /** The hash of a key whose record is met: another than the caller's. */
  readonly #met: KeyHash;
  readonly #unitShift: number;
  readonly #unitBits: number;
  readonly #unitMask: number;
  /** Counts up with each write: an item's version, and its cas unique unless one was given. */
  #sequence = 0;
  /** Whether an item that may expire, or a flush, was met since the sweep began its round. */
  #isWatched = false;

  constructor(limit: number, clock: Clock) {
    this.limit = limit;
    this.#clock = clock;
    // A random key a process: nobody can choose keys that meet in the index.
    const key = crypto.getRandomValues(new Uint8Array(16));
    this.hash = new KeyHash(key, 1);
    this.#met = new KeyHash(key, 1);
    this.chunks = new Chunks(limit);
    this.index = new PlaceIndex(this.chunks);
    this.#unitShift = this.chunks.unitShift;
    this.#unitBits = this.chunks.unitBits;
    this.#unitMask = 2 ** this.#unitBits - 1;
    this.chunk = new Chunk(0, 0, false);
  }

  /** The bytes that everything takes. */
  get memory(): number {
    return this.chunks.memory;
  }

  /** The bytes of the record that was found last. */
  get size(): number {
    return this.sizeOf(this.chunk, this.at);
  }

  sizeOf(chunk: Chunk, at: number): number {
    if (chunk.isLarge) return chunk.size;
    return this.chunks.sizeOf(chunk.keyLength(at), chunk.valueLength(at));
  }

  /** Finds the record of the key that lies in `key` from `start` on. */
  find(key: Uint8Array, start = 0, length = key.length): boolean {
    const { hash, index } = this;
    hash.of(key, start, length);
    const { a } = hash;
    let place = index.first(a);
    while (place !== 0) {
      this.see(place);
      if (this.chunk.isOf(this.at, key, start, length)) return true;
      place = index.next(a);
    }
    return false;
  }

  /** Looks at the record at a place. */
  see(place: number): void {
    const chunk = this.chunks.all[place >>> this.#unitBits];
    assert(chunk !== undefined, "the index points at a chunk that is in use");
    this.place = place;
    this.chunk = chunk;
    this.at = (place & this.#unitMask) << this.#unitShift;
  }

  /** Whether an item is expired or flushed. */
  isDead(chunk: Chunk, at: number): boolean {
    if (chunk.version(at) <= this.flushed) return true;
    const exptime = chunk.exptime(at);
    return exptime !== 0 && exptime <= this.#clock.now();
  }

  nextVersion(): number {
    return ++this.#sequence;
  }

  /** Whether no chunk may be begun before another is emptied: one is kept in reserve for that. */
  get isFull(): boolean {
    return this.limit !== 0 && this.chunks.spare(this.limit) < 2;
  }

  /** Whether a record of that size fits into the chunk in hand, or into another that may be begun. */
  fits(size: number): boolean {
    const { chunks, limit } = this;
    const { current, chunkBytes } = chunks;
    if (limit !== 0 && this.memory > limit) return false;
    if (current !== undefined && current.used + size <= chunkBytes) return true;
    if (this.isFull) return false;
    chunks.turn();
    return true;
  }

  /** Whether there may be a chunk for one record that takes `more` bytes. */
  fitsLarge(more: number): boolean {
    return this.limit === 0 || this.memory + more <= this.limit;
  }

  /** Writes an item over the record that was found last, which has the same key and size. */
  rewrite(next: NewItem, valueLength: number): bigint {
    const { chunk, at } = this;
    const isDead = this.isDead(chunk, at);
    if (isDead) this.reclaimed++;
    if (chunk.version(at) <= this.flushed) this.count++;
    const version = this.nextVersion();
    const cas = next.cas === 0n ? uint64Of(version) : next.cas;
    chunk.write(at, chunk.keyLength(at), valueLength, next, cas, version);
    // It is as good as new, where it is.
    chunk.mark(at, State.used);
    if (next.exptime !== 0) this.#watchDead();
    return cas;
  }

  /** Accounts for a record that was written. */
  added(size: number, exptime: number): void {
    this.bytes += size;
    this.count++;
    if (exptime !== 0) this.#watchDead();
  }

  /** Removes the record that was found last, and its key. */
  remove(): void {
    this.index.remove();
    this.leave();
  }

  /** The record that was looked at last is no item's any more, and its key is not in the index for it. */
  leave(): void {
    const { chunk } = this;
    this.forget(chunk, this.at, this.isDead(chunk, this.at));
    if (chunk.live === 0 && chunk !== this.chunks.current) this.retire(chunk);
  }

  /** Accounts for a record that is no item's any more. */
  forget(chunk: Chunk, at: number, isDead: boolean): void {
    assert(!chunk.has(at, State.gone), "a record leaves once");
    const size = this.sizeOf(chunk, at);
    this.bytes -= size;
    if (chunk.version(at) > this.flushed) this.count--;
    if (isDead) this.reclaimed++;
    this.vacate(chunk, at, size);
    assert(this.bytes >= 0 && this.count >= 0, "accounts of items are not negative");
  }

  /** A record is not where it was. */
  vacate(chunk: Chunk, at: number, size: number): void {
    chunk.mark(at, State.gone);
    chunk.live -= size;
    if (!chunk.isLarge) this.chunks.garbage += size;
    assert(chunk.live >= 0, "live bytes of a chunk are not negative");
  }

  /** Takes a chunk without items out of use; its memory stays as long as there is room for it. */
  retire(chunk: Chunk): void {
    const isOver = this.limit !== 0 && this.memory > this.limit;
    this.chunks.retire(chunk, !isOver);
  }

  /** Finds the index's entry of a record that is met. */
  meet(chunk: Chunk, at: number): void {
    this.#met.of(chunk.bytes, at + HEADER, chunk.keyLength(at));
    this.index.find(this.#met.a, this.chunks.placeOf(chunk, at));
  }

  /**
   * Removes the expired and flushed items of the chunk of that number, but for the one at the place
   * `keep`; returns how many there were.
   */
  sweep(number: number, keep = 0): number {
    const chunk = this.chunks.all[number];
    if (chunk === undefined || chunk.used === 0) return 0;
    let found = 0;
    for (let at = 0, size = 0; at < chunk.used; at += size) {
      size = this.sizeOf(chunk, at);
      if (chunk.has(at, State.gone)) continue;
      if (this.isDead(chunk, at)) {
        if (keep !== 0 && this.chunks.placeOf(chunk, at) === keep) continue;
        this.meet(chunk, at);
        this.index.remove();
        this.forget(chunk, at, true);
        found++;
      } else if (chunk.exptime(at) !== 0) this.#watchDead();
    }
    if (chunk.live === 0 && chunk !== this.chunks.current) this.retire(chunk);
    return found;
  }

  /** Makes all items absent that there are. */
  flush(): void {
    this.flushed = this.#sequence;
    this.count = 0;
    this.#watchDead();
  }

  /** A sweep through all chunks begins: what the last one has seen tells whether it is of any use. */
  beginRound(): void {
    this.mayBeDead = this.#isWatched;
    this.#isWatched = false;
  }

  #watchDead(): void {
    this.mayBeDead = this.#isWatched = true;
  }

  /** Takes everything away. */
  clear(): void {
    this.chunks.clear();
    this.index = new PlaceIndex(this.chunks);
    this.bytes = this.count = 0;
  }
}
