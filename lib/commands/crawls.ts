/**
 * Searches for expired items that a client has asked for: one at a time.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { Store } from "../storage/contract.ts";

/** The searches of one server. */
export class Crawls {
  #running = false;

  /** Whether one is under way. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Begins one, if the store has such a thing; nobody waits for it. */
  run(store: Store, log: (line: string) => void): void {
    if (store.removeExpired === undefined) return;
    this.#running = true;
    store.removeExpired()
      .catch((error) => log(`the search for expired items failed: ${messageOf(error)}`))
      .finally(() => this.#running = false);
  }
}
