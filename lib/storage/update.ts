/**
 * What commands ask of a store beyond a read and a swap, once for all stores: the loop of read, change
 * and swap, and the write that must not leave an old value behind.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { OutOfSpaceError } from "../errors.ts";
import {
  type Awaitable,
  type Batch,
  type Change,
  isExpired,
  type Item,
  type NewItem,
  type Store,
  type Swapped,
  type Updated,
} from "./contract.ts";

/**
 * Changes an item atomically. Stays without promises where the store does.
 *
 * @param clock the server's clock, which says what has expired.
 * @param counts whether the item was accessed by this: point 16 of the contract.
 * @throws {StoreError} where the store cannot read or write the item.
 */
export function update<R>(
  store: Store,
  clock: Clock,
  key: Uint8Array,
  change: Change<R>,
  batch: Batch,
  counts = false,
): Awaitable<Updated<R>> {
  if (store.update !== undefined) return store.update(key, change, batch, counts);
  for (;;) {
    const found = store.read(key, batch, !counts);
    if (found instanceof Promise) {
      return updateLater(store, clock, key, change, batch, counts, found);
    }
    const item = living(found, clock);
    const { next, result } = change(item);
    if (item !== undefined) batch.changed += item.value.length;
    if (next === undefined || (next === null && item === undefined)) return { cas: 0n, result };
    if (next !== null) batch.changed += next.value.length;
    const swapped = store.swap(key, item ?? "absent", next, batch);
    if (swapped instanceof Promise) {
      return swapped.then((cas) =>
        typeof cas === "bigint" ? { cas, result } : update(store, clock, key, change, batch, counts)
      );
    }
    if (typeof swapped === "bigint") return { cas: swapped, result };
  }
}

async function updateLater<R>(
  store: Store,
  clock: Clock,
  key: Uint8Array,
  change: Change<R>,
  batch: Batch,
  counts: boolean,
  found: Promise<Item | undefined>,
): Promise<Updated<R>> {
  const item = living(await found, clock);
  const { next, result } = change(item);
  if (next !== undefined && next !== null) batch.changed += next.value.length;
  if (next === undefined || (next === null && item === undefined)) return { cas: 0n, result };
  const cas = await store.swap(key, item ?? "absent", next, batch);
  if (typeof cas === "bigint") return { cas, result };
  return await update(store, clock, key, change, batch, counts);
}

function living(found: Item | undefined, clock: Clock): Item | undefined {
  return found !== undefined && isExpired(found, clock.now()) ? undefined : found;
}

/**
 * Puts an item in the place of whatever is there. Where the store has no room for it, what was there
 * is deleted: who gave a key a new value must not read the old one (memcached,
 * `process_update_command`).
 *
 * @throws {OutOfSpaceError} where there was no room; the key has no item then.
 * @throws {StoreError} where the store failed, or could not even delete.
 */
export function overwrite(
  store: Store,
  key: Uint8Array,
  next: NewItem,
  batch: Batch,
): Awaitable<Swapped> {
  try {
    const swapped = store.swap(key, "any", next, batch);
    if (!(swapped instanceof Promise)) return swapped;
    return swapped.catch((error) => clear(store, key, batch, error));
  } catch (error) {
    return clear(store, key, batch, error);
  }
}

/** Deletes what a write that was refused for want of room should have replaced; throws `error`. */
function clear(store: Store, key: Uint8Array, batch: Batch, error: unknown): Promise<never> {
  if (!(error instanceof OutOfSpaceError)) throw error;
  const deleted = store.swap(key, "any", null, batch);
  if (!(deleted instanceof Promise)) throw error;
  return deleted.then(() => {
    throw error;
  });
}
