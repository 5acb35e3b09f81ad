/**
 * Swaps: what is there is looked at, room is made where there is none, and a record appended.
 *
 * @module
 */

import { giveMemory, isWorthKeeping, ROOM_BEFORE, ROOM_BEHIND, takeMemory } from "../../bytes.ts";
import { OutOfSpaceError } from "../../errors.ts";
import {
  type Awaitable,
  type Batch,
  type Expected,
  type NewItem,
  type Swapped,
  valueLengthOf,
} from "../contract.ts";
import type { KeyHash } from "../../key_hash.ts";
import {
  AMENDMENT_BYTES,
  CHECKSUM,
  FOLLOWED_CAS,
  LONG,
  RECORD_HEADER,
  type RecordReader,
  recordSize,
} from "./format/record.ts";
import type { Health } from "./health.ts";
import type { Placements } from "./index/placements.ts";
import type { Commits } from "./log/commits.ts";
import type { Flushes } from "./log/flushes.ts";
import type { Log } from "./log/log.ts";
import type { Segment } from "./log/segment.ts";
import type { RecordCache } from "./read/cache.ts";
import { UnreadableError } from "./read/damage.ts";
import type { Found } from "./read/found.ts";
import type { Compactor } from "./upkeep/compaction.ts";
import type { Space } from "./upkeep/space.ts";
import { uint64Of } from "../../uint64.ts";

/** Pending bytes beyond this are written before the batch ends. */
const WRITE_AT = 1 << 20;

/** The parts that a swap passes through. */
export interface SwapsOptions {
  readonly directory: string;
  readonly hash: KeyHash;
  readonly placements: Placements;
  readonly cache: RecordCache;
  readonly log: Log;
  readonly commits: Commits;
  readonly flushes: Flushes;
  readonly found: Found;
  readonly space: Space;
  readonly compactor: Compactor;
  readonly health: Health;
  readonly now: () => number;
  /** A record of so many bytes and more is amended where only its attributes change. */
  readonly amendFrom: number;
  /** Told that there is no room for a record of so many bytes. */
  readonly fill: (reason: string, bytes: number) => void;
}

/** The store's `swap`. */
export class Swaps {
  /** Flushed items in whose place others were put. */
  replacedFlushed = 0;

  readonly #directory: string;
  readonly #hash: KeyHash;
  readonly #placements: Placements;
  readonly #cache: RecordCache;
  readonly #log: Log;
  readonly #commits: Commits;
  readonly #flushes: Flushes;
  readonly #found: Found;
  readonly #space: Space;
  readonly #compactor: Compactor;
  readonly #health: Health;
  readonly #now: () => number;
  readonly #amendFrom: number;
  readonly #fill: (reason: string, bytes: number) => void;

  constructor(options: SwapsOptions) {
    this.#directory = options.directory;
    this.#hash = options.hash;
    this.#placements = options.placements;
    this.#cache = options.cache;
    this.#log = options.log;
    this.#commits = options.commits;
    this.#flushes = options.flushes;
    this.#found = options.found;
    this.#space = options.space;
    this.#compactor = options.compactor;
    this.#health = options.health;
    this.#now = options.now;
    this.#amendFrom = options.amendFrom;
    this.#fill = options.fill;
  }

