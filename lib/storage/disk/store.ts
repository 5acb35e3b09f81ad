/**
 * Items on this machine's disk: an index in memory over one append-only log. FORMAT.md says what
 * is in the files.
 *
 * Between what a call gives at once and its `commit`, the caller waits for nothing: so the store
 * knows whose bytes are pending. Before it hands out a promise it writes what is pending.
 *
 * @module
 */

import { messageOf, OutOfSpaceError, StoreError } from "../../errors.ts";
import {
  type Awaitable,
  type Expected,
  type Item,
  type Listed,
  type NewItem,
  type Store,
  type StoreInfo,
  type StoreOptions,
  type Swapped,
} from "../store.ts";
import { RecordCache } from "./cache.ts";
import { Compactor } from "./compaction.ts";
import { Catalog } from "./catalog.ts";
import { type Files, type Held, systemFiles } from "./files.ts";
import { KeyHash } from "./hash.ts";
import { cannotOpen } from "./lock.ts";
import { LARGEST_SEGMENT, Log } from "./log.ts";
import { Placements } from "./placements.ts";
import { Kind, type RecordReader, recordSize, State } from "./record.ts";
import { RecordReads } from "./reads.ts";
import { FOLLOWED_CAS, recover, type Recovered } from "./recovery.ts";
import { scanLog } from "./scan.ts";
import type { Segment } from "./segment.ts";
import { Syncer } from "./sync.ts";
import { Unsynced } from "./unsynced.ts";

