/**
 * Reading from the shelf: without a lock, without a wait, and never half of an item.
 *
 * docs/architecture.md, "Threads", has the argument. The order of what is done here is part of it.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { KeyHash } from "../../key_hash.ts";
import type { Item } from "../contract.ts";
import { ItemCursor } from "../item_cursor.ts";
import { Field, Mark } from "./fields.ts";
import { LEAST_LENT, Lent } from "./lent.ts";
import {
  BARRIER_LINE,
  BARRIERS,
  BASE,
  checksum,
  ENDS,
  FEW_WORDS,
  FIELDS,
  FIRST_WAY,
  LOW,
  NEVER,
  NOTED,
  RECORD,
  ShelfMemory,
  TOLD,
  UNITS,
  WAY,
  WAYS,
} from "./shelf_memory.ts";

/** Words of a copy at first, and of one in memory that its value may be sent from. */
const FIRST_COPY = 1024;
const LENT_WORDS = LEAST_LENT / 4;

/** One thread's view of the shelf. */
export class ShelfReader {
  /** The hash of the key that was looked for last, or hashed with {@linkcode KeyHash.of}. */
  readonly hash: KeyHash;
  /** Reads that found an item, and those that lost a race. */
  hits = 0;
  races = 0;
  readonly #memory: ShelfMemory;
  readonly #barrier: number;
  readonly #clock: Clock;
  /** The checksum of the copy. */
  #sums = 0;
  /** The copy of a record, which belongs to this thread alone. */
  #words!: Int32Array;
  #bytes!: Uint8Array;
  #doubles!: Float64Array;
  #view!: DataView;
  readonly #found = new ItemCursor();
  /** The memory that all copies of small records are made in, and that of a large one, if it was the last. */
  #own!: Copy;
  #lent: Lent | undefined;

