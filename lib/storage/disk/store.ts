/**
 * Items on this machine's disk: an index in memory over one append-only log. FORMAT.md says what
 * is in the files.
 *
 * @module
 */

import { ExitError, messageOf, OutOfSpaceError } from "../../errors.ts";
import {
  type Awaitable,
  Batch,
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
import { Backpressure } from "./upkeep/backpressure.ts";
import { Space } from "./upkeep/space.ts";
import { Health } from "./health.ts";
import { expiredItems } from "./upkeep/expired.ts";
import { Images } from "./upkeep/image.ts";
import { Verifier } from "./upkeep/verify.ts";
import { Compactor } from "./upkeep/compaction.ts";
import { Catalog } from "./log/catalog.ts";
import { Commits, type Fsync } from "./log/commits.ts";
import { codeOf, type Files, type Held, systemFiles } from "./fs/files.ts";
import { figuresOf } from "./figures.ts";
import { Flushes } from "./log/flushes.ts";
import { Found } from "./read/found.ts";
import { KeyHash } from "../../key_hash.ts";
import { cannotOpen } from "./fs/lock.ts";
import { Log } from "./log/log.ts";
import { Placements } from "./index/placements.ts";
import { RECORD_HEADER, type RecordReader, recordSize, State, Word } from "./format/record.ts";
import { Damage, UnreadableError } from "./read/damage.ts";
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
  /** Items from which on the index is written to disk as it is, for the next start. */
  readonly imageItems?: number;
  /** The file system, the machine's own unless given. */
  readonly files?: Files;
}

/** Pending bytes beyond this are written before the batch ends. */
const WRITE_AT = 1 << 20;
/** Half a second: twice a second what was written is synced, so that less than a second is at risk. */
const TICK = 500;
/** An index of fewer items is made from hints in no time. */
const IMAGE_ITEMS = 100_000;
/** How often a directory is tried that seems to be locked, and milliseconds in between. */
const LOCK_TRIES = 3;
const LOCK_PAUSE = 20;
/** So many ticks without a write make a store idle. */
const QUIET_TICKS = 4;
const TWO_32 = 2 ** 32;

/**
 * Opens the directory, and waits until everything in it can be read.
 *
 * @throws {ExitError} with code 73 if the directory cannot be made, written or locked, and 65 if what
 *   is in it cannot be trusted
 */
export async function openDiskStore(options: DiskOptions): Promise<Store> {
  const { directory, clock, log } = options;
  const files = options.files ?? systemFiles;
  let lock: Held | undefined;
  try {
    files.makeDirectory(directory);
    lock = await lockPatiently(files, directory);
    const now = () => clock.now();
    return new DiskStore(options, files, lock, await recover({ files, directory, now, log }));
  } catch (error) {
    lock?.close();
    if (error instanceof ExitError || codeOf(error) === "") throw error;
    throw cannotOpen(directory, messageOf(error));
  }
}

/** Locks a directory, also where somebody looks at that moment whether it is locked. */
async function lockPatiently(files: Files, directory: string): Promise<Held> {
  for (let tries = 1;; tries++) {
    try {
      return files.lock(directory);
    } catch (error) {
      if (tries === LOCK_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE));
    }
  }
}

class DiskStore implements Store {
  private readonly hashKey: Uint8Array;
  private readonly hash: KeyHash;
  private readonly placements: Placements;
  private readonly cache: RecordCache;
  private readonly log: Log;
  private readonly commits: Commits;
  private readonly space: Space;
  private readonly compactor: Compactor;
  private readonly catalog: Catalog;
  private readonly flushes: Flushes;
  private readonly images: Images;
  private readonly verifier: Verifier;
  private readonly damage: Damage;
  private readonly records: RecordReads;
  private readonly found: Found;
  private readonly timer: ReturnType<typeof setInterval>;

