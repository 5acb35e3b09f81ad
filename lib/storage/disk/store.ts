/**
 * Items on this machine's disk: an index in memory over one append-only log. FORMAT.md says what
 * is in the files.
 *
 * @module
 */

import { messageOf, OutOfSpaceError, StoreError } from "../../errors.ts";
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
} from "../contract.ts";
import { RecordCache } from "./read/cache.ts";
import { Compactor } from "./upkeep/compaction.ts";
import { Catalog } from "./log/catalog.ts";
import { Commits, type Fsync } from "./log/commits.ts";
import { type Files, type Held, systemFiles } from "./fs/files.ts";
import { figuresOf } from "./figures.ts";
import { Flushes } from "./log/flushes.ts";
import { Found } from "./read/found.ts";
import { KeyHash } from "../hash.ts";
import { cannotOpen } from "./fs/lock.ts";
import { LARGEST_SEGMENT, Log } from "./log/log.ts";
import { Placements } from "./index/placements.ts";
import { Kind, type RecordReader, recordSize, State } from "./format/record.ts";
import { RecordReads } from "./read/reads.ts";
import { FOLLOWED_CAS, recover, type Recovered } from "./upkeep/recovery.ts";
import { listedOf, scanLog } from "./read/scan.ts";
import type { Segment } from "./log/segment.ts";

/** How the disk store is opened. */
export interface DiskOptions extends StoreOptions {
  /** Where the data is; made if it is not there. */
  readonly directory: string;
  /** `always`: before a write is answered; `everysec`: within a second; `no`: when a segment ends. */
  readonly fsync: Fsync;
  /** Bytes of memory for values that were stored or read lately, everything counted. */
  readonly memoryLimit: number;
  /** Bytes that the directory may take; 0 for no limit. */
  readonly maxDisk?: number;
  /** At `maxDisk`: give up the oldest items, instead of refusing new ones. */
  readonly evict?: boolean;
  /** Bytes of a segment, 64 MiB unless given. */
  readonly segmentBytes?: number;
  /** The file system, the machine's own unless given. */
  readonly files?: Files;
}

/** Pending bytes beyond this are written before the batch ends. */
const WRITE_AT = 1 << 20;
/** Half a second: twice a second what was written is synced, so that less than a second is at risk. */
const TICK = 500;
const TWO_32 = 2 ** 32;
const NOTHING = new Uint8Array(0);

/**
 * Opens the directory, and waits until everything in it can be read.
 *
 * @throws {ExitError} with code 73 if the directory cannot be made, written or locked, and 65 if what
 *   is in it cannot be trusted
 */
export async function openDiskStore(options: DiskOptions): Promise<Store> {
  const { directory, clock, log } = options;
  const files = options.files ?? systemFiles;
  try {
    files.makeDirectory(directory);
  } catch (error) {
    throw cannotOpen(directory, messageOf(error));
  }
  const lock = files.lock(directory);
  try {
    const now = () => clock.now();
    return new DiskStore(options, files, lock, await recover({ files, directory, now, log }));
  } catch (error) {
    lock.close();
    throw error;
  }
}

class DiskStore implements Store {
  private readonly hash: KeyHash;
  private readonly placements: Placements;
  private readonly cache: RecordCache;
  private readonly log: Log;
  private readonly commits: Commits;
  private readonly compactor: Compactor;
  private readonly catalog: Catalog;
  private readonly flushes: Flushes;
  private readonly records = new RecordReads();
  private readonly found: Found;
  private readonly timer: ReturnType<typeof setInterval>;

  /** Why writes are refused, or every call once closed. */
  private refusal: StoreError | undefined;
  private closed = false;
  /** The refusal that ends when the manifest can be written. */
  private full: StoreError | undefined;

  private hits = 0;
  private reads = 0;
  private flushedReads = 0;
  /** Flushed items in whose place others were put. */
  private replacedFlushed = 0;

