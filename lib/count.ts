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

/** A count in shared memory. */
export class SharedCount implements Count {
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param words of a `SharedArrayBuffer` */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  get value(): number {
    return Atomics.load(this.#words, this.#at);
  }

  add(more: number): number {
    return Atomics.add(this.#words, this.#at, more) + more;
  }
}
