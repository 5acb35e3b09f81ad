/**
 * Readings of the whole store for clients: how many are under way.
 *
 * Each keeps a store busy, and pins what it reads; one that is sent to its client also lasts as long as
 * that takes.
 *
 * @module
 */

import { type Count, PlainCount } from "../count.ts";
import { assert } from "../errors.ts";

/** Listings that are sent concurrently, at most; memcached has one. */
export const MAX_LISTINGS = 2;

/** The listings of one server. */
export class Listings {
  /** Listings ended because their clients did not take them. */
  kicks = 0;
  readonly #running: Count;
  /** The counts and lists of `stats`: one is made, the others wait for their turn. */
  #counting: Promise<void> = Promise.resolve();

  /**
   * @param patience how long a client may take for a part of a listing, in milliseconds
   * @param running where listings are counted
   */
  constructor(readonly patience = 20_000, running: Count = new PlainCount()) {
    this.#running = running;
  }

  /** Listings that are sent now. */
  get running(): number {
    return this.#running.value;
  }

  /** Begins to send a listing; false where there are too many. {@linkcode end} it. */
  begin(): boolean {
    if (this.#running.add(1) <= MAX_LISTINGS) return true;
    this.#running.add(-1);
    return false;
  }

  end(): void {
    assert(this.#running.add(-1) >= 0, "a listing ends that was not begun");
  }

  /** Makes a count or a list of the store or the connections, one after the other. */
  async count(make: () => Promise<void>): Promise<void> {
    const before = this.#counting;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#counting = promise;
    await before;
    try {
      await make();
    } finally {
      resolve();
    }
  }
}
