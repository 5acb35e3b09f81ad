/**
 * One caller of a store, who has one batch in hand at a time: tests that are not about batches are
 * spared to name them.
 *
 * @module
 */

import type { StoreError } from "../../lib/errors.ts";
import {
  type Awaitable,
  Batch,
  type Change,
  type Expected,
  type Item,
  type Listed,
  type NewItem,
  type Store,
  type StoreInfo,
  type Swapped,
  type Updated,
} from "../../lib/storage/contract.ts";
import type { ItemCursor } from "../../lib/storage/item_cursor.ts";

/** A store as one caller sees it. Another caller of the same store is another of these. */
export class Caller {
  #batch = new Batch();
  /** Whether the key of the last swap stood amid other bytes. */
  #wasAmid = false;

  constructor(readonly store: Store) {}

  /** The caller's time for accesses, in seconds since 1970. */
  set seconds(seconds: number) {
    this.#batch.seconds = seconds;
  }

  /** The error with which the batch in hand will fail, if it will. */
  get loss(): StoreError | undefined {
    return this.#batch.loss;
  }

  read(key: Uint8Array, peek?: boolean): Awaitable<Item | undefined> {
    return this.store.read(key, this.#batch, peek);
  }

  /** What the store tells a waiter that reads, and may bring a cursor; where it has no such reads, nothing. */
  tell(
    key: Uint8Array,
    cursor?: ItemCursor,
  ): Promise<Item | undefined> | undefined {
    const { store } = this;
    if (store.readLater === undefined) return undefined;
    return new Promise((settle, fail) => {
      const waiter = cursor === undefined ? { settle, fail } : { settle, fail, cursor };
      const found = store.readLater!(amid(key), 3, 3 + key.length, this.#batch, true, waiter);
      if (found !== undefined) settle(found);
    });
  }

  /** The store's `find` as a peek, where it has one: the key stands amid other bytes. */
  find(key: Uint8Array, into: ItemCursor): boolean | undefined {
    return this.store.find?.(amid(key), 3, 3 + key.length, this.#batch, true, into);
  }

  /** The store's `swap`, and every other time its `swapAt`, where it has one. */
  swap(key: Uint8Array, expected: Expected, next: NewItem | null): Awaitable<Swapped> {
    const { store } = this;
    this.#wasAmid = store.swapAt !== undefined && !this.#wasAmid;
    if (!this.#wasAmid) return store.swap(key, expected, next, this.#batch);
    const bytes = amid(key);
    const swapped = store.swapAt!(bytes, 3, 3 + key.length, expected, next, this.#batch);
    // Point 2: they are the caller's again.
    if (!(swapped instanceof Promise)) bytes.fill(0);
    return swapped;
  }

  /** The store's own `update`, which it must have. */
  update<R>(key: Uint8Array, change: Change<R>, counts?: boolean): Awaitable<Updated<R>> {
    return this.store.update!(key, change, this.#batch, counts);
  }

  /** Commits what was done so far; what is done from here on is another batch. */
  commit(): Awaitable<void> {
    const batch = this.#batch;
    this.#batch = new Batch(batch.seconds);
    return this.store.commit(batch);
  }

  flush(at: number): Awaitable<void> {
    return this.store.flush(at, this.#batch);
  }

  scan(): AsyncIterable<readonly Listed[]> {
    return this.store.scan();
  }

  info(): StoreInfo {
    return this.store.info();
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

/** A key amid other bytes: three before it, two behind. */
function amid(key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(key.length + 5).fill(0x2e);
  bytes.set(key, 3);
  return bytes;
}

/** A caller of a store that is being opened. */
export async function callerOf(opened: Promise<Store>): Promise<Caller> {
  return new Caller(await opened);
}
