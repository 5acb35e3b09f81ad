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
import { ArrivedItem } from "../../lib/storage/arrived_item.ts";
import type { ItemCursor } from "../../lib/storage/item_cursor.ts";

/** A store as one caller sees it. Another caller of the same store is another of these. */
export class Caller {
  #batch = new Batch();
  /** Whether key and value of the last swap stood amid other bytes. */
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

  /** The store's `swap`, and every other time its `swapAt`, where it has one, as a request asks for it. */
  swap(key: Uint8Array, expected: Expected, next: NewItem | null): Awaitable<Swapped> {
    const { store } = this;
    this.#wasAmid = !this.#wasAmid;
    if (!this.#wasAmid) return store.swap(key, expected, next, this.#batch);
    const bytes = amid(key);
    const value = amid(next?.value ?? key);
    const isKept = typeof expected === "object" && expected.value === next?.value;
    const item = next === null || isKept ? next : arrived(value, next);
    const swapped = store.swapAt === undefined
      ? store.swap(key, expected, item, this.#batch)
      : store.swapAt(bytes, 3, 3 + key.length, expected, item, this.#batch);
    // Point 2: they are the caller's again.
    if (!(swapped instanceof Promise)) { for (const its of [bytes, value]) its.fill(0); }
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

/** Bytes amid others: three before them, two behind. */
function amid(key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(key.length + 5).fill(0x2e);
  bytes.set(key, 3);
  return bytes;
}

/** An item as a request brings it, whose value stands amid `bytes`; one with marks, which none brings, as it is. */
function arrived(bytes: Uint8Array, item: NewItem): NewItem {
  const { flags, exptime, cas, stale, won, fetched, accessed, binaryKey } = item;
  if (stale || won || fetched) return item;
  return new ArrivedItem(bytes, 3, bytes.length - 2, flags, exptime, cas, accessed, binaryKey);
}

/** A caller of a store that is being opened. */
export async function callerOf(opened: Promise<Store>): Promise<Caller> {
  return new Caller(await opened);
}