  private readonly health: Health;
  /** The size of the item that was refused last for want of room, in bytes. */
  private refusedBytes = 0;
  /** Why the last tick could not do its work. */
  private complaint = "";
  /** Where the log ended at the last tick, and for how many ticks it has. */
  private lastPosition = 0;
  private quietTicks = 0;
  /** Whether what must stand before all writes is being written. */
  private reserving = false;

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
    this.hashKey = start.hashKey;
    this.hash = new KeyHash(start.hashKey);
    this.placements = start.placements;
    this.cache = new RecordCache(options.memoryLimit);
    this.health = new Health(directory, options.log);
    this.log = new Log({
      files,
      directory,
      hashKey: start.hashKey,
      now: () => clock.now(),
      placements: start.placements,
      segments: start.segments,
      sequence: start.sequence,
      next: start.next,
      end: start.end,
    });
    const { log, placements } = this;
    const segmentBytes = options.segmentBytes ?? 1 << 26;
    this.space = new Space({ files, directory, log, maxDisk, segmentBytes });
    const backpressure = new Backpressure(log, placements);
    this.damage = new Damage(options.log);
    this.records = new RecordReads(this.damage);
    this.found = new Found(this.cache, this.placements, this.log, this.damage);
    this.log.onWritten = () => this.commits.wrote();
    this.log.onLost = (error) => {
      this.placements.undo((a, b) => {
        this.cache.forget(a, b);
        this.commits.undone(a, b);
      });
      this.commits.lost(error);
    };
    this.log.onNoRoom = (error) => this.fill(error.message, 0);
    this.catalog = new Catalog(files, directory, this.log, this.placements, options.log);
    this.log.onSealed = () => {
      // A segment that is sealed is synced at once, whatever is asked for the others.
      if (this.log.hints.size > 0) this.commits.syncer.request(this.log.written);
      this.space.measure();
    };
    this.commits = new Commits({
      files,
      directory,
      log: this.log,
      fsync: options.fsync,
      heldUp: (bytes) => this.compactor.heldUp(bytes),
      sealed: (segments) => void this.catalog.list(segments).then(() => this.compactor.wake()),
      fails: (error) => {
        this.health.fail(error);
        this.compactor.wake();
      },
    });
    this.commits.syncer.onSynced = options.onSynced;
    this.compactor = new Compactor({
      files,
      directory,
      log: this.log,
      placements: this.placements,
      syncer: this.commits.syncer,
      hash: new KeyHash(start.hashKey),
      space: this.space,
      backpressure,
      evict: options.evict ?? false,
      now: () => clock.now(),
      say: options.log,
      damage: this.damage,
      evicted: onEvicted &&
        ((record, a, b) => onEvicted(listedOf(record, this.cache.accessOf(a, b, record.sequence)))),
      forget: (a, b) => this.cache.forget(a, b),
      unlist: (segments) => this.catalog.unlist(segments),
      listed: () => this.listAll(),
      flushAt: () => this.flushes.at,
      refused: () => this.health.refusal,
    });
    this.compactor.flushSegment = start.flushSegment;
    this.flushes = new Flushes({
      log: this.log,
      placements: this.placements,
      now: () => clock.now(),
      changed: (batch) => this.commits.allChanged(batch),
      flushed: (segment) => {
        this.compactor.flushSegment = segment.id;
        this.compactor.wake();
      },
    }, start.flushAt);
    this.catalog.image = start.image;
    this.images = new Images({
      files,
      directory,
      log,
      placements,
      commits: this.commits,
      flushAt: () => this.flushes.at,
      flushSegment: () => this.compactor.flushSegment,
      named: (name) => {
        this.catalog.image = name;
        return this.catalog.reserve();
      },
      least: options.imageItems ?? IMAGE_ITEMS,
    });
    this.verifier = new Verifier(start.unverified, placements, this.damage, options.log);
    this.verifier.start();
    if (!start.reserved) this.health.stick();
    this.timer = setInterval(() => this.tick(), TICK);
    this.timer.unref();
  }

  read(key: Uint8Array, batch: Batch, peek = false): Awaitable<Item | undefined> {
    this.health.assertReadable();
    if (this.flushes.at !== 0) this.flushes.settle();
    const { hash, cache } = this;
    hash.of(key);
    const { a, b, c } = hash;
    this.reads++;
    if (cache.find(a, b, key, peek)) {
      const { words, at } = cache;
      const w = at >>> 2;
      const sequence = words[w + Word.sequence] + words[w + Word.sequence + 1] * TWO_32;
      if (sequence > this.flushes.through) {
        this.hits++;
        this.commits.saw(batch, a, b, sequence);
        const kinds = words[w + Word.kinds];
        const from = at + RECORD_HEADER + (kinds & 0xff);
        const state = kinds >>> 16;
        const item = {
          value: cache.bytes.subarray(from, from + words[w + Word.valueLength]),
          flags: words[w + Word.flags],
          exptime: words[w + Word.time] + words[w + Word.time + 1] * TWO_32,
          cas: cache.longs[(at >>> 3) + Word.cas / 2],
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
    this.health.assertWritable();
    if (this.flushes.at !== 0) this.flushes.settleForWrite();
    const { hash } = this;
    hash.of(key);
    const { a, b, c } = hash;
    if (expected !== "any" || next === null) {
      if (this.placements.index.find(a, b, c)) {
        const later = this.look(key, a, b, expected, next);
        if (later instanceof Promise) {
          return this.swapLater(later, key.slice(), expected, copyOf(next), batch);
        }
        const refused = later === null
          ? undefined
          : this.found.refusal(expected, next, this.options.clock.now());
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
    if (!this.space.hasRoom(size, next === null)) {
      return this.swapWithRoom(key.slice(), expected, copyOf(next), batch);
    }
    return next === null ? this.bury(key, batch) : this.put(key, next, batch);
  }

  sizeOf(key: Uint8Array): number {
    const { hash, placements } = this;
    hash.of(key);
    const { a, b, c } = hash;
    if (this.cache.find(a, b, key, true) || !placements.index.find(a, b, c)) return 0;
    return placements.size;
  }

  commit(batch: Batch): Awaitable<void> {
    return this.commits.commit(batch);
  }

  flush(at: number, batch: Batch): Awaitable<void> {
    this.health.assertWritable();
    if (this.flushes.at !== 0) this.flushes.settleForWrite();
    this.flushes.flush(at, batch);
  }

  get pendingFlush(): number {
    return this.flushes.at;
  }

  scan(): AsyncIterable<readonly Listed[]> {
    this.health.assertReadable();
    if (this.flushes.at !== 0) this.flushes.settle();
    const { log, placements, cache, hash, commits, options } = this;
    const until = (position: number) =>
      options.fsync === "always" ? commits.syncer.until(position) : undefined;
    return scanLog({
      log,
      placements,
      cache,
      damage: this.damage,
      hash,
      now: () => options.clock.now(),
      until,
    });
  }

  async removeExpired(): Promise<number> {
    const { log, placements, options, hash, health } = this;
    const batch = new Batch();
    let found = 0;
    const search = expiredItems({
      ...{ log, placements, now: () => options.clock.now() },
      hash: new KeyHash(this.hashKey),
    });
    for await (const group of search) {
      if (health.refusal !== undefined) throw health.refusal;
      for (const { key, segment, offset } of group) {
        hash.of(key);
        if (!this.isAt(segment, offset, hash.a, hash.b, hash.c)) continue;
        this.bury(key, batch);
        this.compactor.reclaimed++;
        found++;
      }
      await this.commits.commit(batch);
      batch.clear();
    }
    return found;
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
      index: { places: placements.index.places(), bytes: placements.index.memory() },
      own: [
        ["directory", options.directory],
        ["fsync", options.fsync],
        ["state", this.health.state === "open" ? "ok" : this.health.state],
        ...this.health.reason === "" ? [] : [["state_reason", this.health.reason] as const],
        ...figuresOf({
          log: this.log,
          placements,
          cache: this.cache,
          commits: this.commits,
          compactor,
          space: this.space,
          damage: this.damage,
          verifier: this.verifier,
          images: this.images,
          readers: [records, found.records],
          reads: this.reads,
          hits: this.hits,
        }),
      ],
    };
  }

  async close(): Promise<void> {
    const { state, refusal } = this.health;
    if (state === "closed") return;
    const failed = state === "failed" ? refusal : undefined;
    clearInterval(this.timer);
    await Promise.all([this.compactor.stop(), this.images.stop(), this.verifier.stop()]);
    const { log } = this;
    let problem: unknown = failed;
    try {
      log.seal();
      if (failed === undefined) {
        await this.commits.syncer.all();
        this.catalog.image = await this.images.last() ?? this.catalog.image;
        await this.catalog.close(this.verifier.isWhole);
      }
    } catch (error) {
      problem ??= error;
    } finally {
      this.health.close();
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
    const reader = await later.catch((error) => mayGoUnseen(error, expected, next));
    hash.of(key);
    this.health.assertWritable();
    if (!this.isAt(segment, offset, a, b, c)) return await this.swap(key, expected, next, batch);
    if (reader !== null) {
      this.found.take(reader);
      const refused = this.found.refusal(expected, next, this.options.clock.now());
      if (refused !== undefined) {
        this.commits.saw(batch, a, b, reader.sequence);
        return refused;
      }
    }
    const size = recordSize(key.length, next === null ? 0 : next.value.length);
    if (!this.space.hasRoom(size, next === null)) {
      return await this.swapWithRoom(key, expected, next, batch);
    }
    return next === null ? this.bury(key, batch) : this.put(key, next, batch);
  }

  /** What {@linkcode Found.look} does; `null` where it cannot be read and need not be. */
  private look(
    key: Uint8Array,
    a: number,
    b: number,
    expected: Expected,
    next: NewItem | null,
  ): Promise<RecordReader> | undefined | null {
    try {
      return this.found.look(key, a, b);
    } catch (error) {
      return mayGoUnseen(error, expected, next);
    }
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
      if (this.space.couldHold(size, next === null)) this.fill(this.space.describe(), size);
      throw new OutOfSpaceError(
        `No room for ${size} bytes in '${this.options.directory}': ${this.space.describe()}`,
      );
    }
    return await this.swap(key, expected, next, batch);
  }

  /** Stores an item under the key that was hashed last. */
  private put(key: Uint8Array, next: NewItem, batch: Batch): bigint {
    const { log } = this;
    const { a, b, c } = this.hash;
    if (this.placements.flushed?.remove(a, b, c)) this.replacedFlushed++;
    const sequence = ++log.sequence;
    const size = log.appendItem(key, next, sequence, this.hash);
    this.placements.set(a, b, c, log.active!, log.offset, size);
    this.cache.insert(a, b, log.pending.bytes, log.pendingAt, size);
    this.commits.changed(batch, a, b, false);
    if (log.pending.length > WRITE_AT) log.writeOut();
    if (next.cas === 0n) return BigInt(sequence);
    if (next.cas < FOLLOWED_CAS && next.cas > sequence) log.sequence = Number(next.cas);
    return next.cas;
  }

  /** Deletes the key that was hashed last. */
  private bury(key: Uint8Array, batch: Batch): bigint {
    const { log } = this;
    const { a, b, c } = this.hash;
    const sequence = ++log.sequence;
    log.appendTombstone(key, sequence, 0, this.hash);
    this.placements.drop(a, b, c);
    this.cache.forget(a, b);
    this.commits.changed(batch, a, b, true);
    return 0n;
  }

  // -- in the background

  private tick(): void {
    if (this.health.isStuck) return this.reserve();
    if (this.health.refusal !== undefined) return;
    try {
      if (this.flushes.at !== 0) this.flushes.settleForWrite();
      this.commits.tick();
      this.sealExpired();
      this.complaint = "";
    } catch (error) {
      // What lasts is said once.
      if (messageOf(error) !== this.complaint) this.options.log(messageOf(error));
      this.complaint = messageOf(error);
    }
    this.compactor.wake();
    if (this.health.state === "open") this.images.wake();
    // A little more than what was refused, so that one set more does not make it full again.
    const wanted = this.refusedBytes + this.space.ceiling / 100;
    if (this.health.state === "full" && this.space.hasRoom(wanted)) this.health.empty();
  }

  /** Notes that there is no room for an item of so many bytes. */
  private fill(reason: string, bytes: number): void {
    this.refusedBytes = bytes;
    this.health.fill(reason);
  }

  /** Ends a segment of which much has expired, so that it can be given up, when nobody writes to it. */
  private sealExpired(): void {
    const { active } = this.log;
    const { position } = this.log;
    this.quietTicks = position === this.lastPosition ? this.quietTicks + 1 : 0;
    this.lastPosition = position;
    if (active === undefined || this.quietTicks < QUIET_TICKS) return;
    const expired = active.expiry.passed(this.options.clock.now());
    if (expired > active.length / 4 && active.live > 0) this.log.seal();
  }

  /** Tries again what a full file system did not let the start do. */
  private reserve(): void {
    if (this.reserving) return;
    this.reserving = true;
    this.catalog.reserve().then(() => this.health.isStuck && this.health.empty(), () => {})
      .finally(() => this.reserving = false);
  }

  /** Resolves when all sealed segments are listed. */
  private async listAll(): Promise<void> {
    if (this.log.hints.size > 0) await this.commits.syncer.all();
    await this.catalog.settled;
  }
}

/** Whatever it was, what is damaged can be deleted. */
function mayGoUnseen(error: unknown, expected: Expected, next: NewItem | null): null {
  if (error instanceof UnreadableError && expected === "any" && next === null) return null;
  throw error;
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
