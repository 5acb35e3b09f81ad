/**
 * Where each key's newest record is: key hash to place, in typed arrays.
 *
 * A thousand open-addressing tables, chosen by the hash, each of which grows by itself: so that no
 * growth moves more than a thousandth of the keys at a time.
 *
 * @module
 */

import { ifThereIsMemory } from "../../../bytes.ts";

/** Words of an entry: three of hash, two of place. */
const ENTRY = 5;
/** Tables of an index. */
export const SHARDS = 1024;
const SHARD_SHIFT = 22;
const SMALLEST = 8;
const FULLEST = 0.8;
const GROWTH = 1.4;
const TWO_32 = 2 ** 32;
/** What a shard without keys has: one place, which is never taken. */
const NO_TABLE = new Uint32Array(ENTRY);

/** The greatest size that a place can tell; it means "to the segment's end". In units of 8 bytes. */
export const ENDLESS = 0x3fffff;
/** The greatest offset that a place can tell, in bytes. */
export const LAST_OFFSET = 0x3ffffff * 8;

/**
 * A place is two words: `high` is the segment's slot (1 to 65535) and the size's lower 16 bits, `low`
 * the size's upper 6 bits and the offset; size and offset in units of 8 bytes.
 */
export function placeHigh(slot: number, size: number): number {
  const units = size >>> 3;
  return (slot << 16 | (units > ENDLESS ? ENDLESS : units) & 0xffff) >>> 0;
}

/** The second word of a place. */
export function placeLow(offset: number, size: number): number {
  const units = size >>> 3;
  return ((units > ENDLESS ? ENDLESS : units) >>> 16 << 26 | offset / 8) >>> 0;
}

/** The offset in bytes that a place tells. */
export function offsetOf(low: number): number {
  return (low & 0x3ffffff) * 8;
}

/** The size in units of 8 bytes that a place tells. */
export function unitsOf(high: number, low: number): number {
  return high & 0xffff | low >>> 26 << 16;
}

/** The index. Hashes are given as three words; places come back in {@linkcode high} and {@linkcode low}. */
export class KeyIndex {
  /** The place that the last call found, or took away. */
  high = 0;
  low = 0;
  /** How many keys there are. */
  size = 0;

  readonly #tables: Uint32Array<ArrayBuffer>[];
  /** Bytes of them. */
  #bytes = 0;
  readonly #counts = new Uint32Array(SHARDS);
  readonly #limits = new Uint32Array(SHARDS);

  /** @param expected about how many keys there will be */
  constructor(expected = 0) {
    this.#tables = new Array<Uint32Array<ArrayBuffer>>(SHARDS).fill(NO_TABLE);
    // A few keys find their tables as they come.
    if (expected < SHARDS * SMALLEST / 2) return;
    for (let shard = 0; shard < SHARDS; shard++) {
      // Not all of them are full at the same number of keys.
      const room = expected / SHARDS * (1 + 0.25 * shard / SHARDS) +
        4 * Math.sqrt(expected / SHARDS);
      this.#resize(shard, Math.max(Math.ceil(room / FULLEST), SMALLEST));
    }
  }

  /** An index of tables that were taken from another, with the keys in each. */
  static of(tables: readonly Uint32Array<ArrayBuffer>[], counts: readonly number[]): KeyIndex {
    const index = new KeyIndex();
    index.#counts.set(counts);
    for (let shard = 0; shard < SHARDS; shard++) {
      // A shard without keys needs no table, and takes one of its own with the first.
      if (counts[shard] > 0) index.#put(shard, tables[shard]);
      index.size += counts[shard];
    }
    return index;
  }

  /** A shard's table as it is until the next call, and how many keys are in it. */
  tableOf(shard: number): Uint32Array {
    return this.#tables[shard];
  }

  countOf(shard: number): number {
    return this.#counts[shard];
  }

  /**
   * Takes out all keys of slots without a length, and returns how many bytes the records of the others
   * take, by their slots.
   *
   * @param lengths bytes of each slot's segment, or 0
   */
  sum(lengths: Float64Array): Float64Array {
    const bytes = new Float64Array(lengths.length);
    const gone: number[] = [];
    for (const table of this.#tables) {
      for (let at = 0; at < table.length; at += ENTRY) {
        const high = table[at + 3];
        if (high === 0) continue;
        const low = table[at + 4];
        const slot = high >>> 16;
        const units = high & 0xffff | low >>> 26 << 16;
        if (lengths[slot] === 0) gone.push(table[at], table[at + 1], table[at + 2]);
        else if (units === ENDLESS) bytes[slot] += lengths[slot] - offsetOf(low);
        else bytes[slot] += units * 8;
      }
    }
    for (let i = 0; i < gone.length; i += 3) this.remove(gone[i], gone[i + 1], gone[i + 2]);
    return bytes;
  }

  /** Takes out the keys that are not to be kept. */
  keep(isKept: (a: number, b: number, c: number) => boolean): void {
    const gone: number[] = [];
    for (const table of this.#tables) {
      for (let at = 0; at < table.length; at += ENTRY) {
        if (table[at + 3] === 0 || isKept(table[at], table[at + 1], table[at + 2])) continue;
        gone.push(table[at], table[at + 1], table[at + 2]);
      }
    }
    for (let i = 0; i < gone.length; i += 3) this.remove(gone[i], gone[i + 1], gone[i + 2]);
  }

