/**
 * Reads items: from memory, from what is not yet written, from the segments.
 *
 * @module
 */

import { assert } from "../../../errors.ts";
import type { Awaitable, Batch, Item } from "../../contract.ts";
import type { KeyHash } from "../../../key_hash.ts";
import { RECORD_HEADER, type RecordReader, State, Word } from "../format/record.ts";
import type { Placements } from "../index/placements.ts";
import type { Commits } from "../log/commits.ts";
import type { ItemCursor } from "../../item_cursor.ts";
import type { Flushes } from "../log/flushes.ts";
import type { Segment } from "../log/segment.ts";
import type { RecordCache } from "./cache.ts";
import type { CurrentRecords } from "./current.ts";

const TWO_32 = 2 ** 32;

/** The parts that a read passes through. */
export interface ItemReadsOptions {
  readonly hash: KeyHash;
  readonly placements: Placements;
  readonly cache: RecordCache;
  readonly commits: Commits;
  readonly flushes: Flushes;
  readonly records: CurrentRecords;
}

/** The store's `read`. */
export class ItemReads {
  /** Reads so far, how many of them the cache has answered, and how many found a flushed item. */
  count = 0;
  hits = 0;
  flushed = 0;

  readonly #hash: KeyHash;
  readonly #placements: Placements;
  readonly #cache: RecordCache;
  readonly #commits: Commits;
  readonly #flushes: Flushes;
  readonly #records: CurrentRecords;

  constructor(options: ItemReadsOptions) {
    this.#hash = options.hash;
    this.#placements = options.placements;
    this.#cache = options.cache;
    this.#commits = options.commits;
    this.#flushes = options.flushes;
    this.#records = options.records;
  }

