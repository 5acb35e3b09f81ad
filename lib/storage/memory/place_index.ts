/**
 * Where each key's record is: an entry of 8 bytes a key, in pages of memory as records have them.
 *
 * An entry is a word of the key's hash and a place. A directory leads from the hash to a page, which is
 * an open-addressing table of fixed size; a page that is full is split in two, and two that are nearly
 * empty become one (extendible hashing). So no growth moves more than a page of keys, and what one
 * page returns another part of the store can use: the C library's heap would keep the holes.
 *
 * Pages are not equally likely: the last is twice as likely as the first, with all degrees between, so that
 * they fill up one after another and not all at the same number of keys.
 *
 * Two keys may have the same word: the caller compares the key of the record itself, and goes on with
 * {@linkcode PlaceIndex.next}.
 *
 * @module
 */

import { assert } from "../../errors.ts";

/** Words of an entry: one of hash, one of place. */
const ENTRY = 2;
const FULLEST = 0.8;
/** Two pages become one that is no fuller than this. */
const MERGED = 0.3;
/** Bits of a directory at most. */
const DEEPEST = 24;
const TWO_32 = 2 ** 32;
/** To divide takes three times as long as to multiply. */
const THIRD = 1 / 3;

/** Where the index has its pages from: all of one size, a power of two of bytes. */
export interface Pages {
  /** A page of zeros. */
  takePage(): Uint32Array<ArrayBuffer>;
  /** Takes back a page that is not needed any more. */
  givePage(words: Uint32Array<ArrayBuffer>): void;
}

/** The keys of a part of the directory. */
class Page {
  count = 0;

  /** @param depth how many bits of the directory's number its keys have in common */
  constructor(readonly words: Uint32Array<ArrayBuffer>, public depth: number) {}
}

/** The index. A hash is 32 bits, unsigned; a place is any number from 1 to 2^32 - 1. */
export class PlaceIndex {
  /** How many keys there are. */
  size = 0;
  /** How many pages there are. */
  pages = 1;
  /** Entries that were looked at in vain: the work that keys cause each other. */
  probes = 0;
  /** Bits of a directory's number. */
  depth = 0;

  readonly #from: Pages;
  #directory: Page[];
  /** The entries of a page, less one. */
  readonly #mask: number;
  readonly #fullest: number;
  readonly #merged: number;
  /** The entry that was found last. */
  #page: Page;
  #at = 0;

