/**
 * The one loop of read, change and swap, for every command that depends on what is there: `append`,
 * `incr`, `touch`, `replace` and meta's modes.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { type Awaitable, type Change, isExpired, type Item, type Store } from "./store.ts";

/**
 * Changes an item atomically. Stays without promises where the store does.
 *
 * @param clock the server's clock, which says what has expired.
 * @returns the cas unique of what `change` stored, 0 where it deleted or left things as they are.
 * @throws {StoreError} where the store cannot read or write the item.
 */
export function update(
  store: Store,
  clock: Clock,
  key: Uint8Array,
  change: Change,
): Awaitable<bigint> {
  if (store.update !== undefined) return store.update(key, change);
  for (;;) {
    const found = store.read(key);
    if (found instanceof Promise) {
      return updateLater(store, clock, key, change, found);
    }
    const swapped = swapOnce(store, clock, key, change, found);
    if (swapped instanceof Promise) {
      return swapped.then((result) =>
        typeof result === "bigint" ? result : update(store, clock, key, change)
      );
    }
    if (typeof swapped === "bigint") return swapped;
  }
}

async function updateLater(
  store: Store,
  clock: Clock,
  key: Uint8Array,
  change: Change,
  found: Promise<Item | undefined>,
): Promise<bigint> {
  const swapped = await swapOnce(store, clock, key, change, await found);
  return typeof swapped === "bigint" ? swapped : update(store, clock, key, change);
}

function swapOnce(
  store: Store,
  clock: Clock,
  key: Uint8Array,
  change: Change,
  found: Item | undefined,
) {
  const item = found !== undefined && isExpired(found, clock.now()) ? undefined : found;
  const next = change(item);
  if (next === undefined || (next === null && item === undefined)) return 0n;
  return store.swap(key, item ?? "absent", next);
}
