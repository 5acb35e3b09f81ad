/**
 * The memory store: an index of places, and records in chunks, both outside the JavaScript heap. No
 * object is kept for an item, and the limit is for everything that items take, the index too.
 *
 * {@linkcode Writes} puts records where they belong. When memory is at its limit {@linkcode Reclaim} makes
 * room.
 *
 * @module
 */

import { othersTurn } from "../../others_turn.ts";
import {
  type Awaitable,
  type Batch,
  type Expected,
  type Item,
  type Listed,
  type NewItem,
  type Store,
  type StoreInfo,
  type StoreOptions,
  type Swapped,
  valueLengthOf,
} from "../contract.ts";
import type { ItemCursor } from "../item_cursor.ts";
import { Records } from "./records.ts";
import { Reclaim } from "./reclaim.ts";
import { Writes } from "./writes.ts";

/** How the memory store is opened. */
export interface MemoryOptions extends StoreOptions {
  /** Bytes that items may take, with all that the store needs for them; 0 for no limit. */
  readonly limit: number;
  /** At the limit: evict what was used least recently, or refuse. */
  readonly evict: boolean;
}

/** Items of a group of a listing, about. */
const GROUP = 256;
/** Chunks that are swept before others have their turn, where a client waits for it. */
const TOGETHER = 4;
/** Milliseconds from one step of the sweep for expired items to the next. */
const TICK = 1000;
/** The sweep comes round in this many ticks. */
const TICKS_A_ROUND = 64;

