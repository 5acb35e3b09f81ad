/**
 * Makes room when memory is at its limit.
 *
 * A chunk is emptied as a whole, record by record as others are written, or in one go where the room is
 * needed. If a good part of memory is garbage, it is the chunk with the most of
 * it, and no item is lost. Otherwise it is the oldest: items in it that were not used since it was
 * looked at last are evicted, the others move on to the newest chunk (CLOCK). A chunk most of
 * which was used is spared as a whole, once. That is nearly as good as least recently used, and a read
 * has to move nothing.
 *
 * @module
 */

import { assert, OutOfSpaceError } from "../../errors.ts";
import type { Listed } from "../contract.ts";
import { type Chunk, State } from "./chunk.ts";
import type { Records } from "./records.ts";

/** Garbage is a good part of memory from this part on; and of a chunk from that. */
const GARBAGE = 1 / 8;
const GARBAGE_OF_CHUNK = 1 / 4;
/** The garbage of a chunk that is worth emptying it where nothing may be evicted. */
const LEAST_GARBAGE = 1 / 16;
/** Chunks that are spared before one is emptied. */
const SPARED = 8;
/** Records that are looked at in one call on the way to a limit that was lowered. */
const STEP = 2000;
/** Records that are looked at in one call to make room for a large one: a few milliseconds. */
const LARGE_STEP = 10_000;
/** Records that are looked at in one call for one that was written. */
const PACE = 32;
/** Chunks in which expired items are looked for before a write is refused. */
const SWEPT = 4;

/** What may be done to make room. */
export interface Means {
  /** Whether items may be evicted. */
  readonly evict: boolean;
  /** Told of each that is. */
  readonly onEvicted?: (item: Listed) => void;
  /** Accesses that the records do not tell of: as in the options of the store. */
  readonly accessedElsewhere?: (key: Uint8Array) => number;
}

/** Makes room. */
export class Reclaim {
  /** Items that were evicted. */
  evictions = 0;
  /** Items that were moved from one chunk to another. */
  moved = 0;

  readonly #records: Records;
  readonly #means: Means;
  /** The chunk in which expired items are looked for next. */
  #hand = 1;
  /** Where the next record of the chunk is that is being emptied, and whether items of it are evicted. */
  #at = 0;
  #evict = false;
  /** Bytes that have moved from there to other chunks. */
  #stayed = 0;

  constructor(records: Records, means: Means) {
    this.#records = records;
    this.#means = means;
  }

