/**
 * With `--fsync always`: which keys have changed since they were last on the medium, and how far the
 * log must be there before a batch that saw them can be answered.
 *
 * @module
 */

import { nameOf } from "../../../key_hash.ts";

/** Stands for all keys. */
const ALL = -1;

/** The keys that are not on the medium as they are now. Positions are the log's. */
export class Unsynced {
  /** Names of keys changed since the last sync began, and between that and its end. */
  readonly #fresh = new Set<number>();
  readonly #syncing = new Set<number>();
  /** What the sync under way covers. */
  #target = 0;

  /** A sync begins that covers everything up to `target`. */
  begins(target: number): void {
    this.#target = target;
    for (const one of this.#fresh) this.#syncing.add(one);
    this.#fresh.clear();
  }

  /** That sync has ended. */
  ends(): void {
    this.#syncing.clear();
  }

  /** Notes that a key has changed. */
  changed(a: number, b: number): void {
    this.#fresh.add(nameOf(a, b));
  }

  /** Notes that all keys have changed. */
  allChanged(): void {
    this.#fresh.add(ALL);
  }

  /**
   * The position from which on a key's state is on the medium; 0 where it is there.
   *
   * @param written the position up to which the log is written, and the key's state is in it
   */
  positionOf(a: number, b: number, written: number): number {
    const fresh = this.#fresh;
    const syncing = this.#syncing;
    if (fresh.size === 0 && syncing.size === 0) return 0;
    const one = nameOf(a, b);
    if (fresh.has(one) || fresh.has(ALL)) return written;
    return syncing.has(one) || syncing.has(ALL) ? this.#target : 0;
  }
}