  /** The item, `undefined` where there is none; a peek is no access. */
  read(key: Uint8Array, batch: Batch, peek: boolean): Awaitable<Item | undefined> {
    if (this.#flushes.at !== 0) this.#flushes.settle();
    const hash = this.#hash;
    const cache = this.#cache;
    hash.of(key);
    const { a, b, c } = hash;
    this.count++;
    if (cache.find(a, b, key, peek)) {
      const { at, lender } = cache;
      const { words, bytes, longs } = cache.chunk;
      const w = at >>> 2;
      const sequence = words[w + Word.sequence] + words[w + Word.sequence + 1] * TWO_32;
      if (sequence > this.#flushes.through) {
        this.hits++;
        this.#commits.saw(batch, a, b, sequence);
        const kinds = words[w + Word.kinds];
        const from = lender === undefined ? at + RECORD_HEADER + (kinds & 0xff) : lender.roomBefore;
        const state = kinds >>> 16;
        const item = {
          value: (lender?.memory ?? bytes).subarray(from, from + words[w + Word.valueLength]),
          flags: words[w + Word.flags],
          exptime: words[w + Word.time] + words[w + Word.time + 1] * TWO_32,
          cas: longs[(at >>> 3) + Word.cas / 2],
          stale: (state & State.stale) !== 0,
          won: (state & State.won) !== 0,
          fetched: (state & State.fetched) !== 0,
          accessed: words[w + Word.accessed],
          binaryKey: (state & State.binaryKey) !== 0,
          version: sequence,
        };
        if (!peek) cache.access(batch.seconds);
        return item;
      }
    }
    if (!this.#placements.index.find(a, b, c)) {
      this.#commits.sawAbsence(batch, a, b);
      if (this.#placements.flushed?.remove(a, b, c)) this.flushed++;
      return undefined;
    }
    return this.#fetch(key, a, b, c, batch, peek);
  }

  /** {@linkcode read} of what the cache has, without an object for it: the store's `find`. */
  find(
    key: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    into: ItemCursor,
  ): boolean | undefined {
    if (this.#flushes.at !== 0) this.#flushes.settle();
    const hash = this.#hash;
    const cache = this.#cache;
    hash.of(key, start, end - start);
    const { a, b } = hash;
    if (!cache.find(a, b, key, peek, start, end - start)) return undefined;
    const { at, lender } = cache;
    const { words, bytes, view } = cache.chunk;
    const w = at >>> 2;
    const sequence = words[w + Word.sequence] + words[w + Word.sequence + 1] * TWO_32;
    if (sequence <= this.#flushes.through) return undefined;
    this.count++;
    this.hits++;
    this.#commits.saw(batch, a, b, sequence);
    const kinds = words[w + Word.kinds];
    const state = kinds >>> 16;
    const length = words[w + Word.valueLength];
    if (lender === undefined) {
      const from = at + RECORD_HEADER + (kinds & 0xff);
      into.place(bytes, view, from, from + length);
    } else {
      into.place(lender.memory, undefined, lender.roomBefore, lender.roomBefore + length);
    }
    into.lender = lender;
    into.flags = words[w + Word.flags];
    into.exptime = words[w + Word.time] + words[w + Word.time + 1] * TWO_32;
    into.casLow = words[w + Word.cas];
    into.casHigh = words[w + Word.cas + 1];
    into.stale = (state & State.stale) !== 0;
    into.won = (state & State.won) !== 0;
    into.fetched = (state & State.fetched) !== 0;
    into.accessed = words[w + Word.accessed];
    into.binaryKey = (state & State.binaryKey) !== 0;
    into.version = sequence;
    if (!peek) cache.access(batch.seconds);
    return true;
  }

  /** Reads what the index's last answer points at. */
  #fetch(
    key: Uint8Array,
    a: number,
    b: number,
    c: number,
    batch: Batch,
    peek: boolean,
  ): Awaitable<Item | undefined> {
    const placements = this.#placements;
    const { segment, offset } = placements;
    const amended = placements.amendmentOf(a, b, c);
    const record = this.#records.read(amended);
    if (record instanceof Promise) {
      return this.#fetchLater(record, key, segment, offset, amended, a, b, c, batch, peek);
    }
    this.#commits.saw(batch, a, b, record.sequence);
    return this.#taken(record, key, amended, a, b, batch, peek);
  }

  async #fetchLater(
    later: Promise<RecordReader>,
    key: Uint8Array,
    segment: Segment,
    offset: number,
    amended: number,
    a: number,
    b: number,
    c: number,
    batch: Batch,
    peek: boolean,
  ): Promise<Item | undefined> {
    const record = await later;
    const placements = this.#placements;
    const isSame = placements.isAt(segment, offset, a, b, c) &&
      placements.amendmentOf(a, b, c) === amended;
    if (!isSame) {
      // Changed, or moved by a compaction, while we waited. What is there without a wait is valid until the
      // next call, which may come before an `await` returns.
      const item = this.read(key, batch, peek);
      if (item === undefined || item instanceof Promise) return item;
      return { ...item, value: item.value.slice() };
    }
    this.#commits.saw(batch, a, b, record.sequence);
    return this.#taken(record, key, amended, a, b, batch, peek);
  }

  /** The item of a record that was read, which the cache takes in. */
  #taken(
    record: RecordReader,
    key: Uint8Array,
    amended: number,
    a: number,
    b: number,
    batch: Batch,
    peek: boolean,
  ): Item {
    assert(record.isOf(key), "an index entry points at a record of that key");
    const kept = this.#cache.insert(a, b, record.rest());
    if (kept && amended !== 0) this.#cache.amendLast(record);
    if (kept && !peek) this.#cache.access(batch.seconds);
    return itemOf(record);
  }
}

function itemOf(reader: RecordReader): Item {
  const { state } = reader;
  return {
    value: reader.value(),
    flags: reader.flags,
    exptime: reader.time,
    cas: reader.cas,
    stale: (state & State.stale) !== 0,
    won: (state & State.won) !== 0,
    fetched: (state & State.fetched) !== 0,
    accessed: reader.accessed,
    binaryKey: (state & State.binaryKey) !== 0,
    version: reader.sequence,
  };
}