/** The store. */
export class MemoryStore implements Store {
  readonly #options: MemoryOptions;
  readonly #records: Records;
  readonly #reclaim: Reclaim;
  readonly #writes: Writes;
  /** The moment of a pending flush in milliseconds since 1970; 0 for none. */
  #flushAt = 0;
  #flushedReads = 0;
  /** The chunk that the sweep comes to next, and whether a step of it is under way. */
  #swept = 1;
  #sweeping = false;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(options: MemoryOptions) {
    this.#options = options;
    this.#records = new Records(options.limit, options.clock);
    this.#reclaim = new Reclaim(this.#records, options);
    this.#writes = new Writes(
      this.#records,
      this.#reclaim,
      options.evict,
      (key, expected, next, batch) => this.#swapLater(key, expected, next, batch),
    );
    this.#timer = setInterval(() => this.#tick(), TICK);
    this.#timer.unref();
  }

  read(key: Uint8Array, batch: Batch, peek = false): Item | undefined {
    if (!this.#see(key, 0, key.length)) return undefined;
    const { chunk, at } = this.#records;
    const item = chunk.item(at);
    if (!peek) chunk.access(at, batch.seconds);
    return item;
  }

  find(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    into: ItemCursor,
  ): boolean {
    if (!this.#see(bytes, start, end - start)) return false;
    const { chunk, at } = this.#records;
    chunk.show(at, into);
    if (!peek) chunk.access(at, batch.seconds);
    return true;
  }

  /** Whether there is an item to show, whose record was found last then. */
  #see(bytes: Uint8Array, start: number, length: number): boolean {
    if (this.#flushAt !== 0) this.#flushIfDue();
    const records = this.#records;
    if (!records.find(bytes, start, length)) return false;
    const { chunk, at } = records;
    if (chunk.version(at) <= records.flushed) {
      this.#flushedReads++;
      records.remove();
      return false;
    }
    records.shown = chunk;
    return true;
  }

  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    return this.swapAt(key, 0, key.length, expected, next, batch);
  }

  swapAt(
    bytes: Uint8Array,
    start: number,
    end: number,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    if (this.#flushAt !== 0) this.#flushIfDue();
    const records = this.#records;
    const isThere = records.find(bytes, start, end - start);
    const lives = isThere && !records.isDead(records.chunk, records.at);
    if (expected === "absent") {
      if (lives) return "exists";
    } else if (expected !== "any") {
      if (!lives) return "absent";
      const { chunk, at } = records;
      if (chunk.cas(at) !== expected.cas) return "exists";
      const { version } = expected;
      if (version !== undefined && chunk.version(at) !== version) return "exists";
    }
    if (next === null) {
      if (isThere) records.remove();
      return lives ? 0n : "absent";
    }
    const { chunks } = records;
    const valueLength = valueLengthOf(next);
    const size = chunks.sizeOf(end - start, valueLength);
    const writes = this.#writes;
    if (chunks.isLarge(size)) {
      return writes.putLarge(bytes, start, end, expected, next, valueLength, batch, size, isThere);
    }
    if (isThere && records.size === size && records.chunk.borrowers === 0) {
      return records.rewrite(next, valueLength);
    }
    return writes.put(bytes, start, end, expected, next, valueLength, batch, size, isThere);
  }

  /** Nothing is undone here. */
  commit(_batch: Batch): void {}

  flush(at: number, _batch: Batch): void {
    this.#flushIfDue();
    this.#flushAt = Math.max(at, 1);
    this.#flushIfDue();
  }

  async *scan(): AsyncGenerator<readonly Listed[]> {
    const { index } = this.#records;
    const { depth, homes } = index;
    for (let slot = 0; slot < 2 ** depth; slot++) {
      let places: number[] = [];
      for (let home = 0; home < homes; home += GROUP) {
        const to = Math.min(home + GROUP, homes);
        index.within(slot, depth, home, to, (place) => void places.push(place));
        if (places.length < GROUP && to < homes) continue;
        yield this.#list(places);
        places = [];
        await othersTurn();
        this.#flushIfDue();
      }
    }
  }

  /** The items at some places that are there, in the order in which they were stored. */
  #list(places: readonly number[]): Listed[] {
    const records = this.#records;
    const found: Array<{ version: number; item: Listed }> = [];
    for (const place of places) {
      records.see(place);
      const { chunk, at } = records;
      if (records.isDead(chunk, at)) continue;
      found.push({ version: chunk.version(at), item: chunk.listed(at) });
    }
    return found.sort((a, b) => a.version - b.version).map(({ item }) => item);
  }

  limitMemory(bytes: number): boolean {
    if (bytes > this.#records.chunks.greatest) return false;
    this.#records.limit = bytes;
    return true;
  }

  async removeExpired(): Promise<number> {
    this.#flushIfDue();
    const { all } = this.#records.chunks;
    let found = 0;
    for (let number = 1; number < all.length; number++) {
      if (number > TOGETHER) await othersTurn();
      found += this.#records.sweep(number);
    }
    return found;
  }

  info(): StoreInfo {
    this.#flushIfDue();
    const { count, bytes, limit, reclaimed, chunks, index } = this.#records;
    return {
      items: count,
      bytes,
      limit,
      evictions: this.#reclaim.evictions,
      reclaimed,
      flushedReads: this.#flushedReads,
      index: { places: index.pages * index.homes, bytes: index.pages * chunks.chunkBytes },
      own: [
        ["memory_bytes", chunks.memory],
        ["index_bytes", index.pages * chunks.chunkBytes],
        ["index_probes", index.probes],
        ["chunk_size", chunks.chunkBytes],
        ["chunks", chunks.count],
        ["large_items", chunks.large],
        ["garbage_bytes", chunks.garbage],
        ["moved_items", this.#reclaim.moved],
      ],
    };
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    this.#records.clear();
    return Promise.resolve();
  }

  /** A swap for which many items must go: others have their turn meanwhile. */
  async #swapLater(
    key: Uint8Array,
    expected: Expected,
    next: NewItem,
    batch: Batch,
  ): Promise<Swapped> {
    await othersTurn();
    return await this.swap(key, expected, next, batch);
  }

  /** Makes a flush effective whose moment has come. */
  #flushIfDue(): void {
    if (this.#flushAt === 0 || this.#flushAt > this.#options.clock.now()) return;
    this.#flushAt = 0;
    this.#records.flush();
  }

  #tick(): void {
    this.#flushIfDue();
    this.#reclaim.shrink();
    if (!this.#sweeping && this.#records.mayBeDead) void this.#sweepOn();
  }

  /** Frees expired and flushed items, some chunks at each call, round and round. */
  async #sweepOn(): Promise<void> {
    const { all } = this.#records.chunks;
    this.#sweeping = true;
    for (let steps = Math.ceil(all.length / TICKS_A_ROUND); steps > 0; steps--) {
      if (this.#swept >= all.length) this.#swept = 1;
      if (this.#swept === 1) this.#records.beginRound();
      this.#records.sweep(this.#swept++);
      await othersTurn();
    }
    this.#sweeping = false;
  }
}