  /** Whether the key is there. */
  find(a: number, b: number, c: number): boolean {
    const table = this.#tables[a >>> SHARD_SHIFT];
    const end = table.length;
    let at = Math.floor(b / TWO_32 * (end / ENTRY)) * ENTRY;
    for (;;) {
      const high = table[at + 3];
      if (high === 0) return false;
      if (table[at] === a && table[at + 1] === b && table[at + 2] === c) {
        this.high = high;
        this.low = table[at + 4];
        return true;
      }
      at += ENTRY;
      if (at === end) at = 0;
    }
  }

  /** Sets the key's place; returns whether it had one, which is left in {@linkcode high} and `low`. */
  set(a: number, b: number, c: number, high: number, low: number): boolean {
    const shard = a >>> SHARD_SHIFT;
    const table = this.#tables[shard];
    const end = table.length;
    let at = Math.floor(b / TWO_32 * (end / ENTRY)) * ENTRY;
    for (;;) {
      const old = table[at + 3];
      if (old === 0) break;
      if (table[at] === a && table[at + 1] === b && table[at + 2] === c) {
        this.high = old;
        this.low = table[at + 4];
        table[at + 3] = high;
        table[at + 4] = low;
        return true;
      }
      at += ENTRY;
      if (at === end) at = 0;
    }
    if (this.#counts[shard] === this.#limits[shard]) {
      this.#grow(shard);
      return this.set(a, b, c, high, low);
    }
    table[at] = a;
    table[at + 1] = b;
    table[at + 2] = c;
    table[at + 3] = high;
    table[at + 4] = low;
    this.size++;
    this.#counts[shard]++;
    return false;
  }

  /** Takes the key out; returns whether it was there, and its place as {@linkcode find} does. */
  remove(a: number, b: number, c: number): boolean {
    const shard = a >>> SHARD_SHIFT;
    const table = this.#tables[shard];
    const end = table.length;
    const capacity = end / ENTRY;
    let hole = Math.floor(b / TWO_32 * capacity) * ENTRY;
    for (;;) {
      if (table[hole + 3] === 0) return false;
      if (table[hole] === a && table[hole + 1] === b && table[hole + 2] === c) break;
      hole += ENTRY;
      if (hole === end) hole = 0;
    }
    this.high = table[hole + 3];
    this.low = table[hole + 4];
    // Entries behind the hole move up, unless that would put them before their home.
    let at = hole;
    for (;;) {
      at += ENTRY;
      if (at === end) at = 0;
      if (table[at + 3] === 0) break;
      const home = Math.floor(table[at + 1] / TWO_32 * capacity) * ENTRY;
      const stays = hole < at ? hole < home && home <= at : hole < home || home <= at;
      if (stays) continue;
      table.copyWithin(hole, at, at + ENTRY);
      hole = at;
    }
    table[hole + 3] = 0;
    this.size--;
    const count = --this.#counts[shard];
    if (capacity > 64 && count < capacity / 5) this.#shrink(shard, capacity);
    return true;
  }

  /** Tells the places in a slot that keys of a shard are at; shards are 0 to {@linkcode SHARDS} - 1. */
  each(shard: number, slot: number, told: (high: number, low: number) => void): void {
    const table = this.#tables[shard];
    for (let at = 3; at < table.length; at += ENTRY) {
      const high = table[at];
      if (high >>> 16 === slot) told(high, table[at + 1]);
    }
  }

  /** Bytes of all tables. */
  memory(): number {
    return this.#bytes;
  }

  /** Places for keys in all tables, taken or not. */
  places(): number {
    return this.#bytes / (ENTRY * 4);
  }

  /** How full the tables are, 0 to 1. */
  load(): number {
    return this.#bytes === 0 ? 0 : this.size / this.places();
  }

  #grow(shard: number): void {
    const places = this.#limits[shard] === 0 ? 0 : this.#tables[shard].length / ENTRY;
    // Each table begins a little larger than the one before, so that they grow one after another and
    // not all at the same number of keys.
    const phase = GROWTH ** (shard / SHARDS);
    this.#resize(shard, Math.ceil(places === 0 ? SMALLEST * phase : places * GROWTH));
  }

  #shrink(shard: number, capacity: number): void {
    // One that is too large for its keys is as good as another.
    ifThereIsMemory(() => this.#resize(shard, Math.ceil(capacity / 2)));
  }

  #resize(shard: number, capacity: number): void {
    const old = this.#tables[shard];
    const table = new Uint32Array(capacity * ENTRY);
    const end = table.length;
    for (let from = 0; from < old.length; from += ENTRY) {
      if (old[from + 3] === 0) continue;
      let at = Math.floor(old[from + 1] / TWO_32 * capacity) * ENTRY;
      while (table[at + 3] !== 0) {
        at += ENTRY;
        if (at === end) at = 0;
      }
      for (let word = 0; word < ENTRY; word++) table[at + word] = old[from + word];
    }
    this.#put(shard, table);
  }

  #put(shard: number, table: Uint32Array<ArrayBuffer>): void {
    const old = this.#tables[shard];
    if (old !== NO_TABLE) {
      this.#bytes -= old.byteLength;
      old.buffer.transfer(0);
    }
    this.#bytes += table.byteLength;
    this.#tables[shard] = table;
    this.#limits[shard] = Math.floor(table.length / ENTRY * FULLEST);
  }
}