  constructor(
    private readonly options: DiskOptions,
    files: Files,
    private readonly lock: Held,
    start: Recovered,
  ) {
    const { directory, clock, maxDisk = 0, onEvicted } = options;
    this.hash = new KeyHash(start.hashKey);
    this.placements = start.placements;
    this.cache = new RecordCache(options.memoryLimit);
    const asked = options.segmentBytes ?? 1 << 26;
    const segmentBytes = Math.min(
      LARGEST_SEGMENT,
      maxDisk === 0 ? asked : Math.min(asked, Math.max(Math.floor(maxDisk / 16), 1 << 12)),
    );
    this.log = new Log({
      files,
      directory,
      hashKey: start.hashKey,
      segmentBytes,
      now: () => clock.now(),
      placements: start.placements,
      segments: start.segments,
      sequence: start.sequence,
      next: start.next,
      end: start.end,
    });
    this.found = new Found(this.cache, this.placements, this.log);
    this.log.onWritten = () => this.commits.wrote();
    this.log.onLost = (error) => {
      this.placements.undo((a, b) => {
        this.cache.forget(a, b);
        this.commits.undone(a, b);
      });
      this.commits.lost(error);
    };
    this.catalog = new Catalog(files, directory, this.log, this.placements, options.log);
    this.log.onSealed = () => {
      // A segment that is sealed is synced at once, whatever is asked for the others.
      if (this.log.hints.size > 0) this.commits.syncer.request(this.log.written);
      this.compactor.measure();
    };
    this.commits = new Commits({
      files,
      directory,
      log: this.log,
      fsync: options.fsync,
      heldUp: (bytes) => this.compactor.outrun ? this.compactor.caughtUp(bytes) : undefined,
      sealed: (segments) => void this.catalog.list(segments).then(() => this.compactor.wake()),
      fails: (error) => {
        this.refusal = error;
        this.options.log(error.message);
        this.compactor.wake();
      },
    });
    this.compactor = new Compactor({
      files,
      directory,
      log: this.log,
      placements: this.placements,
      syncer: this.commits.syncer,
      hash: new KeyHash(start.hashKey),
      segmentBytes,
      maxDisk,
      evict: options.evict ?? false,
      now: () => clock.now(),
      say: options.log,
      evicted: onEvicted &&
        ((record, a, b) => onEvicted(listedOf(record, this.cache.accessOf(a, b, record.sequence)))),
      forget: (a, b) => this.cache.forget(a, b),
      unlist: (segments) => this.catalog.unlist(segments),
      listed: () => this.listAll(),
      flushAt: () => this.flushes.at,
      refused: () => this.refusal,
    });
    this.compactor.flushSegment = start.flushSegment;
    this.flushes = new Flushes({
      log: this.log,
      placements: this.placements,
      now: () => clock.now(),
      refused: () => this.refusal,
      changed: (batch) => this.commits.allChanged(batch),
      flushed: (segment) => {
        this.compactor.flushSegment = segment.id;
        this.compactor.wake();
      },
    }, start.flushAt);
    if (!start.reserved) {
      this.full = new OutOfSpaceError(`Nothing can be written to '${directory}': no space left`);
      this.refusal = this.full;
      options.log(`${this.full.message}; reads go on, and writes when there is room`);
    }
    this.timer = setInterval(() => this.tick(), TICK);
    this.timer.unref();
  }

