/**
 * Counts that go up and down: of one thread, or of all threads of a process.
 *
 * @module
 */

/** A count. */
export interface Count {
  readonly value: number;
  /** Adds a number, which may be below zero, and returns the count after that. */
  add(more: number): number;
}

/** A count of one thread. */
export class PlainCount implements Count {
  value = 0;

  add(more: number): number {
    return this.value += more;
  }
}

/** A count in shared memory. A busy server has more than 2^31 connections in its life, and a watcher as many lines. */
export class SharedCount implements Count {
  readonly #words: BigInt64Array;
  readonly #at: number;

  /** @param words of a `SharedArrayBuffer` */
  constructor(words: BigInt64Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  get value(): number {
    return Number(Atomics.load(this.#words, this.#at));
  }

  add(more: number): number {
    return Number(Atomics.add(this.#words, this.#at, BigInt(more))) + more;
  }
}
