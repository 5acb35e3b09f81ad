/**
 * Items in this process's memory, gone with it: memcached as it is, and the model of the contract.
 *
 * A `Map` from binary string to item, in the order in which items came. At the limit the oldest go
 * first, but one that was used since it was last looked at is put at the end instead (CLOCK): nearly
 * as good as least recently used, and a read does not have to move anything.
 *
 * @module
 */

import { binaryString, bytesOfBinaryString } from "../bytes.ts";
import { OutOfSpaceError } from "../errors.ts";
import {
  type Batch,
  type Expected,
  isExpired,
  type Item,
  type Listed,
  type NewItem,
  type Store,
  type StoreInfo,
  type StoreOptions,
  type Swapped,
} from "./contract.ts";

/** How the memory store is opened. */
export interface MemoryOptions extends StoreOptions {
  /** Bytes of items at most; 0 for no limit. */
  readonly limit: number;
  /** At the limit: throw out what was used least recently, or refuse. */
  readonly evict: boolean;
}

/** What an item takes beside key and value, as memcached counts it (header, cas, key end, CRLF). */
const OVERHEAD = 48 + 8 + 1 + 2;
/** Items looked at in one step of the sweep for expired ones. */
const SWEEP_STEP = 2000;

class Entry implements Item {
  /** Whether it was used since it was last looked at, which the next to be thrown out is not. */
  used = false;
  /**
   * Whether and when there was an access that {@linkcode fetched} and {@linkcode accessed} do not tell:
   * the reader has this object, and is to see what was so before.
   */
  hasAccess = false;
  lastAccess = 0;

  constructor(
    readonly value: Uint8Array,
    readonly flags: number,
    readonly exptime: number,
    readonly cas: bigint,
    readonly stale: boolean,
    readonly won: boolean,
    public fetched: boolean,
    public accessed: number,
    readonly binaryKey: boolean,
    readonly version: number,
  ) {}

  /** Shows the last access. */
  settle(): void {
    if (!this.hasAccess) return;
    this.hasAccess = false;
    this.fetched = true;
    this.accessed = this.lastAccess;
  }
}

/** Opens an empty store. */
export function openMemoryStore(options: MemoryOptions): Store {
  return new MemoryStore(options);
}

