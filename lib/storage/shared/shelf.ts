/**
 * The shelf: items that every thread may read without asking. Only the owner changes it.
 *
 * What is put here is current and committed; the caller sees to that ({@linkcode Owner}).
 *
 * @module
 */

import { assert } from "../../errors.ts";
import type { Item } from "../contract.ts";
import { Field, Mark, marksOf } from "./fields.ts";
import { copy } from "./frames.ts";
import {
  BASE,
  bytesFor,
  checksum,
  ENDS,
  FIELDS,
  FIRST_WAY,
  GENERATION,
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

/** Records are given up this part of the ring ahead, so that readers' oldest position moves seldom. */
const AHEAD = 32;
/** No record takes more than this part of the ring. */
const LARGEST = 16;

/** The owner's view of the shelf. */
export class Shelf {
  /** What threads read from: give it to a {@linkcode ShelfReader}. */
  readonly memory: SharedArrayBuffer;
  /** The longest record, in bytes. */
  readonly longest: number;
  /** Items put here, and taken away because they changed. */
  puts = 0;
  removals = 0;
  readonly #memory: ShelfMemory;
  readonly #units: number;
  /** Where the next record goes, and the oldest that is valid. */
  #tail = 0;
  #low = 0;

  /**
   * @param limit bytes that it may take, at least 128 KiB
   * @param seconds the time now, in seconds since 1970
   */
  constructor(limit: number, seconds: number) {
    let ring = 1 << 16;
    while (bytesFor(ring * 2) <= limit && ring < 2 ** 32) ring *= 2;
    this.memory = ShelfMemory.of(ring, crypto.getRandomValues(new Uint8Array(16)));
    this.#memory = new ShelfMemory(this.memory);
    this.#memory.control[BASE] = seconds;
    this.#units = ring / 8;
    this.longest = ring / LARGEST;
  }

  get hashKey(): Uint8Array {
    return this.#memory.hashKey;
  }

  /** Bytes of memory. */
  get bytes(): number {
    return this.memory.byteLength;
  }

  /**
   * Takes a key away. When this returns no read that begins finds it.
   *
   * @returns when the item was accessed last, in seconds since 1970; 0 where nobody noted that, and -1 where it
   *   was not here
   */
  remove(a: number, b: number): number {
    const { table } = this.#memory;
    const bucket = this.#memory.bucketOf(a);
    const way = this.#find(bucket, b | 0);
    if (way < 0) return -1;
    const version = this.#open(bucket);
    const accessed = this.#seconds(table[way + 3]);
    table[way + 2] = 0;
    this.#close(bucket, version);
    this.removals++;
    return accessed;
  }

  /** Takes everything away. */
  clear(): void {
    this.#moveLow(this.#tail);
  }

  /** Shows nothing from that second on, or ({@linkcode NEVER}) for ever. Seconds since 1970. */
  endAt(second: number): void {
    Atomics.exchange(this.#memory.control, ENDS, Math.min(second, NEVER));
  }

  /** When the key's item was accessed last by a read from here, in seconds since 1970; 0 for never. */
  accessOf(a: number, b: number): number {
    const way = this.#find(this.#memory.bucketOf(a), b | 0);
    return way < 0 ? 0 : this.#seconds(this.#memory.table[way + 3]);
  }

  /** {@linkcode accessOf} an access that this has not returned before. */
  takeAccess(a: number, b: number): number {
    const { table } = this.#memory;
    const way = this.#find(this.#memory.bucketOf(a), b | 0);
    if (way < 0) return 0;
    const note = table[way + 3];
    if ((note & NOTED) === 0 || (note & TOLD) !== 0) return 0;
    Atomics.compareExchange(table, way + 3, note, note | TOLD);
    return this.#seconds(note);
  }

  /**
   * Puts an item here, in the place of the key's last one.
   *
   * @param accessed when it was accessed after what `item` says, in seconds since 1970; -1 for never
   */
  put(a: number, b: number, key: Uint8Array, item: Item, accessed = -1): void {
    const size = RECORD + key.length + item.value.length;
    if (size > this.longest) return;
    const units = size + 7 >>> 3;
    const position = this.#append(units);
    this.#write(position, units, key, item, accessed);
    const { table } = this.#memory;
    const bucket = this.#memory.bucketOf(a);
    const version = this.#open(bucket);
    const way = this.#wayFor(bucket, b | 0);
    table[way] = b;
    table[way + 1] = position;
    table[way + 2] = units;
    const generation = (table[way + 3] & ~(NOTED | TOLD)) + GENERATION | 0;
    Atomics.store(table, way + 3, generation);
    this.#close(bucket, version);
    this.puts++;
  }

  /** Makes a bucket one that nobody reads. */
  #open(bucket: number): number {
    // A read-modify-write: nothing that follows may be seen before it.
    const version = Atomics.add(this.#memory.table, bucket, 1);
    assert((version & 1) === 0, "one thread changes the shelf");
    return version;
  }

  #close(bucket: number, version: number): void {
    Atomics.store(this.#memory.table, bucket, version + 2 | 0);
  }

  #find(bucket: number, b: number): number {
    const { table } = this.#memory;
    const first = bucket + FIRST_WAY;
    for (let way = first; way < first + WAYS * WAY; way += WAY) {
      if (table[way] === b && table[way + 2] !== 0) {
        return (table[way + 1] - this.#low | 0) < 0 ? -1 : way;
      }
    }
    return -1;
  }

  /** The way of a key: the one that it has, a free one, or that of the oldest record. */
  #wayFor(bucket: number, b: number): number {
    const { table } = this.#memory;
    const first = bucket + FIRST_WAY;
    let chosen = first;
    let oldest = 0;
    for (let way = first; way < first + WAYS * WAY; way += WAY) {
      if (table[way] === b) return way;
      const age = table[way + 2] === 0 ? NEVER : this.#tail - table[way + 1] | 0;
      // An age below zero is one of many laps.
      if (age < 0 || age > oldest) {
        chosen = way;
        oldest = age < 0 ? NEVER : age;
      }
    }
    return chosen;
  }

  /** Room for a record, which lies in one piece. What it goes over is out of sight before. */
  #append(units: number): number {
    const mask = this.#memory.mask;
    let position = this.#tail;
    const offset = position & mask;
    if (offset + units > this.#units) position = position + this.#units - offset | 0;
    this.#tail = position + units | 0;
    const low = this.#tail - this.#units | 0;
    if ((low - this.#low | 0) > 0) {
      const ahead = low + this.#units / AHEAD | 0;
      this.#moveLow((ahead - position | 0) > 0 ? position : ahead);
    }
    return position;
  }

  #moveLow(position: number): void {
    this.#low = position;
    // A read-modify-write: nothing that follows may be seen before it.
    Atomics.exchange(this.#memory.control, LOW, position);
  }

  #write(
    position: number,
    units: number,
    key: Uint8Array,
    item: Item,
    accessed: number,
  ): void {
    const { words, bytes, doubles, longs, mask } = this.#memory;
    const unit = position & mask;
    const w = unit * 2;
    const { value, version } = item;
    assert(typeof version === "number", "stores that are shared count their versions");
    words[w + units * 2 - 1] = 0;
    words[w + units * 2 - 2] = 0;
    words[w] = position;
    const marks = marksOf(item) | (accessed < 0 ? 0 : Mark.fetched);
    words[w + 2] = key.length | marks << 8;
    words[w + 3] = value.length;
    words[w + FIELDS + Field.flags] = item.flags;
    words[w + FIELDS + Field.accessed] = accessed < 0 ? item.accessed : accessed;
    doubles[unit + UNITS + Field.exptime] = item.exptime;
    longs[unit + UNITS + Field.cas] = item.cas;
    doubles[unit + UNITS + Field.version] = version;
    const from = unit * 8 + RECORD;
    copy(key, bytes, from);
    copy(value, bytes, from + key.length);
    words[w + 1] = checksum(words, bytes, w, units * 2);
  }

  #seconds(note: number): number {
    const noted = note & NOTED;
    return noted === 0 ? 0 : this.#memory.control[BASE] + noted - 1;
  }
}