/** When what was written is brought to the medium. */
export type Fsync = "always" | "everysec" | "no";

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
  private readonly syncer: Syncer;
  private readonly compactor: Compactor;
  private readonly always: boolean;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly catalog: Catalog;
  private readonly unsynced = new Unsynced();
  /** Swaps read with memory of their own: the value to be stored may be what a read has given. */
  private readonly records = new RecordReads();
  private readonly swapRecords = new RecordReads();

  /** The moment of a pending flush in milliseconds since 1970; 0 for none. */
  private flushAt: number;
  /** Records in the cache up to this sequence number are flushed. */
  private flushed = 0;
  /** Why writes are refused, or every call once closed. */
  private refusal: StoreError | undefined;
  private closed = false;
  /** The refusal that ends when the manifest can be written. */
  private full: StoreError | undefined;
  lastLoss: StoreError | undefined;
  /** The loss before the last one. */
  private lossBefore: StoreError | undefined;
  /** The write that serves all batches which came with the same turn of the loop. */
  private writing: Promise<void> | undefined;

  /** Of `everysec`: a sync has been under way for so long that writers must wait. */
  private behind = false;
  /** What the sync under way covers. */
  private syncTarget = 0;

  private hits = 0;
  private reads = 0;
  private flushedReads = 0;

  // What `inspect` found.
  private foundSequence = 0;
  private foundCas = 0n;
  private foundTime = 0;

  constructor(
    private readonly options: DiskOptions,
    private readonly files: Files,
    private readonly lock: Held,
    found: Recovered,
  ) {
    const { directory, clock, maxDisk = 0 } = options;
    this.hash = new KeyHash(found.hashKey);
    this.placements = found.placements;
    this.cache = new RecordCache(options.memoryLimit);
    this.always = options.fsync === "always";
    this.flushAt = found.flushAt;
    const asked = options.segmentBytes ?? 1 << 26;
    const segmentBytes = Math.min(
      LARGEST_SEGMENT,
      maxDisk === 0 ? asked : Math.min(asked, Math.max(Math.floor(maxDisk / 16), 1 << 12)),
    );
    this.log = new Log({
      files,
      directory,
      hashKey: found.hashKey,
      segmentBytes,
      now: () => clock.now(),
      placements: found.placements,
      segments: found.segments,
      sequence: found.sequence,
      next: found.next,
      end: found.end,
    });
    this.log.onLost = (error) => {
      this.lossBefore = this.lastLoss;
      this.lastLoss = error;
      this.placements.undo((a, b) => this.cache.forget(a, b));
      // Until it is cut off on the medium too, what was refused may come back.
      this.syncer.synced = Math.min(this.syncer.synced, this.log.written - 1);
      this.allChanged();
    };
    this.catalog = new Catalog(files, directory, this.log, this.placements, options.log);
    this.log.onSealed = () => {
      // A segment that is sealed is synced at once, whatever is asked for the others.
      if (this.log.hints.size > 0) this.syncer.request(this.log.written);
      this.compactor.measure();
    };
    this.syncer = new Syncer(files, directory, this.log, {
      begins: (target) => {
        this.syncTarget = target;
        this.unsynced.begins(target);
      },
      ends: (target) => {
        this.unsynced.ends();
        this.behind = false;
        if (Math.min(target, this.log.dataEnd) - this.log.marked >= 4096) {
          this.log.markerDue = target;
        }
      },
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
      syncer: this.syncer,
      hash: new KeyHash(found.hashKey),
      segmentBytes,
      maxDisk,
      evict: options.evict ?? false,
      now: () => clock.now(),
      say: options.log,
      forget: (a, b) => this.cache.forget(a, b),
      unlist: (segments) => this.catalog.unlist(segments),
      listed: () => this.listAll(),
      flushAt: () => this.flushAt,
      refused: () => this.refusal,
      pardon: () => this.lastLoss = this.lossBefore,
    });
    this.compactor.flushSegment = found.flushSegment;
    if (!found.reserved) {
      this.full = new OutOfSpaceError(`Nothing can be written to '${directory}': no space left`);
      this.refusal = this.full;
      options.log(`${this.full.message}; reads go on, and writes when there is room`);
    }
    this.timer = setInterval(() => this.tick(), TICK);
    this.timer.unref();
  }

  read(key: Uint8Array): Awaitable<Item | undefined> {
    if (this.closed) throw this.refusal!;
    if (this.flushAt !== 0) this.flushIfDue();
    const { hash, cache } = this;
    hash.of(key);
    const { a, b, c } = hash;
    if (this.always) this.saw(a, b);
    this.reads++;
    if (cache.find(a, b, key)) {
      const { words, at } = cache;
      const w = at >>> 2;
      const sequence = words[w + 4] + words[w + 5] * TWO_32;
      if (sequence > this.flushed) {
        this.hits++;
        const kinds = words[w + 1];
        const from = at + 48 + (kinds & 0xff);
        const state = kinds >>> 16;
        return {
          value: cache.bytes.subarray(from, from + words[w + 2]),
          flags: words[w + 3],
          exptime: words[w + 8] + words[w + 9] * TWO_32,
          cas: cache.longs[(at >>> 3) + 3],
          stale: (state & State.stale) !== 0,
          won: (state & State.won) !== 0,
          fetched: (state & State.fetched) !== 0,
          accessed: words[w + 10],
          version: sequence,
        };
      }
    }
    if (!this.placements.index.find(a, b, c)) {
      if (this.placements.flushed?.remove(a, b, c)) this.flushedReads++;
      return undefined;
    }
    return this.fetch(key, a, b, c);
  }

  swap(key: Uint8Array, expected: Expected, next: NewItem | null): Awaitable<Swapped> {
    if (this.refusal !== undefined) throw this.refusal;
    if (this.flushAt !== 0) this.flushIfDue();
    const { hash } = this;
    hash.of(key);
    const { a, b, c } = hash;
    if (expected !== "any" || next === null) {
      if (this.placements.index.find(a, b, c)) {
        const later = this.inspect(key, a, b);
        if (later !== undefined) return this.swapLater(later, key.slice(), expected, copyOf(next));
        const refused = this.compare(expected, next);
        if (refused !== undefined) {
          if (this.always) this.saw(a, b);
          return refused;
        }
      } else if (next === null || typeof expected === "object") {
        if (this.always) this.saw(a, b);
        return "absent";
      }
    }
    const size = recordSize(key.length, next === null ? 0 : next.value.length);
    if (!this.compactor.hasRoom(size, next === null)) {
      return this.swapWithRoom(key.slice(), expected, copyOf(next));
    }
    return next === null ? this.bury(key, a, b, c) : this.put(key, next, a, b, c);
  }

  commit(): Awaitable<void> {
    const { log } = this;
    if (!this.always) {
      if (log.pending.length !== 0) return this.writing ??= this.writeTogether();
      return this.behind ? this.syncer.until(this.syncTarget) : undefined;
    }
    const bytes = log.pending.length;
    log.writeOut();
    const position = this.unsynced.due();
    if (position > this.syncer.synced) return this.syncer.until(position);
    if (bytes !== 0 && this.compactor.outrun) return this.compactor.caughtUp(bytes);
  }

  /** Writes what all batches of this turn of the loop have appended, with one call. */
  private async writeTogether(): Promise<void> {
    const { lastLoss, log } = this;
    await undefined;
    this.writing = undefined;
    if (this.lastLoss !== lastLoss) throw this.lastLoss;
    const bytes = log.pending.length;
    log.writeOut();
    if (this.behind) await this.syncer.until(this.syncTarget);
    if (bytes !== 0 && this.compactor.outrun) await this.compactor.caughtUp(bytes);
  }

  flush(at: number): Awaitable<void> {
    if (this.refusal !== undefined) throw this.refusal;
    if (this.flushAt !== 0) this.flushIfDue();
    if (at <= this.options.clock.now()) {
      this.flushNow();
      return;
    }
    const { log } = this;
    log.writeOut();
    log.append(Kind.flushToCome, 0, NOTHING, NOTHING, 0, ++log.sequence, 0n, at, 0, 0, 0, 0, 0);
    log.writeOut();
    this.flushAt = at;
    this.allChanged();
  }

  scan(): AsyncIterable<readonly Listed[]> {
    if (this.closed) throw this.refusal!;
    if (this.flushAt !== 0) this.flushIfDue();
    this.log.writeOut();
    return scanLog(this.log, this.placements, this.hash, () => this.options.clock.now());
  }

  info(): StoreInfo {
    const { placements, log, cache, syncer, compactor } = this;
    const due = this.flushAt !== 0 && this.flushAt <= this.options.clock.now();
    return {
      items: due ? 0 : placements.index.size,
      bytes: due ? 0 : placements.live,
      limit: this.options.maxDisk ?? 0,
      evictions: compactor.evictions,
      reclaimed: compactor.reclaimed,
      flushedReads: this.flushedReads,
      own: [
        ["directory", this.options.directory],
        ["fsync", this.options.fsync],
        ["state", this.refusal === undefined ? "ok" : this.refusal.message],
        ["segments", log.segments.length],
        ["log_bytes", log.total],
        ["live_bytes", placements.live],
        ["dead_bytes", Math.max(0, log.total - placements.live)],
        ["index_bytes", placements.index.memory()],
        ["index_load", placements.index.load().toFixed(3)],
        ["cache_bytes", cache.memory],
        ["cache_hits", this.hits],
        ["reads", this.reads],
        ["slow_reads", this.records.slow + this.swapRecords.slow],
        ["damaged_reads", this.records.damaged + this.swapRecords.damaged],
        ["syncs", syncer.count],
        ["last_sync", Math.floor(syncer.lastEnd / 1000)],
        ["last_sync_ms", syncer.lastMilliseconds.toFixed(3)],
        ["unsynced_bytes", log.written - syncer.synced],
        ["behind", this.behind ? 1 : 0],
        ["compactions", compactor.count],
        ["compaction_moved_bytes", compactor.moved],
        ["compaction_freed_bytes", compactor.freed],
        ["compacting", compactor.busy ? 1 : 0],
        ["sequence", log.sequence],
      ],
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    const failed = this.refusal;
    this.refusal ??= new StoreError(`The store in '${this.options.directory}' is closed`);
    clearInterval(this.timer);
    await this.compactor.stop();
    const { log, syncer } = this;
    let problem: unknown = failed;
    try {
      log.seal();
      if (failed === undefined) {
        await syncer.all();
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
  private fetch(key: Uint8Array, a: number, b: number, c: number): Awaitable<Item | undefined> {
    const { placements, log } = this;
    const { segment, offset, size } = placements;
    if (offset >= segment.length) {
      const from = offset - segment.length;
      const bytes = log.pending.bytes.slice(from, from + size);
      const record = this.records.parse(bytes, segment, offset);
      return record.isOf(key) ? itemOf(record) : undefined;
    }
    const record = this.records.read(segment, offset, size);
    if (record instanceof Promise) {
      return this.waiting(this.fetchLater(record, key, segment, offset, a, b, c));
    }
    if (!record.isOf(key)) return undefined;
    this.cache.insert(a, b, record.bytes, 0, size);
    return itemOf(record);
  }

  private async fetchLater(
    later: Promise<RecordReader>,
    key: Uint8Array,
    segment: Segment,
    offset: number,
    a: number,
    b: number,
    c: number,
  ): Promise<Item | undefined> {
    const record = await later;
    if (!this.isAt(segment, offset, a, b, c)) {
      // Changed, or moved by a compaction, while we waited.
      const item = await this.read(key);
      return item === undefined ? undefined : { ...item, value: item.value.slice() };
    }
    if (!record.isOf(key)) return undefined;
    this.cache.insert(a, b, record.bytes, 0, record.size);
    return itemOf(record);
  }

  /** Whether that is where the key's record is. */
  private isAt(segment: Segment, offset: number, a: number, b: number, c: number): boolean {
    const { placements } = this;
    return placements.index.find(a, b, c) && placements.segment === segment &&
      placements.offset === offset;
  }

  // -- swapping

  /** Finds out what is where the index's last answer points; a promise if that takes reading. */
  private inspect(key: Uint8Array, a: number, b: number): Promise<RecordReader> | undefined {
    const { cache, placements, log } = this;
    if (cache.find(a, b, key)) {
      const w = cache.at >>> 2;
      this.foundSequence = cache.words[w + 4] + cache.words[w + 5] * TWO_32;
      this.foundTime = cache.words[w + 8] + cache.words[w + 9] * TWO_32;
      this.foundCas = cache.longs[(cache.at >>> 3) + 3];
      return undefined;
    }
    const { segment, offset, size } = placements;
    const from = offset - segment.length;
    const record = from >= 0
      ? this.swapRecords.parse(log.pending.bytes.subarray(from, from + size), segment, offset)
      : this.swapRecords.read(segment, offset, size);
    if (record instanceof Promise) return record;
    this.found(record);
    return undefined;
  }

  private found(reader: RecordReader): void {
    this.foundSequence = reader.sequence;
    this.foundTime = reader.time;
    this.foundCas = reader.cas;
  }

  /** What a swap gives if what was found is not what it expects, or there is nothing to delete. */
  private compare(expected: Expected, next: NewItem | null): Swapped | undefined {
    if (this.foundTime !== 0 && this.foundTime <= this.options.clock.now()) {
      return next === null || typeof expected === "object" ? "absent" : undefined;
    }
    if (expected === "any") return undefined;
    if (expected === "absent") return "exists";
    if (expected.version !== undefined && expected.version !== this.foundSequence) return "exists";
    return expected.cas === this.foundCas ? undefined : "exists";
  }

  private async swapLater(
    later: Promise<RecordReader>,
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
  ): Promise<Swapped> {
    const { hash, placements } = this;
    hash.of(key);
    const { a, b, c } = hash;
    const { segment, offset } = placements;
    const reader = await this.waiting(later);
    if (this.refusal !== undefined) throw this.refusal;
    if (!this.isAt(segment, offset, a, b, c)) return await this.swap(key, expected, next);
    this.found(reader);
    const refused = this.compare(expected, next);
    if (refused !== undefined) {
      if (this.always) this.saw(a, b);
      return refused;
    }
    const size = recordSize(key.length, next === null ? 0 : next.value.length);
    if (!this.compactor.hasRoom(size, next === null)) {
      return await this.swapWithRoom(key, expected, next);
    }
    return next === null ? this.bury(key, a, b, c) : this.put(key, next, a, b, c);
  }

  /** A swap for which room must be made first. */
  private async swapWithRoom(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
  ): Promise<Swapped> {
    const size = recordSize(key.length, next === null ? 0 : next.value.length);
    const made = await this.waiting(this.compactor.makeRoom(size, next === null));
    if (!made) {
      throw new OutOfSpaceError(
        `No room for ${size} bytes in '${this.options.directory}': ${this.compactor.bound()}`,
      );
    }
    return await this.swap(key, expected, next);
  }

  private put(key: Uint8Array, next: NewItem, a: number, b: number, c: number): bigint {
    const { log } = this;
    const sequence = ++log.sequence;
    const size = log.append(
      Kind.item,
      (next.stale ? State.stale : 0) | (next.won ? State.won : 0) |
        (next.fetched ? State.fetched : 0),
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
    if (this.always) this.unsynced.changed(a, b, log.position);
    if (log.pending.length > WRITE_AT) log.writeOut();
    if (next.cas === 0n) return BigInt(sequence);
    if (next.cas < FOLLOWED_CAS && next.cas > sequence) log.sequence = Number(next.cas);
    return next.cas;
  }

  private bury(key: Uint8Array, a: number, b: number, c: number): bigint {
    const { log } = this;
    const sequence = ++log.sequence;
    log.append(Kind.tombstone, 0, key, NOTHING, 0, sequence, 0n, 0, 0, 0, a, b, c);
    this.placements.drop(a, b, c);
    this.cache.forget(a, b);
    if (this.always) this.unsynced.changed(a, b, log.position);
    return 0n;
  }

  // -- flushing

  private flushIfDue(): void {
    if (this.flushAt > this.options.clock.now()) return;
    if (this.refusal === undefined) {
      this.flushNow();
    } else {
      // The record that stays in the log makes it true at the next start too.
      this.placements.clear();
      this.flushAt = 0;
      this.flushed = this.log.sequence;
    }
  }

  private flushNow(): void {
    const { log, placements } = this;
    log.writeOut();
    log.append(Kind.flush, 0, NOTHING, NOTHING, 0, ++log.sequence, 0n, 0, 0, 0, 0, 0, 0);
    const { active } = log;
    log.writeOut();
    placements.clear();
    this.flushAt = 0;
    this.flushed = log.sequence;
    this.compactor.flushSegment = active!.id;
    this.compactor.wake();
    this.allChanged();
  }

  // -- what must be on the medium before a reply

  /** Notes that a reply shows this key's state. */
  private saw(a: number, b: number): void {
    // After a failed sync nobody can say before the next start whether this state is on the medium.
    if (!this.unsynced.saw(a, b, this.log.position)) return;
    if (this.syncer.failure !== undefined) throw this.syncer.failure;
  }

  private allChanged(): void {
    if (this.always) this.unsynced.allChanged(this.log.written);
  }

  /**
   * The same promise, for a caller that waits in the middle of a batch: what is pending is written
   * before, and its next commit waits for what the batch has shown or changed so far.
   */
  private async waiting<T>(promise: Promise<T>): Promise<T> {
    const owed = this.unsynced.take();
    try {
      try {
        this.log.writeOut();
      } catch (error) {
        promise.catch(() => {});
        throw error;
      }
      if (owed > this.syncer.synced) this.syncer.request(owed);
      return await promise;
    } finally {
      this.unsynced.give(owed);
    }
  }

  // -- in the background

  private tick(): void {
    const { log, syncer } = this;
    if (this.full !== undefined) return this.reserve();
    if (this.refusal !== undefined) return;
    try {
      if (this.flushAt !== 0) this.flushIfDue();
      if (this.options.fsync !== "no") {
        if (!this.always && syncer.busy) this.behind = true;
        // What was synced is marked even when nobody writes any more.
        if (log.active !== undefined && Math.min(syncer.synced, log.dataEnd) > log.marked) {
          log.markerDue = syncer.synced;
          log.mark();
          log.writeOut();
        }
        if (log.written > syncer.synced) syncer.request(log.written);
      }
      if (log.hints.size > 0) syncer.request(0);
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
    if (this.log.hints.size > 0) await this.syncer.all();
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
    version: reader.sequence,
  };
}

function copyOf(next: NewItem | null): NewItem | null {
  return next === null ? null : { ...next, value: next.value.slice() };
}