class MemoryStore implements Store {
  private items = new Map<string, Entry>();
  /** Counts up with each write; an item's is its version, and its cas unique unless one was given. */
  private sequence = 0;
  /** Items with a version up to this one are flushed. */
  private flushed = 0;
  /** The moment of a pending flush in milliseconds since 1970; 0 for none. */
  private flushAt = 0;
  /** Bytes of all items, flushed ones too until they are met or swept. */
  private bytes = 0;
  /** Items that are not flushed. */
  private count = 0;
  /** Bytes that all items may take; 0 for no limit. */
  private limit: number;
  private evictions = 0;
  private reclaimed = 0;
  private flushedReads = 0;
  private sweeping: Iterator<[string, Entry]> | undefined;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly options: MemoryOptions) {
    this.limit = options.limit;
    this.timer = setInterval(() => this.sweepOn(), 1000);
    this.timer.unref();
  }

  read(key: Uint8Array, batch: Batch, peek = false): Item | undefined {
    this.flushIfDue();
    const name = binaryString(key);
    const entry = this.items.get(name);
    if (entry === undefined) return undefined;
    if (entry.version <= this.flushed) {
      this.remove(name, entry);
      this.flushedReads++;
      return undefined;
    }
    entry.settle();
    if (!peek) {
      entry.used = true;
      entry.hasAccess = true;
      entry.lastAccess = batch.seconds;
    }
    return entry;
  }

  swap(key: Uint8Array, expected: Expected, next: NewItem | null, _batch: Batch): Swapped {
    this.flushIfDue();
    const name = binaryString(key);
    let entry = this.items.get(name);
    if (entry !== undefined && this.isDead(entry)) {
      this.remove(name, entry);
      entry = undefined;
    }
    if (expected === "absent") {
      if (entry !== undefined) return "exists";
    } else if (expected !== "any") {
      if (entry === undefined) return "absent";
      if (entry.cas !== expected.cas) return "exists";
      if (expected.version !== undefined && entry.version !== expected.version) return "exists";
    }
    if (next === null) {
      if (entry === undefined) return "absent";
      this.remove(name, entry);
      return 0n;
    }
    const size = sizeOf(name, next);
    this.makeRoom(size, size - (entry === undefined ? 0 : sizeOf(name, entry)), name);
    if (entry !== undefined) {
      this.bytes -= sizeOf(name, entry);
      this.count--;
    }
    const version = ++this.sequence;
    const cas = next.cas === 0n ? BigInt(version) : next.cas;
    const stored = new Entry(
      next.value.slice(),
      next.flags,
      next.exptime,
      cas,
      next.stale,
      next.won,
      next.fetched,
      next.accessed,
      next.binaryKey,
      version,
    );
    this.items.set(name, stored);
    this.count++;
    this.bytes += sizeOf(name, stored);
    return cas;
  }

  /** Nothing is undone here. */
  commit(_batch: Batch): void {}

  flush(at: number, _batch: Batch): void {
    this.flushIfDue();
    this.flushAt = at;
    this.flushIfDue();
  }

  async *scan(): AsyncGenerator<readonly Listed[]> {
    let group: Listed[] = [];
    for (const [name, entry] of this.items) {
      if (this.isDead(entry)) continue;
      group.push(listedOf(name, entry));
      if (group.length === 256) {
        yield group;
        group = [];
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
    if (group.length > 0) yield group;
  }

  limitMemory(bytes: number): boolean {
    this.limit = bytes;
    return true;
  }

  async removeExpired(): Promise<number> {
    this.flushIfDue();
    let found = 0;
    let looked = 0;
    for (const [name, entry] of this.items) {
      if (this.isDead(entry)) {
        this.remove(name, entry);
        found++;
      }
      if (++looked % SWEEP_STEP === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return found;
  }

  info(): StoreInfo {
    this.flushIfDue();
    return {
      items: this.count,
      bytes: this.bytes,
      limit: this.limit,
      evictions: this.evictions,
      reclaimed: this.reclaimed,
      flushedReads: this.flushedReads,
      own: [],
    };
  }

  close(): Promise<void> {
    clearInterval(this.timer);
    this.items.clear();
    this.bytes = this.count = 0;
    return Promise.resolve();
  }

  private isDead(entry: Entry): boolean {
    return entry.version <= this.flushed || isExpired(entry, this.options.clock.now());
  }

  /** Makes a flush effective whose moment has come. */
  private flushIfDue(): void {
    if (this.flushAt === 0 || this.flushAt > this.options.clock.now()) return;
    this.flushAt = 0;
    this.flushed = this.sequence;
    this.count = 0;
  }

  private remove(name: string, entry: Entry): void {
    this.items.delete(name);
    this.bytes -= sizeOf(name, entry);
    if (entry.version > this.flushed) this.count--;
    if (this.isDead(entry)) this.reclaimed++;
  }

  /**
   * Throws out the oldest unused items until an item of `size` bytes fits, which takes `more` bytes
   * than what is there of `keep`; never `keep` itself.
   */
  private makeRoom(size: number, more: number, keep: string): void {
    const { limit } = this;
    if (limit === 0 || this.bytes + more <= limit) return;
    // What can never fit is not worth anybody's item.
    if (!this.options.evict || size > limit) {
      throw new OutOfSpaceError(`no room for ${size} bytes under the limit of ${limit} bytes`);
    }
    this.evict(limit - more, Math.max(limit, this.bytes) - more, keep);
  }

  /**
   * Throws out the oldest unused items until those that remain take no more than `wanted` bytes; but
   * from `enough` bytes on it stops after some steps, so that a limit that was lowered by gigabytes
   * holds up nobody.
   */
  private evict(wanted: number, enough: number, keep: string): void {
    const { onEvicted } = this.options;
    let steps = 0;
    for (const [name, entry] of this.items) {
      if (this.bytes <= wanted || this.bytes <= enough && ++steps > SWEEP_STEP) return;
      if (name === keep) continue;
      const dead = this.isDead(entry);
      if (entry.used && !dead) {
        entry.used = false;
        this.items.delete(name);
        this.items.set(name, entry);
        continue;
      }
      if (!dead) {
        this.evictions++;
        onEvicted?.(listedOf(name, entry));
      }
      this.remove(name, entry);
    }
  }

  /** Frees expired and flushed items, some at each call, round and round. */
  private sweepOn(): void {
    this.flushIfDue();
    const { limit } = this;
    if (limit !== 0 && this.bytes > limit && this.options.evict) this.evict(limit, this.bytes, "");
    this.sweeping ??= this.items.entries();
    for (let i = 0; i < SWEEP_STEP; i++) {
      const next = this.sweeping.next();
      if (next.done) {
        this.sweeping = undefined;
        return;
      }
      const [name, entry] = next.value;
      if (this.isDead(entry)) this.remove(name, entry);
    }
  }
}

function listedOf(name: string, entry: Entry): Listed {
  entry.settle();
  return {
    key: bytesOfBinaryString(name),
    size: entry.value.length,
    flags: entry.flags,
    exptime: entry.exptime,
    cas: entry.cas,
    stale: entry.stale,
    won: entry.won,
    fetched: entry.fetched,
    accessed: entry.accessed,
    binaryKey: entry.binaryKey,
  };
}

function sizeOf(name: string, item: NewItem): number {
  return OVERHEAD + name.length + item.value.length;
}
