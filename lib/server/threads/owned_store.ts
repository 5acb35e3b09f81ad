/**
 * A store as the thread that owns it uses it beside what the workers ask: as a whole, not item by item.
 *
 * @module
 */

import type { Batch, Item, Listed, Store, StoreInfo, Swapped } from "../../storage/contract.ts";

/** How the whole is flushed and listed. */
export interface Ways {
  flush(at: number): Promise<void>;
  scan(): AsyncIterable<readonly Listed[]>;
  info(): StoreInfo;
  close(): Promise<void>;
}

/** The store. */
export class OwnedStore implements Store {
  readonly removeExpired: Store["removeExpired"];
  readonly limitMemory: Store["limitMemory"];
  readonly moment: Store["moment"];

  readonly #store: Store;
  readonly #ways: Ways;

  /** @param kept bytes of its memory that are used elsewhere */
  constructor(store: Store, ways: Ways, kept = 0) {
    this.#store = store;
    this.#ways = ways;

    this.removeExpired = store.removeExpired && (() => store.removeExpired!());
    this.moment = store.moment && ((whole) => store.moment!(whole));
    this.limitMemory = store.limitMemory &&
      ((bytes) => store.limitMemory!(Math.max(0, bytes - kept)));
  }

  read(): Item | undefined {
    throw new Error("items are read by the workers");
  }

  swap(): Swapped {
    throw new Error("items are changed by the workers");
  }

  commit(batch: Batch): void | Promise<void> {
    return this.#store.commit(batch);
  }

  flush(at: number): Promise<void> {
    return this.#ways.flush(at);
  }

  scan(): AsyncIterable<readonly Listed[]> {
    return this.#ways.scan();
  }

  get momentPosition(): number | undefined {
    return this.#store.momentPosition;
  }

  info(): StoreInfo {
    return this.#ways.info();
  }

  close(): Promise<void> {
    return this.#ways.close();
  }
}
