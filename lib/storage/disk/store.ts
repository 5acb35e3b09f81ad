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
import {
  type Files,
  type Held,
  readFully,
  readFullyLater,
  replaceFile,
  systemFiles,
} from "./files.ts";
import { KeyHash } from "./hash.ts";
import { cannotOpen } from "./lock.ts";
import { LARGEST_SEGMENT, Log, writeError } from "./log.ts";
import { writeManifest } from "./manifest.ts";
import { Placements } from "./placements.ts";
import { Kind, RecordReader, recordSize, State } from "./record.ts";
import { FOLLOWED_CAS, recover, type Recovered, SEQUENCE_GAP } from "./recovery.ts";
import { scanLog } from "./scan.ts";
import type { Segment } from "./segment.ts";
import { Syncer } from "./sync.ts";

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

/** Values up to this many bytes are read at once, if reading at once has been fast. */
const READ_AT_ONCE = 1 << 16;
/** A read that takes longer than this, in milliseconds, came from a slow medium. */
const FAST_READ = 0.03;
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
  /** Bytes of one record with its header, on the stack of reads. */
  private readonly scratch = new Uint8Array(READ_AT_ONCE);
  private readonly scratchReader = new RecordReader();
  private readonly swapScratch = new Uint8Array(READ_AT_ONCE);
  private readonly swapReader = new RecordReader();

  /** The moment of a pending flush in milliseconds since 1970; 0 for none. */
  private flushAt: number;
  /** Records in the cache up to this sequence number are flushed. */
  private flushed = 0;
  /** Why writes are refused, or every call once closed. */
  private refusal: StoreError | undefined;
  private closed = false;
  lastLoss: StoreError | undefined;
  /** The loss before the last one. */
  private lossBefore: StoreError | undefined;
  /** The write that serves all batches which came with the same turn of the loop. */
  private writing: Promise<void> | undefined;

  /** Of `always`: hashes of keys changed since the last sync began, and between that and its end. */
  private fresh = new Set<number>();
  private syncing = new Set<number>();
  private syncTarget = 0;
  /** The position that the next commit must wait for, and one that commits of waiting callers must. */
  private needed = 0;
  private owed = 0;
  /** Of `everysec`: a sync has been under way for so long that writers must wait. */
  private behind = false;

  /** How long reads at once take, in milliseconds, a moving average; and when to measure again. */
  private readTime = 0;
  private untilMeasured = 0;

  private hits = 0;
  private reads = 0;
  private slowReads = 0;
  private flushedReads = 0;
  private damagedReads = 0;
  private listing: Promise<void> = Promise.resolve();

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
    this.scratchReader.over(this.scratch);
    this.swapReader.over(this.swapScratch);
    const asked = options.segmentBytes ?? 1 << 26;
    const segmentBytes = Math.min(
      LARGEST_SEGMENT,
      maxDisk === 0 ? asked : Math.min(asked, Math.max(maxDisk >>> 4, 1 << 12)),
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
      this.need(this.log.written);
    };
    this.log.onSealed = () => {
      // A segment that is sealed is synced at once, whatever is asked for the others.
      if (this.log.hints.size > 0) this.syncer.request(this.log.written);
      this.compactor.measure();
    };
    this.syncer = new Syncer(files, directory, this.log, {
      begins: (target) => {
        this.syncTarget = target;
        for (const one of this.fresh) this.syncing.add(one);
        this.fresh.clear();
      },
      ends: (target) => {
        this.syncing.clear();
        this.behind = false;
        if (Math.min(target, this.log.dataEnd) - this.log.marked >= 4096) {
          this.log.markerDue = target;
        }
      },
      sealed: (segments) => void this.list(segments),
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
      unlist: (segments) => this.unlist(segments),
      listed: () => this.listAll(),
      flushAt: () => this.flushAt,
      refused: () => this.refusal,
      pardon: () => this.lastLoss = this.lossBefore,
    });
    this.compactor.flushSegment = found.flushSegment;
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
    const position = Math.max(this.needed, this.owed);
    this.needed = 0;
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
    this.need(log.written);
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
        ["slow_reads", this.slowReads],
        ["damaged_reads", this.damagedReads],
        ["syncs", syncer.count],
        ["last_sync", Math.floor(syncer.lastEnd / 1000)],
        ["last_sync_ms", syncer.lastMilliseconds.toFixed(3)],
        ["unsynced_bytes", log.written - syncer.synced],
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
        await this.listing;
        await this.writeManifest(true).catch((error) => {
          // Everything is on the medium; the next start reads it as after a kill.
          this.options.log(writeError("Cannot write the manifest", error).message);
        });
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
  ): Awaitable<Item | undefined> {
    const { placements, log } = this;
    const { segment, offset, size } = placements;
    if (offset >= segment.length) {
      const reader = new RecordReader();
      const from = offset - segment.length;
      reader.over(log.pending.bytes.slice(from, from + size));
      if (!reader.parse(0, size, segment.seed, offset)) throw this.damaged(segment, offset);
      return reader.isOf(key) ? itemOf(reader) : undefined;
    }
    if (size > READ_AT_ONCE || this.isSlow()) {
      this.beforeWaiting();
      return this.owing(this.fetchLater(key, segment, offset, size, a, b, c));
    }
    const reader = this.scratchReader;
    this.readAtOnce(segment, this.scratch, offset, size);
    if (!reader.parse(0, size, segment.seed, offset)) throw this.damaged(segment, offset);
    if (!reader.isOf(key)) return undefined;
    this.cache.insert(a, b, this.scratch, 0, size);
    return itemOf(reader);
  }

  private async fetchLater(
    key: Uint8Array,
    segment: Segment,
    offset: number,
    size: number,
    a: number,
    b: number,
    c: number,
  ): Promise<Item | undefined> {
    const reader = await this.readLater(segment, offset, size);
    const { placements } = this;
    const { index } = placements;
    if (
      !index.find(a, b, c) || placements.segment !== segment || placements.offset !== offset
    ) {
      // Changed, or moved by a compaction, while we waited.
      if (this.closed) throw this.refusal!;
      const item = await this.read(key);
      return item === undefined ? undefined : { ...item, value: item.value.slice() };
    }
    if (!reader.isOf(key)) return undefined;
    this.cache.insert(a, b, reader.bytes, 0, size);
    return itemOf(reader);
  }

  private async readLater(segment: Segment, offset: number, size: number): Promise<RecordReader> {
    this.slowReads++;
    const bytes = new Uint8Array(size);
    segment.pin();
    try {
      await readFullyLater(segment.file, bytes, offset);
    } catch (error) {
      throw this.unreadable(segment, offset, error);
    } finally {
      segment.unpin();
    }
    const reader = new RecordReader();
    reader.over(bytes);
    if (!reader.parse(0, size, segment.seed, offset)) throw this.damaged(segment, offset);
    return reader;
  }

  private readAtOnce(segment: Segment, into: Uint8Array, offset: number, size: number): void {
    const measured = this.untilMeasured-- <= 0;
    const began = measured ? performance.now() : 0;
    try {
      readFully(segment.file, into.subarray(0, size), offset);
    } catch (error) {
      throw this.unreadable(segment, offset, error);
    }
    if (measured) {
      // One read that happens to be late says nothing: two in a row do.
      const took = Math.min(performance.now() - began, FAST_READ * 6);
      this.readTime += (took - this.readTime) / 8;
      this.untilMeasured = this.readTime > FAST_READ / 2 ? 0 : 7;
    }
  }

  /** Whether reads at once would hold up the others; now and then one finds out. */
  private isSlow(): boolean {
    if (this.readTime < FAST_READ) return false;
    if (++this.untilMeasured < 64) return true;
    this.untilMeasured = 0;
    return false;
  }

  private damaged(segment: Segment, offset: number): StoreError {
    this.damagedReads++;
    return new StoreError(`The record at offset ${offset} of '${segment.path}' is damaged`);
  }

  private unreadable(segment: Segment, offset: number, error: unknown): StoreError {
    const why = messageOf(error).replaceAll(/\s+/g, " ");
    return new StoreError(`Cannot read '${segment.path}' at offset ${offset}: ${why}`);
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
    let reader = this.swapReader;
    if (offset >= segment.length) {
      reader = new RecordReader();
      const from = offset - segment.length;
      reader.over(log.pending.bytes.subarray(from, from + size));
    } else if (size > READ_AT_ONCE || this.isSlow()) {
      this.beforeWaiting();
      return this.readLater(segment, offset, size);
    } else {
      this.readAtOnce(segment, this.swapScratch, offset, size);
    }
    if (!reader.parse(0, size, segment.seed, offset)) throw this.damaged(segment, offset);
    this.found(reader);
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
    const owed = this.takeNeeded();
    const reader = await later;
    this.owed = Math.max(this.owed, owed);
    if (this.refusal !== undefined) throw this.refusal;
    const same = placements.index.find(a, b, c) && placements.segment === segment &&
      placements.offset === offset;
    if (!same) return await this.swap(key, expected, next);
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
    this.beforeWaiting();
    const owed = this.takeNeeded();
    const made = await this.compactor.makeRoom(size, next === null);
    this.owed = Math.max(this.owed, owed);
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
    if (this.always) this.changed(a, b);
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
    if (this.always) this.changed(a, b);
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
    this.need(log.written);
  }

  // -- what must be on the medium before a reply

  /** Notes that a reply shows this key's state. */
  private saw(a: number, b: number): void {
    if (this.fresh.size === 0 && this.syncing.size === 0) return;
    const one = a + (b & 0x1fffff) * TWO_32;
    if (this.fresh.has(one) || this.fresh.has(-1)) {
      this.needed = this.log.position;
    } else if (this.syncing.has(one) || this.syncing.has(-1)) {
      this.needed = Math.max(this.needed, this.syncTarget);
    } else {
      return;
    }
    // Whether this state is on the medium will not be known before the next start.
    if (this.syncer.failure !== undefined) throw this.syncer.failure;
  }

  private changed(a: number, b: number): void {
    this.fresh.add(a + (b & 0x1fffff) * TWO_32);
    this.needed = this.log.position;
  }

  /** Notes that the states of all keys have changed. */
  private need(position: number): void {
    if (!this.always) return;
    this.fresh.add(-1);
    this.needed = position;
  }

  /** Before a promise is handed out: nobody else's commit may decide about our bytes. */
  private beforeWaiting(): void {
    this.log.writeOut();
  }

  private takeNeeded(): number {
    const needed = this.needed;
    this.needed = 0;
    if (needed > this.syncer.synced) this.syncer.request(needed);
    return needed;
  }

  /** The same promise; the caller's next commit waits for what this batch has shown or changed. */
  private owing<T>(promise: Promise<T>): Promise<T> {
    if (!this.always) return promise;
    const owed = this.takeNeeded();
    if (owed === 0) return promise;
    return promise.finally(() => this.owed = Math.max(this.owed, owed));
  }

  // -- in the background

  private tick(): void {
    const { log, syncer } = this;
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

  /** Writes hints for segments that are sealed and synced, and lists them. */
  private list(segments: readonly Segment[]): Promise<void> {
    return this.listing = this.listing.then(async () => {
      for (const segment of segments) {
        const hint = this.log.hints.get(segment);
        this.log.hints.delete(segment);
        if (hint === undefined) continue;
        try {
          await replaceFile(this.files, segment.hintPath, hint.finish(segment));
        } catch {
          // A start without the hint takes longer, and that is all.
          this.log.total -= segment.hintBytes;
          segment.hintBytes = 0;
        }
        segment.listed = true;
      }
      await this.writeManifest(false);
    }).catch((error) => {
      this.options.log(writeError("Cannot write the manifest", error).message);
    }).then(() => this.compactor.wake());
  }

  /** Resolves when all sealed segments are listed. */
  private async listAll(): Promise<void> {
    if (this.log.hints.size > 0) await this.syncer.all();
    await this.listing;
  }

  /** Takes segments off the manifest; they can be removed when it is done. */
  private unlist(segments: readonly Segment[]): Promise<void> {
    const result = this.listing.then(async () => {
      for (const segment of segments) segment.givenUp = true;
      try {
        await this.writeManifest(false);
      } catch (error) {
        for (const segment of segments) segment.givenUp = false;
        throw error;
      }
    });
    this.listing = result.catch(() => {});
    return result;
  }

  private async writeManifest(clean: boolean): Promise<void> {
    const { log, placements } = this;
    const listed = log.segments.filter((segment) => segment.listed && !segment.givenUp);
    const unlisted = log.segments.find((segment) => !segment.listed);
    await writeManifest(this.files, this.options.directory, {
      hashKey: this.log.hashKey,
      clean,
      sequence: clean ? log.sequence : log.sequence + SEQUENCE_GAP,
      items: placements.index.size,
      next: unlisted?.id ?? log.nextId,
      segments: listed.map(({ id, length, crc }) => [id, length, crc]),
    });
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