  constructor(from: Pages) {
    this.#from = from;
    this.#page = new Page(from.takePage(), 0);
    this.#directory = [this.#page];
    const entries = this.#page.words.length / ENTRY;
    this.#mask = entries - 1;
    this.#fullest = Math.floor(entries * FULLEST);
    this.#merged = Math.floor(entries * MERGED);
    assert((entries & this.#mask) === 0, "a page has a power of two of entries");
  }

  /** Homes of a page: where its keys' entries would be if each were alone. */
  get homes(): number {
    return this.#mask + 1;
  }

  /** The first place that may be the key's, 0 for none. */
  first(hash: number): number {
    const page = this.#directory[slotOf(hash, this.#directory.length)];
    const { words } = page;
    const mask = words.length - 1;
    // Said to be unsigned, it is compared as an integer.
    const word = hash >>> 0;
    let at = (word & this.#mask) * ENTRY;
    for (;;) {
      const place = words[at + 1];
      if (place === 0) return 0;
      if (words[at] === word) {
        this.#page = page;
        this.#at = at;
        return place;
      }
      this.probes++;
      at = at + ENTRY & mask;
    }
  }

  /** The next place that may be the key's, after one that was not; 0 for none. */
  next(hash: number): number {
    const { words } = this.#page;
    const mask = words.length - 1;
    let at = this.#at;
    for (;;) {
      this.probes++;
      at = at + ENTRY & mask;
      const place = words[at + 1];
      if (place === 0) return 0;
      if (words[at] !== hash) continue;
      this.#at = at;
      return place;
    }
  }

  /** Finds the entry of a place that is there. */
  find(hash: number, place: number): void {
    let found = this.first(hash);
    while (found !== place) {
      assert(found !== 0, "the index has the place of each record that is there");
      found = this.next(hash);
    }
  }

  /** Points the entry that was found last at another place. */
  replace(place: number): void {
    this.#page.words[this.#at + 1] = place;
  }

  /**
   * Makes room for one more key with that hash.
   *
   * @throws {OutOfSpaceError} where there is no page to be had; nothing has changed then
   */
  reserve(hash: number): void {
    for (;;) {
      const page = this.#directory[slotOf(hash, this.#directory.length)];
      if (page.count < this.#fullest) return;
      this.#split(page, hash);
    }
  }

  /** Adds a key for which there is room. */
  insert(hash: number, place: number): void {
    const page = this.#directory[slotOf(hash, this.#directory.length)];
    assert(page.count < this.#fullest, "the index has room for a key before it comes");
    this.#put(page, hash, place);
    this.size++;
  }

  /** Takes out the entry that was found last. */
  remove(): void {
    const page = this.#page;
    const { words } = page;
    const mask = words.length - 1;
    let hole = this.#at;
    const hash = words[hole];
    // Entries behind the hole move up, unless that would put them before their home.
    for (let at = hole;;) {
      at = at + ENTRY & mask;
      if (words[at + 1] === 0) break;
      const home = (words[at] & this.#mask) * ENTRY;
      const stays = hole < at ? hole < home && home <= at : hole < home || home <= at;
      if (stays) continue;
      words[hole] = words[at];
      words[hole + 1] = words[at + 1];
      hole = at;
    }
    words[hole + 1] = 0;
    this.size--;
    page.count--;
    assert(page.count >= 0, "a page has no fewer than no keys");
    if (page.depth > 0 && page.count < this.#merged / 2) this.#merge(page, hash);
  }

  /**
   * Tells the places of the keys that are in part `slot` of 2^`depth` parts of the directory, and whose
   * home in their page is from `from` up to but not including `to`. A key has one part and one home
   * for ever: parts and ranges one after the other, whatever changes between them, tell each key
   * that stays exactly once.
   */
  within(
    slot: number,
    depth: number,
    from: number,
    to: number,
    told: (place: number) => void,
  ): void {
    const directory = this.#directory;
    const parts = 2 ** depth;
    // The part may be several pages meanwhile, or a part of one.
    const first = Math.floor(directory.length / parts * slot);
    const last = Math.ceil(directory.length / parts * (slot + 1));
    let before: Page | undefined;
    for (let i = first; i < last; i++) {
      const page = directory[i];
      if (page === before) continue;
      before = page;
      const { words } = page;
      // An entry is at its home or behind it, with no free entry between them.
      for (let home = from;; home++) {
        const at = (home & this.#mask) * ENTRY;
        const place = words[at + 1];
        if (place === 0 && home >= to - 1) break;
        if (place === 0) continue;
        const hash = words[at];
        const its = hash & this.#mask;
        if (its >= from && its < to && slotOf(hash, parts) === slot) told(place);
      }
    }
  }

  #put(page: Page, hash: number, place: number): void {
    const { words } = page;
    const mask = words.length - 1;
    let at = (hash & this.#mask) * ENTRY;
    while (words[at + 1] !== 0) at = at + ENTRY & mask;
    words[at] = hash;
    words[at + 1] = place;
    page.count++;
  }

  /** Splits the page of a hash: the keys of its upper half go to another. */
  #split(page: Page, hash: number): void {
    assert(page.depth < DEEPEST, "hashes fill the directory evenly");
    const upper = new Page(this.#from.takePage(), page.depth + 1);
    if (page.depth === this.depth) {
      this.#directory = this.#directory.flatMap((one) => [one, one]);
      this.depth++;
    }
    this.pages++;
    page.depth++;
    const directory = this.#directory;
    // The numbers that the page had, of which the upper half is the other's.
    const span = 2 ** (this.depth - page.depth);
    const first = slotOf(hash, directory.length) & ~(2 * span - 1);
    directory.fill(upper, first + span, first + 2 * span);
    const old = page.words.slice();
    page.words.fill(0);
    page.count = 0;
    for (let at = 0; at < old.length; at += ENTRY) {
      if (old[at + 1] === 0) continue;
      this.#put(directory[slotOf(old[at], directory.length)], old[at], old[at + 1]);
    }
  }

  /** Makes one page of a hash's page and its neighbour, if that is nearly empty too. */
  #merge(page: Page, hash: number): void {
    const directory = this.#directory;
    const span = 2 ** (this.depth - page.depth);
    const own = slotOf(hash, directory.length) & ~(span - 1);
    const other = directory[own ^ span];
    if (other.depth !== page.depth || page.count + other.count > this.#merged) return;
    const { words } = other;
    for (let at = 0; at < words.length; at += ENTRY) {
      if (words[at + 1] !== 0) this.#put(page, words[at], words[at + 1]);
    }
    const first = own & ~span;
    directory.fill(page, first, first + 2 * span);
    page.depth--;
    this.pages--;
    this.#from.givePage(words);
  }
}

/**
 * The part of the directory that a hash is in, of `parts`. The hash stands for a number from 0 to 1,
 * and the part for another, x (4 - x) / 3, whose density doubles from one end to the other.
 */
function slotOf(hash: number, parts: number): number {
  const x = hash / TWO_32;
  return Math.floor(x * (4 - x) * THIRD * parts);
}
