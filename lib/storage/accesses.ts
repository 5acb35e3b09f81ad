/**
 * Who was read lately, for stores that write nothing on a read and keep no items in memory: a table of
 * fixed size, in which the accesses that are longest ago make room for others.
 *
 * An entry speaks of one version of a key: an item that takes its place starts anew. A key is known by
 * 64 bits of a hash whose key is random, so that nobody can choose keys that push out others.
 *
 * @module
 */

import { KeyHash } from "../key_hash.ts";

/** Entries that a key can be in. */
const WAYS = 8;
/** Items whose last access is known: 20 bytes of memory each. */
const ENTRIES = 1 << 17;

/** The times of last accesses. */
export class Accesses {
  readonly #hash = new KeyHash(crypto.getRandomValues(new Uint8Array(16)));
  readonly #buckets: number;
  /** Two words of hash and one of seconds since 1970 an entry. */
  readonly #words: Uint32Array;
  /** The version that an entry speaks of; 0 for none. */
  readonly #versions: Float64Array;

  /** @param entries a multiple of 8 */
  constructor(entries = ENTRIES) {
    this.#buckets = entries / WAYS;
    this.#words = new Uint32Array(entries * 3);
    this.#versions = new Float64Array(entries);
  }

  /** When that version was accessed last, in seconds since 1970; -1 where that is not known. */
  of(key: Uint8Array, version: number): number {
    const entry = this.#find(key);
    return entry >= 0 && this.#versions[entry] === version ? this.#words[entry * 3 + 2] : -1;
  }

  /**
   * Notes an access, and returns what {@linkcode of} did before.
   *
   * @param version not 0
   * @param seconds since 1970
   */
  note(key: Uint8Array, version: number, seconds: number): number {
    const words = this.#words;
    const versions = this.#versions;
    let entry = this.#find(key);
    if (entry >= 0 && versions[entry] === version) {
      const before = words[entry * 3 + 2];
      words[entry * 3 + 2] = seconds;
      return before;
    }
    if (entry < 0) entry = this.#oldest();
    words[entry * 3] = this.#hash.b;
    words[entry * 3 + 1] = this.#hash.c;
    words[entry * 3 + 2] = seconds;
    versions[entry] = version;
    return -1;
  }

  /** The entry of the key, -1 for none. */
  #find(key: Uint8Array): number {
    this.#hash.of(key);
    const { b, c } = this.#hash;
    const words = this.#words;
    const first = this.#first();
    for (let entry = first; entry < first + WAYS; entry++) {
      if (words[entry * 3] === b && words[entry * 3 + 1] === c && this.#versions[entry] !== 0) {
        return entry;
      }
    }
    return -1;
  }

  /** The entry that the key which was looked for last is to take. */
  #oldest(): number {
    const words = this.#words;
    const first = this.#first();
    let oldest = first;
    for (let entry = first; entry < first + WAYS; entry++) {
      if (this.#versions[entry] === 0) return entry;
      if (words[entry * 3 + 2] < words[oldest * 3 + 2]) oldest = entry;
    }
    return oldest;
  }

  #first(): number {
    return Math.floor(this.#hash.a / 4294967296 * this.#buckets) * WAYS;
  }
}
