/**
 * Items on this machine's disk: an index in memory over one append-only log. FORMAT.md says what
 * is in the files.
 *
 * @module
 */

import { ifThereIsMemory } from "../../bytes.ts";
import { ExitError, messageOf } from "../../errors.ts";
import type { Moment } from "../moment.ts";
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
import type { ItemCursor } from "../item_cursor.ts";
import { RecordCache } from "./read/cache.ts";
import { Backpressure } from "./upkeep/backpressure.ts";
import { Space } from "./upkeep/space.ts";
import { Health } from "./health.ts";
import { expiredItems } from "./upkeep/expired.ts";
import { Images } from "./upkeep/image.ts";
import { Verifier } from "./upkeep/verify.ts";
import { Compactor, PLACE_COST } from "./upkeep/compaction.ts";
import { Catalog } from "./log/catalog.ts";
import { Commits, type Fsync } from "./log/commits.ts";
import { codeOf, descriptors, type Files, type Lock, systemFiles } from "./fs/files.ts";
import { figuresOf } from "./figures.ts";
import { Flushes } from "./log/flushes.ts";
import { Found } from "./read/found.ts";
import { KeyHash } from "../../key_hash.ts";
import { cannotOpen } from "./fs/lock.ts";
import { Log } from "./log/log.ts";
import { momentOf } from "./log/moment.ts";
import { Placements } from "./index/placements.ts";
import { Damage } from "./read/damage.ts";
import { CurrentRecords } from "./read/current.ts";
import { recover, type Recovered } from "./upkeep/recovery.ts";
import { ItemReads } from "./read/item_reads.ts";
import { Housekeeping } from "./upkeep/housekeeping.ts";
import { Swaps } from "./swaps.ts";
import { listedOf, scanLog } from "./read/scan.ts";

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
  /** Bytes of a record from which on new attributes do not make it be written again. */
  readonly amendFrom?: number;
  /** Bytes that must be dead in a segment for each place of the index, for what is dead not to be read. */
  readonly placeCost?: number;
  /** Files that are open at a time while nothing is written to them, in all stores of the process. */
  readonly openFiles?: number | undefined;
  /** The file system, the machine's own unless given. */
  readonly files?: Files;
}

/** Half a second: twice a second what was written is synced, so that less than a second is at risk. */
const TICK = 500;
/** An index of fewer items is made from hints in no time. */
const IMAGE_ITEMS = 100_000;
/** A shorter record is not much longer than an amendment, which takes a place in memory and a read. */
const AMEND_FROM = 1024;
/** How often a directory is tried that seems to be locked, and milliseconds in between. */
const LOCK_TRIES = 3;
const LOCK_PAUSE = 20;

/**
 * Opens the directory, and waits until everything in it can be read.
 *
 * @throws {ExitError} with code 73 if the directory cannot be made, written or locked, and 65 if what
 *   is in it cannot be trusted
 */