  /** @param reader which of the threads that read this is, from 0 */
  constructor(memory: SharedArrayBuffer, reader: number, clock: Clock) {
    this.#memory = new ShelfMemory(memory);
    this.hash = new KeyHash(this.#memory.hashKey);
    this.#barrier = BARRIERS + BARRIER_LINE * reader;
    this.#clock = clock;
    this.#grow(FIRST_COPY);
  }

  /** {@linkcode find}, with an object for the item. */
  read(key: Uint8Array, seconds: number, peek: boolean): Item | undefined {
    const found = this.#found;
    if (!this.find(key, 0, key.length, seconds, peek, found)) return undefined;
    const { value, flags, exptime, cas, stale, won, fetched, accessed, binaryKey, version } = found;
    return { value, flags, exptime, cas, stale, won, fetched, accessed, binaryKey, version };
  }

  /**
   * Shows the item of the key that was hashed last, if the shelf has it. It is valid until the next call. The key
   * lies in `bytes` from `start` on.
   *
   * @param seconds the time of the access, in seconds since 1970
   * @param peek whether the read is no access
   */
  find(
    bytes: Uint8Array,
    start: number,
    length: number,
    seconds: number,
    peek: boolean,
    into: ItemCursor,
  ): boolean {
    const { control, table } = this.#memory;
    const { a, b } = this.hash;
    const bucket = this.#memory.bucketOf(a);
    const version = Atomics.load(table, bucket);
    if ((version & 1) !== 0) return this.#lost();
    const way = this.#find(bucket, b | 0);
    if (way < 0) return false;
    const position = table[way + 1];
    const units = table[way + 2];
    const note = table[way + 3];
    if ((position - Atomics.load(control, LOW) | 0) < 0) return false;
    const offset = position & this.#memory.mask;
    // What was read under a version that has changed may be anything.
    if (units < RECORD / 8 || offset + units > this.#memory.mask + 1) return this.#lost();
    this.#copy(offset * 2, units * 2);
    // Nothing above may be done after what is below: an atomic read-modify-write is a full barrier.
    Atomics.add(control, this.#barrier, 0);
    if (Atomics.load(table, bucket) !== version) return this.#lost();
    if ((position - Atomics.load(control, LOW) | 0) < 0) return this.#lost();
    if (!this.#isProven(position, units * 2, bytes, start, length)) return this.#lost();
    const ends = Atomics.load(control, ENDS);
    if (ends !== NEVER && this.#clock.now() >= ends * 1000) return false;
    const base = control[BASE];
    if (!peek && !this.#note(way + 3, note, seconds - base + 1)) return false;
    this.#show(note & NOTED, base, into);
    this.hits++;
    return true;
  }

  #lost(): false {
    this.races++;
    return false;
  }

  #find(bucket: number, b: number): number {
    const { table } = this.#memory;
    const first = bucket + FIRST_WAY;
    for (let way = first; way < first + WAYS * WAY; way += WAY) {
      if (table[way] === b && table[way + 2] !== 0) return way;
    }
    return -1;
  }

  /** Notes an access. Where somebody else was faster that was an access too, or the entry is gone. */
  #note(at: number, note: number, second: number): boolean {
    // The clock was set back, or the shelf is older than a note can tell: the owner is to note it.
    if (second < 1 || second > NOTED) return false;
    if ((note & NOTED) === second) return true;
    const noted = note & ~(NOTED | TOLD) | second;
    Atomics.compareExchange(this.#memory.table, at, note, noted);
    return true;
  }

  /** Copies a record and sums up what was copied. */
  #copy(from: number, count: number): void {
    const { words } = this.#memory;
    // Nobody looks at the last item any more, but for those who send it.
    if (this.#lent !== undefined) this.#takeBack();
    if (count >= LENT_WORDS) this.#lend(count);
    else if (count > this.#words.length) this.#grow(count);
    const to = this.#words;
    if (count > FEW_WORDS) {
      to.set(words.subarray(from, from + count));
      this.#sums = checksum(to, this.#bytes, 0, count);
      return;
    }
    to[0] = words[from];
    to[1] = words[from + 1];
    // As in checksum(), in the same pass.
    let sum = count;
    let sums = 0;
    for (let i = 2; i < count; i++) {
      const word = to[i] = words[from + i];
      sum = sum + word | 0;
      sums = sums + sum | 0;
    }
    this.#sums = sums;
  }

  #grow(count: number): void {
    this.#use(this.#own = copyIn(new ArrayBuffer((count + 1 & ~1) * 4), 0, count + 1 & ~1));
  }

  #lend(count: number): void {
    const lent = this.#lent = new Lent(count * 4);
    this.#use(copyIn(lent.bytes.buffer, lent.roomBefore, count));
  }

  #takeBack(): void {
    this.#lent!.release();
    this.#lent = undefined;
    this.#use(this.#own);
  }

  #use({ words, bytes, doubles, view }: Copy): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#doubles = doubles;
    this.#view = view;
  }

  /** Whether the copy is the record of the key that was at that position. */
  #isProven(
    position: number,
    count: number,
    key: Uint8Array,
    start: number,
    length: number,
  ): boolean {
    const words = this.#words;
    const bytes = this.#bytes;
    if (words[0] !== position || (words[2] & 0xff) !== length) return false;
    if (RECORD + length + (words[3] >>> 0) > count * 4) return false;
    for (let i = 0; i < length; i++) if (bytes[RECORD + i] !== key[start + i]) return false;
    return this.#sums === words[1];
  }

  /** Shows what was copied. */
  #show(second: number, base: number, into: ItemCursor): void {
    const words = this.#words;
    const marks = words[2] >>> 8;
    const from = RECORD + (words[2] & 0xff);
    const cas = (UNITS + Field.cas) * 2;
    into.place(this.#bytes, this.#view, from, from + (words[3] >>> 0));
    into.lender = this.#lent;
    into.flags = words[FIELDS + Field.flags] >>> 0;
    into.exptime = this.#doubles[UNITS + Field.exptime];
    into.casLow = words[cas] >>> 0;
    into.casHigh = words[cas + 1] >>> 0;
    into.stale = (marks & Mark.stale) !== 0;
    into.won = (marks & Mark.won) !== 0;
    into.fetched = second !== 0 || (marks & Mark.fetched) !== 0;
    into.accessed = second === 0 ? words[FIELDS + Field.accessed] >>> 0 : base + second - 1;
    into.binaryKey = (marks & Mark.binaryKey) !== 0;
    into.version = this.#doubles[UNITS + Field.version];
  }
}

/** Memory of a copy, seen as numbers of all sizes. */
interface Copy {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly doubles: Float64Array;
  readonly view: DataView;
}

/** So many words of some memory, an even number, from a byte on that begins a unit of 8. */
function copyIn(memory: ArrayBuffer, from: number, count: number): Copy {
  return {
    words: new Int32Array(memory, from, count),
    bytes: new Uint8Array(memory, from, count * 4),
    doubles: new Float64Array(memory, from, count / 2),
    view: new DataView(memory, from, count * 4),
  };
}
