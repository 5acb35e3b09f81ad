/**
 * Which keys a listing has returned: Redis's SCAN may return one twice when its table shrinks meanwhile.
 *
 * A key is known by 64 bits of a keyed hash, 8 bytes in a table that is at most two thirds full. Of ten
 * million keys the chance that any two look the same is one in 370,000; the second would be missing.
 * The hash's own key is random, so that nobody can choose keys that look the same.
 *
 * @module
 */

import { KeyHash } from "../../key_hash.ts";

/** A set of keys that takes about 16 bytes each. */
export class Seen {
  /** Places that were looked at in vain. */
  probes = 0;

  readonly #hash = new KeyHash(crypto.getRandomValues(new Uint8Array(16)));
  #table = new Uint32Array(2 * 1024);
  #count = 0;

  /** Notes the key; false if it was there. */
  add(key: Uint8Array): boolean {
    this.#hash.of(key);
    // Both zero means an empty place.
    if (!this.#insert(this.#hash.b, this.#hash.c || 1)) return false;
    if (++this.#count * 3 > this.#table.length) this.#grow();
    return true;
  }

  #insert(high: number, low: number): boolean {
    const table = this.#table;
    const mask = (table.length >> 1) - 1;
    for (let at = (high ^ low) & mask;; at = (at + 1) & mask) {
      const there = table[2 * at + 1];
      if (there === 0) {
        table[2 * at] = high;
        table[2 * at + 1] = low;
        return true;
      }
      if (there === low && table[2 * at] === high) return false;
      this.probes++;
    }
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] !== 0) this.#insert(old[at], old[at + 1]);
    }
  }
}