  read(key: Uint8Array, batch: Batch, peek = false): Awaitable<Item | undefined> {
    if (this.closed) throw this.refusal!;
    if (this.flushes.at !== 0) this.flushes.settle();
    const { hash, cache } = this;
    hash.of(key);
    const { a, b, c } = hash;
    this.reads++;
    if (cache.find(a, b, key, peek)) {
      const { words, at } = cache;
      const w = at >>> 2;
      const sequence = words[w + 4] + words[w + 5] * TWO_32;
      if (sequence > this.flushes.through) {
        this.hits++;
        this.commits.saw(batch, a, b, sequence);
        const kinds = words[w + 1];
        const from = at + 48 + (kinds & 0xff);
        const state = kinds >>> 16;
        const item = {
          value: cache.bytes.subarray(from, from + words[w + 2]),
          flags: words[w + 3],
          exptime: words[w + 8] + words[w + 9] * TWO_32,
          cas: cache.longs[(at >>> 3) + 3],
          stale: (state & State.stale) !== 0,
          won: (state & State.won) !== 0,
          fetched: (state & State.fetched) !== 0,
          accessed: words[w + 10],
          binaryKey: (state & State.binaryKey) !== 0,
          version: sequence,
        };
        if (!peek) cache.access(batch.seconds);
        return item;
      }
    }
    if (!this.placements.index.find(a, b, c)) {
      this.commits.sawAbsence(batch, a, b);
      if (this.placements.flushed?.remove(a, b, c)) this.flushedReads++;
      return undefined;
    }
    return this.fetch(key, a, b, c, batch, peek);
  }

  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    if (this.refusal !== undefined) throw this.refusal;
    if (this.flushes.at !== 0) this.flushes.settle();
    const { hash } = this;
    hash.of(key);
    const { a, b, c } = hash;
    if (expected !== "any" || next === null) {
      if (this.placements.index.find(a, b, c)) {
        const later = this.found.look(key, a, b);
        if (later !== undefined) {
          return this.swapLater(later, key.slice(), expected, copyOf(next), batch);
        }
        const refused = this.found.refusal(expected, next, this.options.clock.now());
        if (refused !== undefined) {
          this.commits.saw(batch, a, b, this.found.sequence);
          return refused;
        }
      } else if (next === null || typeof expected === "object") {
        this.commits.sawAbsence(batch, a, b);
        return "absent";
      }
    }
    const size = recordSize(key.length, next === null ? 0 : next.value.length);
    if (!this.compactor.hasRoom(size, next === null)) {
      return this.swapWithRoom(key.slice(), expected, copyOf(next), batch);
    }
    return next === null ? this.bury(key, a, b, c, batch) : this.put(key, next, a, b, c, batch);
  }

  commit(batch: Batch): Awaitable<void> {
    return this.commits.commit(batch);
  }

  flush(at: number, batch: Batch): Awaitable<void> {
    if (this.refusal !== undefined) throw this.refusal;
    if (this.flushes.at !== 0) this.flushes.settle();
    this.flushes.flush(at, batch);
  }

  scan(): AsyncIterable<readonly Listed[]> {
    if (this.closed) throw this.refusal!;
    if (this.flushes.at !== 0) this.flushes.settle();
    this.log.writeOut();
    const { log, placements, cache, hash, commits, options } = this;
    const until = (position: number) =>
      options.fsync === "always" ? commits.syncer.until(position) : undefined;
    return scanLog({ log, placements, cache, hash, now: () => options.clock.now(), until });
  }

  limitMemory(bytes: number): boolean {
    try {
      this.cache.resize(bytes);
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  info(): StoreInfo {
    const { options, placements, compactor, records, found } = this;
    const due = this.flushes.isDue;
    return {
      items: due ? 0 : placements.index.size,
      bytes: due ? 0 : placements.live,
      limit: options.maxDisk ?? 0,
      evictions: compactor.evictions,
      reclaimed: compactor.reclaimed + this.replacedFlushed,
      flushedReads: this.flushedReads,
      own: [
        ["directory", options.directory],
        ["fsync", options.fsync],
        ["state", this.refusal === undefined ? "ok" : this.refusal.message],
        ...figuresOf({
          log: this.log,
          placements,
          cache: this.cache,
          commits: this.commits,
          compactor,
          readers: [records, found.records],
          reads: this.reads,
          hits: this.hits,
        }),
      ],
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    const failed = this.refusal;
    this.refusal ??= new StoreError(`The store in '${this.options.directory}' is closed`);
    clearInterval(this.timer);
    await this.compactor.stop();
    const { log } = this;
    let problem: unknown = failed;
    try {
      log.seal();
      if (failed === undefined) {
        await this.commits.syncer.all();
        await this.catalog.close();
      }
    } catch (error) {
      problem ??= error;
    } finally {
      this.closed = true;
      this.refusal = new StoreError(`The store in '${this.options.directory}' is closed`);
      for (const segment of log.segments) segment.remove();
      this.lock.close();
    }
    if (problem !== undefined) throw problem;
  }

  // -- reading

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
    if (!this.isAt(segment, offset, a, b, c)) {
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

  /** Whether that is where the key's record is. */
  private isAt(segment: Segment, offset: number, a: number, b: number, c: number): boolean {
    const { placements } = this;
    return placements.index.find(a, b, c) && placements.segment === segment &&
      placements.offset === offset;
  }

  // -- swapping

  private async swapLater(
    later: Promise<RecordReader>,
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Promise<Swapped> {
    const { hash, placements } = this;
    hash.of(key);
    const { a, b, c } = hash;
    const { segment, offset } = placements;
    const reader = await later;
    if (this.refusal !== undefined) throw this.refusal;
    if (!this.isAt(segment, offset, a, b, c)) return await this.swap(key, expected, next, batch);
    this.found.take(reader);
    const refused = this.found.refusal(expected, next, this.options.clock.now());
    if (refused !== undefined) {
      this.commits.saw(batch, a, b, reader.sequence);
      return refused;
    }
    const size = recordSize(key.length, next === null ? 0 : next.value.length);
    if (!this.compactor.hasRoom(size, next === null)) {
      return await this.swapWithRoom(key, expected, next, batch);
    }
    return next === null ? this.bury(key, a, b, c, batch) : this.put(key, next, a, b, c, batch);
  }

  /** A swap for which room must be made first. */
  private async swapWithRoom(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Promise<Swapped> {
    const size = recordSize(key.length, next === null ? 0 : next.value.length);
    const made = await this.compactor.makeRoom(size, next === null);
    if (!made) {
      throw new OutOfSpaceError(
        `No room for ${size} bytes in '${this.options.directory}': ${this.compactor.bound()}`,
      );
    }
    return await this.swap(key, expected, next, batch);
  }

  private put(
    key: Uint8Array,
    next: NewItem,
    a: number,
    b: number,
    c: number,
    batch: Batch,
  ): bigint {
    const { log } = this;
    if (this.placements.flushed?.remove(a, b, c)) this.replacedFlushed++;
    const sequence = ++log.sequence;
    const size = log.append(
      Kind.item,
      (next.stale ? State.stale : 0) | (next.won ? State.won : 0) |
        (next.fetched ? State.fetched : 0) | (next.binaryKey ? State.binaryKey : 0),
      key,
      next.value,
      next.flags,
      sequence,
      next.cas,
      next.exptime,
      next.accessed,
      0,
      a,
      b,
      c,
    );
    this.placements.set(a, b, c, log.active!, log.offset, size);
    this.cache.insert(a, b, log.pending.bytes, log.pendingAt, size);
    this.commits.changed(batch, a, b, false);
    if (log.pending.length > WRITE_AT) log.writeOut();
    if (next.cas === 0n) return BigInt(sequence);
    if (next.cas < FOLLOWED_CAS && next.cas > sequence) log.sequence = Number(next.cas);
    return next.cas;
  }

  private bury(key: Uint8Array, a: number, b: number, c: number, batch: Batch): bigint {
    const { log } = this;
    const sequence = ++log.sequence;
    log.append(Kind.tombstone, 0, key, NOTHING, 0, sequence, 0n, 0, 0, 0, a, b, c);
    this.placements.drop(a, b, c);
    this.cache.forget(a, b);
    this.commits.changed(batch, a, b, true);
    return 0n;
  }

  // -- in the background

  private tick(): void {
    if (this.full !== undefined) return this.reserve();
    if (this.refusal !== undefined) return;
    try {
      if (this.flushes.at !== 0) this.flushes.settle();
      this.commits.tick();
    } catch (error) {
      this.options.log(messageOf(error));
    }
    this.compactor.wake();
  }

  /** Tries again what a full file system did not let the start do. */
  private reserve(): void {
    const { full } = this;
    this.full = undefined;
    this.catalog.reserve().then(
      () => {
        if (this.refusal === full) this.refusal = undefined;
      },
      () => this.full = full,
    );
  }

  /** Resolves when all sealed segments are listed. */
  private async listAll(): Promise<void> {
    if (this.log.hints.size > 0) await this.commits.syncer.all();
    await this.catalog.settled;
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

function copyOf(next: NewItem | null): NewItem | null {
  return next === null ? null : { ...next, value: next.value.slice() };
}
