/**
 * Which keys are being changed: what is read of one meanwhile must not be put on the shelf.
 *
 * Keys are told apart by some bits of their hash. Two keys that share them hold up each other's way to the shelf,
 * and nothing else.
 *
 * @module
 */

import { assert } from "../../errors.ts";

const SLOTS = 1 << 14;
const SHIFT = 32 - 14;

/** The changes that were begun, and that are under way. `a` is the first word of a key's hash, unsigned. */
export class Changes {
  readonly #begun = new Uint32Array(SLOTS);
  readonly #running = new Uint32Array(SLOTS);
  /** Changes of all keys. */
  #allBegun = 0;
  #allRunning = 0;

  /** A change of the key begins, which must {@linkcode end}. */
  begin(a: number): void {
    this.#begun[a >>> SHIFT]++;
    this.#running[a >>> SHIFT]++;
  }

  end(a: number): void {
    const running = this.#running[a >>> SHIFT]--;
    assert(running > 0, "a change ends that was not begun");
  }

  /** The key has changed. */
  changed(a: number): void {
    this.#begun[a >>> SHIFT]++;
  }

  /** A change of all keys begins, which must {@linkcode endAll}. */
  beginAll(): void {
    this.#allBegun++;
    this.#allRunning++;
  }

  endAll(): void {
    assert(this.#allRunning > 0, "a change ends that was not begun");
    this.#allRunning--;
  }

  /** What tells whether a change of the key was begun since: give it to {@linkcode isCurrent}. */
  stamp(a: number): number {
    return this.#begun[a >>> SHIFT] + this.#allBegun * 4294967296;
  }

  /** Whether no change of the key was begun since the stamp was taken, and none is under way. */
  isCurrent(a: number, stamp: number): boolean {
    return this.#running[a >>> SHIFT] === 0 && this.#allRunning === 0 && this.stamp(a) === stamp;
  }
}