  /** Puts `next` in the place of what is `expected`; `null` deletes. */
  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    return this.swapAt(key, 0, key.length, expected, next, batch);
  }

  /** {@linkcode swap} of the key that lies in `bytes` from `start` to `end`. */
  swapAt(
    bytes: Uint8Array,
    start: number,
    end: number,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    this.#health.assertWritable();
    // Nothing of it is acknowledged any more, so nothing more of it is done.
    if (batch.loss !== undefined) throw batch.loss;
    if (this.#flushes.at !== 0) this.#flushes.settleForWrite();
    const hash = this.#hash;
    hash.of(bytes, start, end - start);
    if (expected !== "any" || next === null) {
      const { a, b, c } = hash;
      const key = keyIn(bytes, start, end);
      if (this.#placements.index.find(a, b, c)) {
        const later = this.#look(key, a, b, c, expected, next);
        if (later instanceof Promise) {
          const [kept, copy] = copiesOf(expected, next);
          return this.#swapLater(later, key.slice(), kept, copy, batch);
        }
        const refused = later === null
          ? undefined
          : this.#found.refusal(expected, next, this.#now());
        if (refused !== undefined) {
          this.#commits.saw(batch, a, b, this.#found.sequence);
          return refused;
        }
        if (next !== null && this.#amends(expected, next)) {
          return this.#amend(key, expected, next, batch);
        }
      } else if (next === null || typeof expected === "object") {
        this.#commits.sawAbsence(batch, a, b);
        return "absent";
      }
    }
    const size = recordSize(end - start, next === null ? 0 : valueLengthOf(next));
    if (!this.#space.hasRoom(size, next === null)) {
      return this.#swapWithRoom(size, keyIn(bytes, start, end), expected, next, batch);
    }
    if (next === null) return this.#bury(keyIn(bytes, start, end), batch);
    return this.#put(bytes, start, end, next, batch);
  }

  /** Deletes the key if what tells its attributes is still at that place; returns whether it was. */
  buryAt(key: Uint8Array, segment: Segment, offset: number, batch: Batch): boolean {
    const hash = this.#hash;
    hash.of(key);
    if (!this.#placements.tells(segment, offset, hash.a, hash.b, hash.c)) return false;
    this.#bury(key, batch);
    return true;
  }

  async #swapLater(
    later: Promise<RecordReader>,
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Promise<Swapped> {
    const hash = this.#hash;
    const placements = this.#placements;
    hash.of(key);
    const { a, b, c } = hash;
    const { segment, offset } = placements;
    const amended = placements.amendmentOf(a, b, c);
    const reader = await later.catch((error) => mayGoUnseen(error, expected, next));
    hash.of(key);
    this.#health.assertWritable();
    if (batch.loss !== undefined) throw batch.loss;
    const isSame = placements.isAt(segment, offset, a, b, c) &&
      placements.amendmentOf(a, b, c) === amended;
    if (!isSame) return await this.swap(key, expected, next, batch);
    if (reader !== null) {
      this.#found.take(reader);
      const refused = this.#found.refusal(expected, next, this.#now());
      if (refused !== undefined) {
        this.#commits.saw(batch, a, b, reader.sequence);
        return refused;
      }
      if (next !== null && this.#amends(expected, next)) {
        return await this.#amend(key, expected, next, batch);
      }
    }
    const size = recordSize(key.length, next === null ? 0 : valueLengthOf(next));
    if (!this.#space.hasRoom(size, next === null)) {
      return await this.#swapWithRoom(size, key, expected, next, batch);
    }
    if (next === null) return this.#bury(key, batch);
    return this.#put(key, 0, key.length, next, batch);
  }

  /** What {@linkcode Found.look} does; `null` where it cannot be read and need not be. */
  #look(
    key: Uint8Array,
    a: number,
    b: number,
    c: number,
    expected: Expected,
    next: NewItem | null,
  ): Promise<RecordReader> | undefined | null {
    try {
      return this.#found.look(key, a, b, c);
    } catch (error) {
      return mayGoUnseen(error, expected, next);
    }
  }

  /** A swap that writes so many bytes, for which room must be made first. */
  async #swapWithRoom(
    size: number,
    givenKey: Uint8Array,
    givenExpected: Expected,
    givenNext: NewItem | null,
    batch: Batch,
  ): Promise<Swapped> {
    const key = givenKey.slice();
    const [expected, next] = copiesOf(givenExpected, givenNext);
    const made = await this.#compactor.makeRoom(size, next === null);
    if (!made) {
      if (this.#space.couldHold(size, next === null)) this.#fill(this.#space.describe(), size);
      throw new OutOfSpaceError(
        `No room for ${size} bytes in '${this.#directory}': ${this.#space.describe()}`,
      );
    }
    return await this.swap(key, expected, next, batch);
  }

  /** Whether a swap of what was looked at last changes attributes only, of a value that is long. */
  #amends(expected: Expected, next: NewItem): boolean {
    return typeof expected === "object" && expected.value === next.value &&
      expected.version !== undefined && this.#placements.size >= this.#amendFrom;
  }

  /** Gives the item that was looked at last other attributes. */
  #amend(
    key: Uint8Array,
    expected: Expected,
    next: NewItem,
    batch: Batch,
  ): Awaitable<Swapped> {
    const room = recordSize(key.length, AMENDMENT_BYTES);
    if (!this.#space.hasRoom(room)) return this.#swapWithRoom(room, key, expected, next, batch);
    const log = this.#log;
    const found = this.#found;
    const cache = this.#cache;
    const { a, b, c } = this.#hash;
    const { base } = found;
    const sequence = ++log.sequence;
    try {
      const size = log.appendAmendment(key, next, sequence, base, this.#hash);
      this.#placements.amend(a, b, c, log.active!, log.offset, size);
      cache.amend(a, b, found.sequence, log.pending.words, log.pendingAt >>> 2, base);
      this.#commits.changed(batch, a, b, false);
    } catch (error) {
      throw log.takeBack(error);
    }
    return this.#uniqueOf(next, sequence);
  }

  /** Stores an item under the key that was hashed last, and lies in `bytes` from `start` to `end`. */
  #put(bytes: Uint8Array, start: number, end: number, next: NewItem, batch: Batch): bigint {
    const log = this.#log;
    const { a, b, c } = this.#hash;
    if (this.#placements.flushed?.remove(a, b, c)) this.replacedFlushed++;
    const sequence = ++log.sequence;
    const length = end - start;
    if (recordSize(length, valueLengthOf(next)) >= LONG) {
      return this.#putLong(bytes, start, length, next, sequence, batch);
    }
    try {
      const size = log.appendItem(bytes, next, sequence, this.#hash, start, length);
      this.#placements.set(a, b, c, log.active!, log.offset, size);
      this.#cache.insert(a, b, log.pending.rest);
      this.#commits.changed(batch, a, b, false);
    } catch (error) {
      throw log.takeBack(error);
    }
    if (log.pending.length > WRITE_AT) {
      this.#commits.wroteEarly(log.pending.length);
      log.writeOut();
    }
    return this.#uniqueOf(next, sequence);
  }

  /** {@linkcode Swaps.#put} of a long record, whose value is written and cached where it lies, or a copy of it. */
  #putLong(
    bytes: Uint8Array,
    start: number,
    length: number,
    next: NewItem,
    sequence: number,
    batch: Batch,
  ): bigint {
    const log = this.#log;
    const cache = this.#cache;
    const { a, b, c } = this.#hash;
    const { value } = next;
    const tail = recordSize(length, value.length) - RECORD_HEADER - length;
    const { giver } = batch;
    const isGiven = giver !== undefined && giver.offers(value) &&
      isWorthKeeping(value, ROOM_BEFORE, tail) && cache.makeRoom(value.buffer.byteLength);
    const memory = isGiven ? giver.give() : takeMemory(ROOM_BEFORE + tail + ROOM_BEHIND);
    const from = isGiven ? value.byteOffset : ROOM_BEFORE;
    // What makes room may give the memory away that the value is a view of.
    if (!isGiven) memory.set(value, from);
    const isKept = isGiven || cache.makeRoom(memory.length);
    memory.fill(0, from + value.length, from + tail);
    const stored = memory.subarray(from, from + tail);
    let head: Uint8Array;
    try {
      const size = log.appendLong(bytes, next, stored, sequence, this.#hash, start, length);
      this.#placements.set(a, b, c, log.active!, log.offset, size);
      this.#commits.changed(batch, a, b, false);
      const { pending, pendingAt } = log;
      head = pending.bytes.subarray(pendingAt + CHECKSUM, pending.length);
      this.#commits.wroteEarly(log.writeLong());
    } catch (error) {
      throw log.takeBack(error);
    }
    // Not before it is written: where that fails, the cache must give no memory away that its request lies in.
    if (isKept) cache.keep(a, b, head, memory, from);
    else {
      cache.forget(a, b);
      giveMemory(memory);
    }
    return this.#uniqueOf(next, sequence);
  }

  /** The cas unique of an item that was stored with that sequence number. */
  #uniqueOf({ cas }: NewItem, sequence: number): bigint {
    if (cas === 0n) return uint64Of(sequence);
    if (cas < FOLLOWED_CAS && cas > sequence) this.#log.sequence = Number(cas);
    return cas;
  }

  /** Deletes the key that was hashed last. */
  #bury(key: Uint8Array, batch: Batch): bigint {
    const log = this.#log;
    const { a, b, c } = this.#hash;
    const sequence = ++log.sequence;
    try {
      log.appendTombstone(key, sequence, 0, this.#hash);
      this.#placements.drop(a, b, c);
      this.#cache.forget(a, b);
      this.#commits.changed(batch, a, b, true);
    } catch (error) {
      throw log.takeBack(error);
    }
    return 0n;
  }
}

/** A key, as a view where it is not all of the bytes. */
function keyIn(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
}

/** Whatever it was, what is damaged can be deleted. */
function mayGoUnseen(error: unknown, expected: Expected, next: NewItem | null): null {
  if (error instanceof UnreadableError && expected === "any" && next === null) return null;
  throw error;
}

/** What a swap needs when its caller's memory has changed. A value that stays is still the same object. */
function copiesOf(expected: Expected, next: NewItem | null): [Expected, NewItem | null] {
  if (next === null) return [expected, null];
  const value = next.value.slice();
  const copy = { ...next, value };
  if (typeof expected !== "object" || expected.value !== next.value) return [expected, copy];
  return [{ ...expected, value }, copy];
}
