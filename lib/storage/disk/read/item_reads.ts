/**
 * Reads items: from memory, from what is not yet written, from the segments.
 *
 * @module
 */

import type { Awaitable, Batch, Item } from "../../contract.ts";
import type { KeyHash } from "../../../key_hash.ts";
import { RECORD_HEADER, type RecordReader, State, Word } from "../format/record.ts";
import type { Placements } from "../index/placements.ts";
import type { Commits } from "../log/commits.ts";
import type { Flushes } from "../log/flushes.ts";
import type { Log } from "../log/log.ts";
import type { Segment } from "../log/segment.ts";
import type { RecordCache } from "./cache.ts";
import type { RecordReads } from "./reads.ts";

const TWO_32 = 2 ** 32;

/** The parts that a read passes through. */
export interface ItemReadsOptions {
  readonly hash: KeyHash;
  readonly placements: Placements;
  readonly cache: RecordCache;
  readonly log: Log;
  readonly commits: Commits;
  readonly flushes: Flushes;
  readonly records: RecordReads;
}

/** The store's `read`. */
export class ItemReads {
  /** Reads so far, how many of them the cache has answered, and how many found a flushed item. */
  count = 0;
  hits = 0;
  flushed = 0;

  private readonly hash: KeyHash;
  private readonly placements: Placements;
  private readonly cache: RecordCache;
  private readonly log: Log;
  private readonly commits: Commits;
  private readonly flushes: Flushes;
  private readonly records: RecordReads;

  constructor(options: ItemReadsOptions) {
    this.hash = options.hash;
    this.placements = options.placements;
    this.cache = options.cache;
    this.log = options.log;
    this.commits = options.commits;
    this.flushes = options.flushes;
    this.records = options.records;
  }

  /** The item, `undefined` where there is none; a peek is no access. */
  read(key: Uint8Array, batch: Batch, peek: boolean): Awaitable<Item | undefined> {
    if (this.flushes.at !== 0) this.flushes.settle();
    const { hash, cache } = this;
    hash.of(key);
    const { a, b, c } = hash;
    this.count++;
    if (cache.find(a, b, key, peek)) {
      const { at } = cache;
      const { words, bytes, longs } = cache.chunk;
      const w = at >>> 2;
      const sequence = words[w + Word.sequence] + words[w + Word.sequence + 1] * TWO_32;
      if (sequence > this.flushes.through) {
        this.hits++;
        this.commits.saw(batch, a, b, sequence);
        const kinds = words[w + Word.kinds];
        const from = at + RECORD_HEADER + (kinds & 0xff);
        const state = kinds >>> 16;
        const item = {
          value: bytes.subarray(from, from + words[w + Word.valueLength]),
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
    if (!this.placements.index.find(a, b, c)) {
      this.commits.sawAbsence(batch, a, b);
      if (this.placements.flushed?.remove(a, b, c)) this.flushed++;
      return undefined;
    }
    return this.fetch(key, a, b, c, batch, peek);
  }

  /** Reads what the index's last answer points at. */
  private fetch(
    key: Uint8Array,
    a: number,
    b: number,
    c: number,
    batch: Batch,
    peek: boolean,
  ): Awaitable<Item | undefined> {
    const { placements, log } = this;
    const { segment, offset, size } = placements;
    if (offset >= segment.length) {
      const from = offset - segment.length;
      const bytes = log.pending.bytes.slice(from, from + size);
      const record = this.records.parse(bytes, segment, offset);
      this.commits.saw(batch, a, b, record.sequence);
      return record.isOf(key) ? itemOf(record) : undefined;
    }
    const record = this.records.read(segment, offset, size);
    if (record instanceof Promise) {
      return this.fetchLater(record, key, segment, offset, a, b, c, batch, peek);
    }
    this.commits.saw(batch, a, b, record.sequence);
    return this.taken(record, key, a, b, batch, peek);
  }

  private async fetchLater(
    later: Promise<RecordReader>,
    key: Uint8Array,
    segment: Segment,
    offset: number,
    a: number,
    b: number,
    c: number,
    batch: Batch,
    peek: boolean,
  ): Promise<Item | undefined> {
    const record = await later;
    if (!this.placements.isAt(segment, offset, a, b, c)) {
      // Changed, or moved by a compaction, while we waited.
      const item = await this.read(key, batch, peek);
      return item === undefined ? undefined : { ...item, value: item.value.slice() };
    }
    this.commits.saw(batch, a, b, record.sequence);
    return this.taken(record, key, a, b, batch, peek);
  }

  /** The item of a record that was read, which the cache takes in. */
  private taken(
    record: RecordReader,
    key: Uint8Array,
    a: number,
    b: number,
    batch: Batch,
    peek: boolean,
  ): Item | undefined {
    if (!record.isOf(key)) return undefined;
    const kept = this.cache.insert(a, b, record.bytes, record.at, record.size);
    if (kept && !peek) this.cache.access(batch.seconds);
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