  /**
   * Makes room for a record of `size` bytes, of which `back` come back when it is written.
   *
   * @param keep the place of a record that is not evicted, 0 for none; it may move
   * @returns whether there is room; if not, it was much work, and the caller comes again
   * @throws {OutOfSpaceError} where there is none; nothing is evicted for what can never fit
   */
  makeRoom(size: number, back: number, keep: number): boolean {
    const records = this.#records;
    const { chunks, limit } = records;
    if (size > limit) this.#refuse(size);
    if (chunks.isLarge(size)) {
      for (let looked = 0; !records.fitsLarge(size - back);) {
        if (looked > LARGE_STEP) return false;
        if (chunks.shrink()) continue;
        const more = this.#step(keep);
        if (more === 0) this.#refuse(size);
        looked += more;
      }
      return true;
    }
    for (let looked = 0; !records.fits(size);) {
      const isFarOver = records.memory - limit > 2 * chunks.chunkBytes;
      const more = isFarOver && looked > STEP ? 0 : this.#step(keep);
      looked += more;
      if (more > 0) continue;
      // Small limits and those that were lowered are exceeded by a chunk for the while.
      if (!this.#means.evict) this.#refuse(size);
      const { current, chunkBytes } = chunks;
      if (current === undefined || current.used + size > chunkBytes) chunks.turn();
      return true;
    }
    return true;
  }

  /** Goes some way to a limit that was lowered. */
  shrink(): void {
    const records = this.#records;
    const { limit, chunks } = records;
    for (let looked = 0; limit !== 0 && records.memory > limit && looked < STEP;) {
      if (chunks.shrink()) continue;
      const more = this.#step(0);
      if (more === 0) return;
      looked += more;
    }
  }

  /**
   * Keeps pace with a record of `size` bytes that was written: where memory is at its limit, about as
   * much is given up. So a full store evicts something at each write, and none waits long.
   */
  pace(size: number): void {
    const records = this.#records;
    const { chunks } = records;
    if (!this.#means.evict || !records.isFull) return;
    if (chunks.victim === undefined && !this.#choose(0)) return;
    this.#empty(size, PACE, 0);
  }

  /** Empties a chunk; returns how many records it has looked at, 0 if there is nothing to be gained. */
  #step(keep: number): number {
    const { chunks } = this.#records;
    if (chunks.victim !== undefined && this.#isKept(chunks.victim, keep)) chunks.victim = undefined;
    if (chunks.victim === undefined && !this.#choose(keep)) return this.#sweep(keep);
    return this.#empty(Infinity, Infinity, keep);
  }

  /** Chooses the chunk that is emptied next; returns whether there is one. */
  #choose(keep: number): boolean {
    const { chunks, flushed } = this.#records;
    const { oldest, chunkBytes } = chunks;
    if (oldest !== undefined && oldest.newest <= flushed && !this.#isKept(oldest, keep)) {
      return this.#begin(oldest, false);
    }
    const { evict } = this.#means;
    if (!evict || chunks.garbage >= chunks.memory * GARBAGE) {
      const chunk = chunks.filthiest();
      const least = chunkBytes * (evict ? GARBAGE_OF_CHUNK : LEAST_GARBAGE);
      if (chunk !== undefined && chunk.used - chunk.live >= least) return this.#begin(chunk, false);
    }
    const chunk = evict ? this.#victim(keep) : undefined;
    return chunk !== undefined && this.#begin(chunk, true);
  }

  #begin(chunk: Chunk, evict: boolean): true {
    const { chunks } = this.#records;
    assert(chunk !== chunks.current, "the chunk that is written is not emptied");
    chunks.victim = chunk;
    this.#at = this.#stayed = 0;
    this.#evict = evict;
    return true;
  }

  /** Looks for expired items in some chunks; returns how many it has found. */
  #sweep(keep: number): number {
    const records = this.#records;
    if (!records.mayBeDead) return 0;
    const { all } = records.chunks;
    let found = 0;
    for (let i = 0; i < Math.min(SWEPT, all.length - 1); i++) {
      if (this.#hand >= all.length) this.#hand = 1;
      found += records.sweep(this.#hand++, keep);
    }
    return found;
  }

  /** The chunk that is to make room: the oldest, most of which was not used. */
  #victim(keep: number): Chunk | undefined {
    const { chunks } = this.#records;
    for (let spared = 0; spared < SPARED; spared++) {
      const { oldest } = chunks;
      if (oldest === undefined) return undefined;
      if (!this.#isHot(oldest) && !this.#isKept(oldest, keep)) return oldest;
      chunks.requeue(oldest);
    }
    const { oldest } = chunks;
    return oldest !== undefined && this.#isKept(oldest, keep) ? oldest.after : oldest;
  }

  #isKept(chunk: Chunk, keep: number): boolean {
    return chunk.isLarge && this.#records.chunks.placeOf(chunk, 0) === keep;
  }

  /** Whether a record was used, as far as anybody knows. */
  #isUsed(chunk: Chunk, at: number): boolean {
    const { accessedElsewhere } = this.#means;
    if (accessedElsewhere !== undefined && !chunk.has(at, State.used)) {
      const seconds = accessedElsewhere(chunk.key(at));
      if (seconds !== 0) chunk.access(at, seconds);
    }
    return chunk.has(at, State.used);
  }

  /** Whether most of a chunk was used; if so, it is from here on as if it was not. */
  #isHot(chunk: Chunk): boolean {
    let bytes = 0;
    this.#each(chunk, (at, size) => {
      if (this.#isUsed(chunk, at)) bytes += size;
    });
    const isHot = bytes > chunk.size / 2;
    if (isHot) this.#each(chunk, (at) => chunk.unmark(at, State.used));
    return isHot;
  }

  /**
   * Moves or removes items of the chunk that is being emptied, and takes it out of use at its end.
   *
   * @param bytes how many it looks at, at least; it goes on until something is given up
   * @param most how many records it looks at, at most
   * @returns how many records it has looked at
   */
  #empty(bytes: number, most: number, keep: number): number {
    const records = this.#records;
    const { chunks } = records;
    const chunk = chunks.victim!;
    let looked = 1;
    let hasRoom = false;
    for (let seen = 0; this.#at < chunk.used; looked++) {
      if (looked > most || seen >= bytes && hasRoom) return looked;
      const at = this.#at;
      const size = records.sizeOf(chunk, at);
      if (!chunk.has(at, State.gone)) {
        if (!this.#giveUp(chunk, at, size, keep)) this.#move(chunk, at, size);
        else hasRoom = true;
      }
      // Not before: a record that there was no memory to move to comes again.
      this.#at += size;
      seen += size;
    }
    records.retire(chunk);
    return looked;
  }

  /** Throws an item out, or removes it as it is dead, or does neither and returns false. */
  #giveUp(chunk: Chunk, at: number, size: number, keep: number): boolean {
    const records = this.#records;
    const { chunks } = records;
    records.meet(chunk, at);
    const isDead = records.isDead(chunk, at);
    // However much was used, half of the chunk becomes free.
    const isSpared = this.#isUsed(chunk, at) && this.#stayed + size <= chunk.size / 2;
    if (!isDead && (!this.#evict || isSpared)) return false;
    if (keep !== 0 && chunks.placeOf(chunk, at) === keep) return false;
    if (!isDead) {
      this.evictions++;
      this.#means.onEvicted?.(chunk.listed(at));
    }
    records.index.remove();
    records.forget(chunk, at, isDead);
    return true;
  }

  /** Moves the record whose entry the index has found to the chunk that is written. */
  #move(from: Chunk, at: number, size: number): void {
    const records = this.#records;
    const { chunks, index } = records;
    assert(!from.isLarge, "a record that has a chunk of its own does not move");
    let { current } = chunks;
    if (current === undefined || current.used + size > current.size) current = chunks.turn();
    const to = current.used;
    current.take(from, at, size);
    if (this.#evict) current.unmark(to, State.used);
    index.replace(chunks.placeOf(current, to));
    records.vacate(from, at, size);
    this.#stayed += size;
    this.moved++;
  }

  /** Tells each record of a chunk that is an item's. */
  #each(chunk: Chunk, told: (at: number, size: number) => void): void {
    const records = this.#records;
    for (let at = 0, size = 0; at < chunk.used; at += size) {
      size = records.sizeOf(chunk, at);
      if (!chunk.has(at, State.gone)) told(at, size);
    }
  }

  #refuse(size: number): never {
    const { limit } = this.#records;
    throw new OutOfSpaceError(`no room for ${size} bytes under the limit of ${limit} bytes`);
  }
}
