/**
 * Where each key's record is: 8 bytes a key, in typed arrays outside the JavaScript heap.
 *
 * A thousand open-addressing tables, chosen by the first word of the key's hash, each of which grows
 * and shrinks by itself, so that no growth moves more than a thousandth of the keys at a time. An
 * entry is the hash's second word and a place. Two keys may share an entry's word: who asks compares
 * the key of the record itself, and goes on with {@linkcode PlaceIndex.next}.
 *
 * @module
 */

import { assert, OutOfSpaceError } from "../../errors.ts";

/** Words of an entry: one of hash, one of place. */
const ENTRY = 2;
/** Tables of an index. */
export const SHARDS = 1024;
const SHARD_SHIFT = 22;
/** Entries of the smallest table. All tables of that size are 64 KiB, which do not count. */
const SMALLEST = 8;
const FULLEST = 0.8;
const EMPTIEST = 0.2;
const GROWTH = 1.4;
const TWO_32 = 2 ** 32;

/** The table of a shard without keys, which all such shards share: it is never written. */
const nothing = new Uint32Array(ENTRY);

/** The index. A place is any number from 1 to 2^32 - 1. */
export class PlaceIndex {
  /** How many keys there are. */
  size = 0;
  /** Bytes of all tables beyond the smallest. */
  bytes = 0;
  /** Entries that were looked at in vain: the work that keys cause each other. */
  probes = 0;

  readonly #tables: Uint32Array<ArrayBuffer>[] = new Array(SHARDS).fill(nothing);
  readonly #counts = new Uint32Array(SHARDS);
  readonly #limits = new Uint32Array(SHARDS);
  /** The entry that was found last. */
  #shard = 0;
  #at = 0;

  /** The first place that may be the key's, 0 for none. */
  first(a: number, b: number): number {
    const shard = a >>> SHARD_SHIFT;
    const table = this.#tables[shard];
    const end = table.length;
    let at = Math.floor(b / TWO_32 * (end / ENTRY)) * ENTRY;
    for (;;) {
      const place = table[at + 1];
      if (place === 0) return 0;
      if (table[at] === b) {
        this.#shard = shard;
        this.#at = at;
        return place;
      }
      this.probes++;
      at += ENTRY;
      if (at === end) at = 0;
    }
  }

  /** The next place that may be the key's, after one that was not; 0 for none. */
  next(b: number): number {
    const table = this.#tables[this.#shard];
    let at = this.#at;
    for (;;) {
      this.probes++;
      at += ENTRY;
      if (at === table.length) at = 0;
      const place = table[at + 1];
      if (place === 0) return 0;
      if (table[at] !== b) continue;
      this.#at = at;
      return place;
    }
  }

  /** Finds the entry of a place that is there. */
  find(a: number, b: number, place: number): void {
    let found = this.first(a, b);
    while (found !== place) {
      assert(found !== 0, "the index has the place of each record that is there");
      found = this.next(b);
    }
  }

  /** Points the entry that was found last at another place. */
  replace(place: number): void {
    this.#tables[this.#shard][this.#at + 1] = place;
  }

  /**
   * Makes room for one more key with that hash.
   *
   * @throws {OutOfSpaceError} where the system has no memory for that; nothing has changed then
   */
  reserve(a: number): void {
    const shard = a >>> SHARD_SHIFT;
    if (this.#counts[shard] < this.#limits[shard]) return;
    const capacity = this.#tables[shard].length / ENTRY;
    // A table grows the less the further behind its shard is, so that not all grow at one moment.
    const growth = GROWTH + 0.2 * (shard / SHARDS - 0.5);
    this.#resize(shard, Math.max(SMALLEST, Math.ceil(capacity * growth)));
  }

  /** Adds a key for which there is room. */
  insert(a: number, b: number, place: number): void {
    const shard = a >>> SHARD_SHIFT;
    assert(
      this.#counts[shard] < this.#limits[shard],
      "the index has room for a key before it comes",
    );
    put(this.#tables[shard], b, place);
    this.#counts[shard]++;
    this.size++;
  }

  /** Takes out the entry that was found last. */
  remove(): void {
    const shard = this.#shard;
    const table = this.#tables[shard];
    const end = table.length;
    const capacity = end / ENTRY;
    let hole = this.#at;
    // Entries behind the hole move up, unless that would put them before their home.
    for (let at = hole;;) {
      at += ENTRY;
      if (at === end) at = 0;
      if (table[at + 1] === 0) break;
      const home = Math.floor(table[at] / TWO_32 * capacity) * ENTRY;
      const stays = hole < at ? hole < home && home <= at : hole < home || home <= at;
      if (stays) continue;
      table[hole] = table[at];
      table[hole + 1] = table[at + 1];
      hole = at;
    }
    table[hole + 1] = 0;
    this.size--;
    const count = --this.#counts[shard];
    if (capacity > SMALLEST && count < capacity * EMPTIEST) {
      this.#resize(shard, Math.max(SMALLEST, Math.ceil(capacity / 2)));
    }
  }

  /** How many keys a shard has, 0 to {@linkcode SHARDS} - 1. */
  countOf(shard: number): number {
    return this.#counts[shard];
  }

  /**
   * Tells the places of a shard's keys whose hash's second word is from `from` up to but not
   * including `to`. A key has one such word for ever, so that ranges one after the other, with any
   * change between them, tell each key that stays exactly once.
   */
  within(shard: number, from: number, to: number, told: (place: number) => void): void {
    const table = this.#tables[shard];
    const end = table.length;
    const capacity = end / ENTRY;
    const first = Math.floor(from / TWO_32 * capacity) * ENTRY;
    const last = Math.floor((to - 1) / TWO_32 * capacity) * ENTRY;
    // An entry is at its home or behind it, with no free entry between them.
    for (let at = first, looked = 0; looked < capacity; looked++) {
      const place = table[at + 1];
      if (place === 0 && first + looked * ENTRY >= last) return;
      if (place !== 0 && table[at] >= from && table[at] < to) told(place);
      at += ENTRY;
      if (at === end) at = 0;
    }
  }

  /** Takes out everything. */
  clear(): void {
    this.#tables.fill(nothing);
    this.#counts.fill(0);
    this.#limits.fill(0);
    this.size = this.bytes = 0;
  }

  #resize(shard: number, capacity: number): void {
    const old = this.#tables[shard];
    let table;
    try {
      table = new Uint32Array(capacity * ENTRY);
    } catch {
      if (capacity * ENTRY < old.length) return;
      throw new OutOfSpaceError("the system has no memory for more keys");
    }
    for (let from = 0; from < old.length; from += ENTRY) {
      if (old[from + 1] !== 0) put(table, old[from], old[from + 1]);
    }
    this.#tables[shard] = table;
    this.#limits[shard] = Math.floor(capacity * FULLEST);
    assert(this.#counts[shard] < this.#limits[shard], "a table of the index has a free entry");
    const least = SMALLEST * ENTRY;
    this.bytes += (table.length - Math.max(old.length, least)) * 4;
    // The memory is free now, and not when the collector comes to it.
    if (old.length > least) old.buffer.transfer(0);
  }
}

/** Puts an entry at its home, or behind it. */
function put(table: Uint32Array, b: number, place: number): void {
  const end = table.length;
  let at = Math.floor(b / TWO_32 * (end / ENTRY)) * ENTRY;
  while (table[at + 1] !== 0) {
    at += ENTRY;
    if (at === end) at = 0;
  }
  table[at] = b;
  table[at + 1] = place;
}
