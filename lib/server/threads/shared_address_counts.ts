/**
 * Counts by IP address in shared memory, for all threads of a server.
 *
 * An address is known by 64 bits of a keyed hash, and is in one of {@linkcode WINDOW} entries from its home on.
 * Where all of them are taken it is not counted: the table has several times as many entries as there may be
 * connections, so that this is rare, and lets somebody in.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { KeyHash } from "../../key_hash.ts";
import type { AddressCounts } from "../address_counts.ts";

/** Words of an entry: two of hash, a count, and the second that it is of. */
const ENTRY = 4;
const WINDOW = 32;
/** Words before the entries: the lock, and the key of the hash. */
const LOCK = 0;
const HASH_KEY = 4;
const FIRST = 16;
/** The fewest entries. */
const LEAST = 1 << 12;

/** Counts of all threads. */
export class SharedAddressCounts implements AddressCounts {
  readonly #words: Int32Array;
  readonly #hash: KeyHash;
  readonly #entries: number;
  readonly #second: () => number;

  /**
   * @param memory of {@linkcode SharedAddressCounts.memory}
   * @param second the second that counts are of; always the same where they are not of one second
   */
  constructor(memory: SharedArrayBuffer, second: () => number = () => 0) {
    this.#words = new Int32Array(memory);
    this.#hash = new KeyHash(new Uint8Array(memory.slice(HASH_KEY * 4, HASH_KEY * 4 + 16)));
    this.#entries = (this.#words.length - FIRST) / ENTRY - WINDOW;
    this.#second = second;
  }

  /** Memory for so many addresses. */
  static memory(addresses: number): SharedArrayBuffer {
    const entries = Math.max(LEAST, addresses * 4) + WINDOW;
    const memory = new SharedArrayBuffer((FIRST + entries * ENTRY) * 4);
    new Uint8Array(memory).set(crypto.getRandomValues(new Uint8Array(16)), HASH_KEY * 4);
    return memory;
  }

  enter(address: string, most: number): boolean {
    return this.#locked(address, (at, isThere) => {
      if (at < 0) return true;
      const words = this.#words;
      const count = isThere ? words[at + 2]! : 0;
      if (count >= most) return false;
      words[at] = this.#hash.a;
      words[at + 1] = this.#hash.b;
      words[at + 2] = count + 1;
      words[at + 3] = this.#second();
      return true;
    });
  }

  leave(address: string): void {
    this.#locked(address, (at, isThere) => {
      if (isThere && this.#words[at + 2]! > 0) this.#words[at + 2]!--;
    });
  }

  clear(): void {}

  /** Finds the entry of an address, or one for it, and -1 for neither, while no other thread changes any. */
  #locked<T>(address: string, change: (at: number, isThere: boolean) => T): T {
    const words = this.#words;
    this.#hash.of(bytesOf(address));
    const { a, b } = this.#hash;
    const second = this.#second();
    while (Atomics.compareExchange(words, LOCK, 0, 1) !== 0) Atomics.wait(words, LOCK, 1, 1);
    try {
      const first = FIRST + Math.floor(a / 2 ** 32 * this.#entries) * ENTRY;
      let free = -1;
      for (let at = first; at < first + WINDOW * ENTRY; at += ENTRY) {
        const isFree = words[at + 2] === 0 || words[at + 3] !== second;
        if (isFree) free = free < 0 ? at : free;
        else if (words[at] === (a | 0) && words[at + 1] === (b | 0)) return change(at, true);
      }
      return change(free, false);
    } finally {
      Atomics.store(words, LOCK, 0);
      Atomics.notify(words, LOCK, 1);
    }
  }
}
