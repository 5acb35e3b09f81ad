/**
 * A map for keys that clients choose.
 *
 * V8 hashes strings with secrets that are the same in every process of one Deno: an attacker that knows them
 * makes thousands of strings that a `Map` compares one by one. Here the hash has a random key of its own.
 *
 * @module
 */

import { equalBytes } from "./bytes.ts";
import { KeyHash } from "./key_hash.ts";

/** Buckets at the beginning; a power of two, as later too. */
const FEWEST = 16;

class Entry<V> {
  /** The next of the same bucket. */
  chain: Entry<V> | undefined;
  /** The neighbours in the order in which the keys came. */
  before: Entry<V> | undefined;
  after: Entry<V> | undefined;
  isGone = false;

  constructor(readonly key: Uint8Array, readonly hash: number, public value: V) {}
}

/** A map from runs of bytes to values. It goes through them in the order in which their keys came. */
export class KeyedMap<V> {
  /** Keys that there are. */
  size = 0;
  /** Entries that were looked at on the way to those that were asked for. */
  comparisons = 0;

  readonly #hash: KeyHash;
  #buckets: Array<Entry<V> | undefined> = new Array(FEWEST).fill(undefined);
  #oldest: Entry<V> | undefined;
  #newest: Entry<V> | undefined;

  /** @param secret 16 bytes that nobody else knows */
  constructor(secret: Uint8Array = crypto.getRandomValues(new Uint8Array(16))) {
    this.#hash = new KeyHash(secret);
  }

  get(key: Uint8Array): V | undefined {
    return this.#find(key)?.value;
  }

  /** Sets the key's value. A key that is new goes to the end, and is copied. */
  set(key: Uint8Array, value: V): void {
    const there = this.#find(key);
    if (there !== undefined) {
      there.value = value;
      return;
    }
    if (this.size >= this.#buckets.length) this.#grow();
    const entry = new Entry(key.slice(), this.#hash.a, value);
    this.#chain(entry);
    entry.before = this.#newest;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.after = entry;
    this.#newest = entry;
    this.size++;
  }

  /** Takes the key out; returns whether it was there. */
  delete(key: Uint8Array): boolean {
    const entry = this.#find(key);
    if (entry === undefined) return false;
    const bucket = entry.hash & this.#buckets.length - 1;
    const first = this.#buckets[bucket]!;
    if (first === entry) this.#buckets[bucket] = entry.chain;
    else {
      let one = first;
      while (one.chain !== entry) one = one.chain!;
      one.chain = entry.chain;
    }
    const { before, after } = entry;
    if (before === undefined) this.#oldest = after;
    else before.after = after;
    if (after === undefined) this.#newest = before;
    else after.before = before;
    entry.isGone = true;
    this.size--;
    return true;
  }

  clear(): void {
    if (this.size === 0) return;
    this.#buckets = new Array(FEWEST).fill(undefined);
    this.#oldest = this.#newest = undefined;
    this.size = 0;
  }

  /** The keys and values, the key that came first first. Keys may be deleted meanwhile. */
  *[Symbol.iterator](): Generator<[key: Uint8Array, value: V]> {
    for (let entry = this.#oldest; entry !== undefined; entry = entry.after) {
      if (!entry.isGone) yield [entry.key, entry.value];
    }
  }

  /** The key's entry; the key's hash is in hand then. */
  #find(key: Uint8Array): Entry<V> | undefined {
    this.#hash.of(key);
    const { a } = this.#hash;
    let entry = this.#buckets[a & this.#buckets.length - 1];
    while (entry !== undefined) {
      this.comparisons++;
      if (entry.hash === a && equalBytes(entry.key, key)) return entry;
      entry = entry.chain;
    }
    return undefined;
  }

  #chain(entry: Entry<V>): void {
    const bucket = entry.hash & this.#buckets.length - 1;
    entry.chain = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
  }

  #grow(): void {
    this.#buckets = new Array(this.#buckets.length * 2).fill(undefined);
    for (let entry = this.#oldest; entry !== undefined; entry = entry.after) this.#chain(entry);
  }
}
