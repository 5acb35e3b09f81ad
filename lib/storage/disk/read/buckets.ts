/**
 * The cache's table: buckets of eight ways that lead from a key's hash to the place of its record.
 *
 * A table much larger than what it leads to would cost each look a miss, of the processor's caches and of its
 * translation of addresses. So it begins small, and doubles when too many records find all ways of their bucket
 * taken. The buckets are then divided one after another, from the last to the first, two with each record that
 * comes: nobody waits for more. Their memory is there from the beginning; what is not used of it costs none.
 *
 * @module
 */

import { assert } from "../../../errors.ts";

const WAYS = 8;
/** Words of a bucket: of each way the hash's second word, and the place; 0 is free. */
const BUCKET = WAYS * 2;
const TWO_32 = 2 ** 32;
/** Buckets at the beginning, at least: one page of memory. */
const FEWEST = 64;
/**
 * One of so many buckets has turned a record away: a bucket has three or four on the average then. A fill loses as
 * many records, and each is read from the disk when it is asked for.
 */
const CROWDED = 64;
/** Buckets that are divided with each record that comes. */
const DIVIDED = 2;

/** The table. */
export class Buckets {
  /** {@linkcode Buckets.first} tells where a hash's begin, {@linkcode Buckets.end} where they end. */
  readonly words: Uint32Array<ArrayBuffer>;
  #count: number;
  readonly #most: number;
  /** Of half of them: those that are not yet divided, the first ones. */
  #undivided = 0;
  /** Records that were turned away since the table has doubled. */
  #turnedAway = 0;
  /** Which way is given up next where all are taken. */
  #hand = 0;
  readonly #hashAt: (place: number) => number;
  readonly #divided = new Uint32Array(BUCKET);

  /**
   * @param bytes that it may come to take
   * @param hashAt the first word of the hash of the record at a place
   * @throws {RangeError} where there is no memory for that
   */
  constructor(bytes: number, hashAt: (place: number) => number) {
    const most = Math.floor(bytes / (BUCKET * 4));
    const doublings = most < FEWEST ? 0 : Math.floor(Math.log2(most / FEWEST));
    this.#count = most >>> doublings;
    this.#most = this.#count << doublings;
    this.words = new Uint32Array(this.#most * BUCKET);
    this.#hashAt = hashAt;
  }

  /** Whether there is room for nothing. */
  get isNone(): boolean {
    return this.#count === 0;
  }

  /** The first word of the bucket of a hash. */
  first(a: number): number {
    const bucket = Math.floor(a / TWO_32 * this.#count);
    return (bucket >>> 1 < this.#undivided ? bucket >>> 1 : bucket) * BUCKET;
  }

  /** The word behind the bucket that begins there. */
  end(first: number): number {
    return first + BUCKET;
  }

  /**
   * The way to a record that comes: the one that leads to its key's last record, a free one, or one that
   * another record must leave.
   */
  take(a: number, b: number): number {
    if (this.#undivided !== 0) this.#divide();
    const { words } = this;
    const first = this.first(a);
    let free = -1;
    for (let way = first; way < first + BUCKET; way += 2) {
      if (words[way + 1] === 0) {
        if (free < 0) free = way;
      } else if (words[way] === b) {
        return way;
      }
    }
    if (free >= 0) return free;
    if (++this.#turnedAway * CROWDED > this.#count) this.#grow();
    this.#hand = (this.#hand + 1) % WAYS;
    return first + this.#hand * 2;
  }

  /** The way that leads to a place, -1 if none does. */
  wayOf(a: number, place: number): number {
    const { words } = this;
    const first = this.first(a);
    for (let way = first; way < first + BUCKET; way += 2) {
      if (words[way + 1] === place) return way;
    }
    return -1;
  }

  /** Forgets where the record of a hash is. */
  forget(a: number, b: number): void {
    const { words } = this;
    const first = this.first(a);
    for (let way = first; way < first + BUCKET; way += 2) {
      if (words[way] === b) words[way + 1] = 0;
    }
  }

  #grow(): void {
    if (this.#undivided !== 0 || this.#count === this.#most) return;
    this.#turnedAway = 0;
    this.#undivided = this.#count;
    this.#count *= 2;
  }

  /** Divides the next buckets. Where one was, and where it goes, no other bucket is, or has been left. */
  #divide(): void {
    const { words } = this;
    for (let i = 0; i < DIVIDED && this.#undivided !== 0; i++) {
      const old = --this.#undivided;
      const from = old * BUCKET;
      const divided = this.#divided;
      for (let word = 0; word < BUCKET; word++) {
        divided[word] = words[from + word];
        words[from + word] = 0;
      }
      const lower = old * 2 * BUCKET;
      const upper = lower + BUCKET;
      let [low, high] = [lower, upper];
      for (let word = 0; word < BUCKET; word += 2) {
        const place = divided[word + 1];
        if (place === 0) continue;
        const first = this.first(this.#hashAt(place));
        assert(first === lower || first === upper, "a record is in one of its bucket's halves");
        const way = first === lower ? low : high;
        words[way] = divided[word];
        words[way + 1] = place;
        if (first === lower) low += 2;
        else high += 2;
      }
    }
  }
}
