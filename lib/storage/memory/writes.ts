/**
 * Where an item's record is put: at the end of the chunk in hand, or in a chunk of its own.
 *
 * A large value is not copied where its giver can do without the memory that it has arrived in: that becomes the
 * record's chunk. The record's header and key are written to the beginning of it, which the giver has
 * left free. What is between them and the value is the room for a reply, and holds the request's line until
 * something is sent from there: the request is answered before.
 *
 * @module
 */

import { type Giver, isWorthKeeping, ROOM_BEFORE } from "../../bytes.ts";
import { assert } from "../../errors.ts";
import { uint64Of } from "../../uint64.ts";
import type { Awaitable, Batch, Expected, NewItem, Swapped } from "../contract.ts";
import { type Chunk, HEADER } from "./chunk.ts";
import type { Reclaim } from "./reclaim.ts";
import type { Records } from "./records.ts";

/** What evicts may keep memory of this part of the limit: a copy, which is shorter, may fit where that does not. */
const MOST_KEPT = 1 / 4;

/** Comes again with a swap for which there is much to be done first. */
type Later = (
  key: Uint8Array,
  expected: Expected,
  next: NewItem,
  batch: Batch,
) => Promise<Swapped>;

/** Writes records. Who calls has just looked for the key, and says whether it was found. */
export class Writes {
  readonly #records: Records;
  readonly #reclaim: Reclaim;
  readonly #evicts: boolean;
  readonly #later: Later;

  constructor(records: Records, reclaim: Reclaim, evicts: boolean, later: Later) {
    this.#records = records;
    this.#reclaim = reclaim;
    this.#evicts = evicts;
    this.#later = later;
  }

  /** Writes a record that shares a chunk, and makes room for it. */
  put(
    bytes: Uint8Array,
    start: number,
    end: number,
    expected: Expected,
    given: NewItem,
    valueLength: number,
    batch: Batch,
    size: number,
    isThere: boolean,
  ): Awaitable<Swapped> {
    const records = this.#records;
    const { chunks, index } = records;
    let next = given;
    let old = isThere ? records.place : 0;
    if (!isThere) index.reserve(records.hash.a);
    if (!records.fits(size)) {
      next = this.#apart(given);
      if (!this.#reclaim.makeRoom(size, 0, old)) {
        return this.#later(bytes.subarray(start, end), expected, next, batch);
      }
      old = this.#placeOf(bytes, start, end);
    }
    const chunk = chunks.current!;
    const at = chunk.used;
    const version = records.nextVersion();
    const cas = next.cas === 0n ? uint64Of(version) : next.cas;
    chunk.writeKey(at, bytes, start, end - start);
    chunk.write(at, end - start, valueLength, next, cas, version);
    chunk.used += size;
    chunk.live += size;
    assert(chunk.used <= chunk.size, "a record ends within its chunk");
    this.#enter(chunk, at, size, next.exptime, old);
    this.#reclaim.pace(size);
    return cas;
  }

  /** Writes a record that has a chunk of its own, and makes room for it. */
  putLarge(
    bytes: Uint8Array,
    start: number,
    end: number,
    expected: Expected,
    given: NewItem,
    valueLength: number,
    batch: Batch,
    size: number,
    isThere: boolean,
  ): Awaitable<Swapped> {
    const records = this.#records;
    const { chunks, index } = records;
    const keyLength = end - start;
    const replaced = isThere && records.chunk.isLarge ? records.chunk : undefined;
    // A large record that is replaced frees its memory in this call.
    const back = replaced?.size ?? 0;
    const keeps = this.#keeps(batch.giver, given, keyLength, size, back);
    if (
      !keeps && replaced !== undefined && replaced.borrowers === 0 &&
      replaced.valueLength(0) === valueLength
    ) return records.rewrite(given, valueLength);
    let next = given;
    let old = isThere ? records.place : 0;
    const needed = keeps ? given.value.buffer.byteLength : size;
    if (!isThere) index.reserve(records.hash.a);
    if (!records.fitsLarge(needed - back)) {
      if (!keeps) next = this.#apart(given);
      if (!this.#reclaim.makeRoom(needed, back, old)) {
        return this.#later(bytes.subarray(start, end), expected, next, batch);
      }
      old = this.#placeOf(bytes, start, end);
    }
    const chunk = keeps
      // From here on nothing refuses the item: only what is stored is taken from its giver.
      ? chunks.keep(batch.giver!.give(), given.value.byteOffset - HEADER - keyLength)
      : chunks.makeLarge(size);
    const version = records.nextVersion();
    const cas = next.cas === 0n ? uint64Of(version) : next.cas;
    chunk.writeKey(0, bytes, start, keyLength);
    if (keeps) chunk.writeHeader(0, keyLength, valueLength, next, cas, version);
    else chunk.write(0, keyLength, valueLength, next, cas, version);
    chunks.enqueue(chunk);
    this.#enter(chunk, 0, chunk.size, next.exptime, old);
    return cas;
  }

  /**
   * Whether a record of `size` bytes is to be the memory that its value has arrived in. That must be had, have
   * room around the value, be hardly longer than the record, and fit, where `back` bytes come back.
   */
  #keeps(
    giver: Giver | undefined,
    { value }: NewItem,
    keyLength: number,
    size: number,
    back: number,
  ): boolean {
    if (giver === undefined || !giver.offers(value)) return false;
    const { limit, chunks } = this.#records;
    const { byteLength } = value.buffer;
    if (!isWorthKeeping(value, HEADER + keyLength + ROOM_BEFORE, size)) return false;
    const fits = this.#records.fitsLarge(byteLength - back) ||
      this.#evicts && byteLength <= MOST_KEPT * limit;
    return fits && chunks.mayGrow;
  }

  /** An item whose value is no view of memory that what makes room writes over. */
  #apart(item: NewItem): NewItem {
    const { value } = item;
    if (value.buffer !== this.#records.shown?.bytes.buffer) return item;
    return { ...item, value: value.slice() };
  }

  /** The place of a key's record, 0 for none: room that was made may have moved or removed it. */
  #placeOf(bytes: Uint8Array, start: number, end: number): number {
    const records = this.#records;
    if (records.find(bytes, start, end - start)) return records.place;
    records.index.reserve(records.hash.a);
    return 0;
  }

  /** Puts a record that was written into the index, in the place of the one at `old`, 0 for none. */
  #enter(chunk: Chunk, at: number, size: number, exptime: number, old: number): void {
    const records = this.#records;
    const { chunks, index } = records;
    const place = chunks.placeOf(chunk, at);
    records.added(size, exptime);
    if (old === 0) index.insert(records.hash.a, place);
    else {
      index.replace(place);
      records.see(old);
      records.leave();
    }
  }
}