export async function openDiskStore(options: DiskOptions): Promise<Store> {
  const { directory, clock, log } = options;
  const files = options.files ?? systemFiles;
  if (options.openFiles !== undefined) descriptors.most = options.openFiles;
  let lock: Lock | undefined;
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
async function lockPatiently(files: Files, directory: string): Promise<Lock> {
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
  readonly #hashKey: Uint8Array;
  readonly #hash: KeyHash;
  readonly #placements: Placements;
  readonly #cache: RecordCache;
  readonly #log: Log;
  readonly #commits: Commits;
  readonly #space: Space;
  readonly #compactor: Compactor;
  readonly #catalog: Catalog;
  readonly #flushes: Flushes;
  readonly #images: Images;
  readonly #verifier: Verifier;
  readonly #reads: ItemReads;
  readonly #swaps: Swaps;
  readonly #housekeeping: Housekeeping;
  readonly #damage: Damage;
  readonly #records: CurrentRecords;
  readonly #found: Found;
  readonly #health: Health;
  readonly #timer: ReturnType<typeof setInterval>;

  readonly #options: DiskOptions;
  readonly #lock: Lock;

  constructor(
    options: DiskOptions,
    files: Files,
    lock: Lock,
    start: Recovered,
  ) {
    this.#options = options;
    this.#lock = lock;

    const { directory, clock, maxDisk = 0, onEvicted } = options;
    this.#hashKey = start.hashKey;
    this.#hash = new KeyHash(start.hashKey);
    this.#placements = start.placements;
    this.#cache = new RecordCache(options.memoryLimit);
    this.#health = new Health(directory, options.log);
    this.#log = new Log({
      files,
      directory,
      hashKey: start.hashKey,
      now: () => clock.now(),
      placements: start.placements,
      segments: start.segments,
      sequence: start.sequence,
      next: start.next,
      end: start.end,
      roomAhead: options.fsync === "always",
    });
    const log = this.#log;
    const placements = this.#placements;
    const segmentBytes = options.segmentBytes ?? 1 << 26;
    this.#space = new Space({ files, directory, log, maxDisk, segmentBytes });
    const backpressure = new Backpressure(log, placements);
    this.#damage = new Damage(options.log);
    this.#records = new CurrentRecords(this.#placements, this.#log, this.#damage);
    this.#found = new Found(this.#cache, this.#placements, this.#log, this.#damage);
    this.#log.onWritten = () => this.#commits.wrote();
    this.#log.onLost = (error) => {
      this.#placements.undo((a, b) => {
        this.#cache.forget(a, b);
        this.#commits.undone(a, b);
      });
      this.#commits.lost(error);
    };
    this.#log.onNoRoom = (error) => this.#housekeeping.fill(error.message, 0);
    this.#catalog = new Catalog(files, directory, this.#log, this.#placements, options.log);
    this.#log.onSealed = () => {
      // A segment that is sealed is synced immediately, whatever is asked for the others.
      if (this.#log.hints.size > 0) this.#commits.syncer.request(this.#log.written);
      this.#space.measure();
    };
    this.#commits = new Commits({
      files,
      directory,
      log: this.#log,
      fsync: options.fsync,
      heldUp: (bytes) => this.#compactor.heldUp(bytes),
      sealed: (segments) => void this.#catalog.list(segments).then(() => this.#compactor.wake()),
      fails: (error) => {
        this.#health.fail(error);
        this.#compactor.wake();
      },
    });
    this.#commits.syncer.onSynced = options.onSynced;
    this.#compactor = new Compactor({
      files,
      directory,
      log: this.#log,
      placements: this.#placements,
      records: new CurrentRecords(this.#placements, this.#log, this.#damage),
      syncer: this.#commits.syncer,
      hash: new KeyHash(start.hashKey),
      space: this.#space,
      backpressure,
      evict: options.evict ?? false,
      placeCost: options.placeCost ?? PLACE_COST,
      now: () => clock.now(),
      say: options.log,
      damage: this.#damage,
      evicted: onEvicted &&
        ((record, a, b) =>
          onEvicted(listedOf(record, this.#cache.accessOf(a, b, record.sequence)))),
      forget: (a, b) => this.#cache.forget(a, b),
      unlist: (segments) => this.#catalog.unlist(segments),
      listed: () => this.#listAll(),
      flushAt: () => this.#flushes.at,
      refused: () => this.#health.refusal,
    });
    this.#compactor.flushSegment = start.flushSegment;
    this.#flushes = new Flushes({
      log: this.#log,
      placements: this.#placements,
      now: () => clock.now(),
      changed: (batch) => this.#commits.allChanged(batch),
      flushed: (segment) => {
        // It may say that this flush is to come, and the record that says otherwise goes some day.
        this.#catalog.image = undefined;
        this.#compactor.flushSegment = segment.id;
        this.#compactor.wake();
      },
    }, start.flushAt);
    this.#catalog.image = start.image;
    this.#images = new Images({
      files,
      directory,
      log,
      placements,
      commits: this.#commits,
      flushAt: () => this.#flushes.at,
      flushSegment: () => this.#compactor.flushSegment,
      named: (name) => {
        this.#catalog.image = name;
        return this.#catalog.reserve();
      },
      least: options.imageItems ?? IMAGE_ITEMS,
    });
    this.#verifier = new Verifier(start.unverified, placements, this.#damage, options.log);
    this.#verifier.start();
    if (!start.reserved) this.#health.stick();
    const hash = this.#hash;
    const cache = this.#cache;
    const commits = this.#commits;
    const flushes = this.#flushes;
    const found = this.#found;
    const records = this.#records;
    const space = this.#space;
    const compactor = this.#compactor;
    const health = this.#health;
    const now = () => clock.now();
    this.#reads = new ItemReads({ hash, placements, cache, commits, flushes, records });
    this.#housekeeping = new Housekeeping({
      health,
      lock: this.#lock,
      log,
      flushes,
      commits,
      catalog: this.#catalog,
      compactor,
      images: this.#images,
      space,
      now,
      say: options.log,
    });
    this.#swaps = new Swaps({
      directory,
      hash,
      placements,
      cache,
      log,
      commits,
      flushes,
      found,
      space,
      compactor,
      health,
      now,
      amendFrom: options.amendFrom ?? AMEND_FROM,
      fill: (reason, bytes) => this.#housekeeping.fill(reason, bytes),
    });
    this.#timer = setInterval(() => this.#housekeeping.tick(), TICK);
    this.#timer.unref();
  }

  read(key: Uint8Array, batch: Batch, peek = false): Awaitable<Item | undefined> {
    this.#health.assertReadable();
    return this.#reads.read(key, batch, peek);
  }

  find(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    into: ItemCursor,
  ): boolean | undefined {
    this.#health.assertReadable();
    return this.#reads.find(bytes, start, end, batch, peek, into);
  }

  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    return this.#swaps.swap(key, expected, next, batch);
  }

  swapAt(
    bytes: Uint8Array,
    start: number,
    end: number,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    return this.#swaps.swapAt(bytes, start, end, expected, next, batch);
  }

  sizeOf(key: Uint8Array): number {
    const hash = this.#hash;
    const placements = this.#placements;
    hash.of(key);
    const { a, b, c } = hash;
    return placements.index.find(a, b, c) ? placements.size : 0;
  }

  commit(batch: Batch): Awaitable<void> {
    return this.#commits.commit(batch);
  }

  flush(at: number, batch: Batch): Awaitable<void> {
    this.#health.assertWritable();
    if (this.#flushes.at !== 0) this.#flushes.settleForWrite();
    this.#flushes.flush(at, batch);
  }

  get pendingFlush(): number {
    return this.#flushes.at;
  }

  scan(): AsyncIterable<readonly Listed[]> {
    this.#health.assertReadable();
    if (this.#flushes.at !== 0) this.#flushes.settle();
    const log = this.#log;
    const placements = this.#placements;
    const cache = this.#cache;
    const hash = this.#hash;
    const commits = this.#commits;
    const options = this.#options;
    const until = (position: number) =>
      options.fsync === "always" ? commits.syncer.until(position) : undefined;
    return scanLog({
      log,
      placements,
      cache,
      damage: this.#damage,
      hash,
      now: () => options.clock.now(),
      until,
    });
  }

  async removeExpired(): Promise<number> {
    const log = this.#log;
    const placements = this.#placements;
    const options = this.#options;
    const health = this.#health;
    const batch = new Batch();
    let found = 0;
    const search = expiredItems({
      ...{ log, placements, now: () => options.clock.now() },
      hash: new KeyHash(this.#hashKey),
    });
    for await (const group of search) {
      if (health.refusal !== undefined) throw health.refusal;
      for (const { key, segment, offset } of group) {
        if (!this.#swaps.buryAt(key, segment, offset, batch)) continue;
        this.#compactor.reclaimed++;
        found++;
      }
      await this.#commits.commit(batch);
      batch.clear();
    }
    return found;
  }

  get momentPosition(): number {
    return Math.min(this.#commits.syncer.reached, this.#log.dataEnd);
  }

  async moment(whole: boolean): Promise<Moment> {
    this.#health.assertReadable();
    const log = this.#log;
    const { syncer } = this.#commits;
    // The other settings sync by themselves; with this one a segment may be open for days.
    const waits = whole || this.#options.fsync === "no";
    if (waits && log.position > syncer.reached) await syncer.until(log.position);
    return momentOf(log, syncer, this.#placements.index.size);
  }

  limitMemory(bytes: number): boolean {
    return ifThereIsMemory(() => (this.#cache.resize(bytes), true)) ?? false;
  }

  info(): StoreInfo {
    const options = this.#options;
    const placements = this.#placements;
    const compactor = this.#compactor;
    const records = this.#records;
    const found = this.#found;
    const due = this.#flushes.isDue;
    return {
      items: due ? 0 : placements.index.size,
      bytes: due ? 0 : placements.live,
      limit: options.maxDisk ?? 0,
      evictions: compactor.evictions,
      reclaimed: compactor.reclaimed + this.#swaps.replacedFlushed,
      flushedReads: this.#reads.flushed,
      index: { places: placements.index.places(), bytes: placements.index.memory() },
      own: [
        ["directory", options.directory],
        ["fsync", options.fsync],
        ["state", this.#health.state === "open" ? "ok" : this.#health.state],
        ...this.#health.reason === "" ? [] : [["state_reason", this.#health.reason] as const],
        ...figuresOf({
          log: this.#log,
          placements,
          cache: this.#cache,
          commits: this.#commits,
          compactor,
          space: this.#space,
          damage: this.#damage,
          verifier: this.#verifier,
          images: this.#images,
          readers: [
            records.items,
            records.amendments,
            found.records.items,
            found.records.amendments,
          ],
          reads: this.#reads.count,
          hits: this.#reads.hits,
        }),
      ],
    };
  }

  async close(): Promise<void> {
    const { state, refusal } = this.#health;
    if (state === "closed") return;
    const failed = state === "failed" ? refusal : undefined;
    clearInterval(this.#timer);
    await Promise.all([this.#compactor.stop(), this.#images.stop(), this.#verifier.stop()]);
    const log = this.#log;
    let problem: unknown = failed;
    try {
      log.seal();
      if (failed === undefined) {
        await this.#commits.syncer.all();
        this.#catalog.image = await this.#images.last() ?? this.#catalog.image;
        await this.#catalog.close(this.#verifier.isWhole);
      }
    } catch (error) {
      problem ??= error;
    } finally {
      // Whoever has the directory next must not have its manifest replaced by this store's.
      await this.#commits.syncer.ended();
      await this.#catalog.settled;
      this.#health.close();
      for (const segment of log.segments) segment.remove();
      this.#lock.close();
    }
    if (problem !== undefined) throw problem;
  }

  /** Resolves when all sealed segments are listed. */
  async #listAll(): Promise<void> {
    if (this.#log.hints.size > 0) await this.#commits.syncer.all();
    await this.#catalog.settled;
  }
}
