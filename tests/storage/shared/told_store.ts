/** A store whose reads and swaps go by waiters (point 19 of the contract), seen as any other. */

import { assert } from "@std/assert";
import type {
  Awaitable,
  Batch,
  Expected,
  Item,
  NewItem,
  Store,
  Swapped,
  Waiter,
} from "../../../lib/storage/contract.ts";

/** The same store, asked in the other way. */
export function toldStore(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "read") return read;
      if (name === "swap") return swap;
      const found = Reflect.get(target, name, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });

  function read(key: Uint8Array, batch: Batch, peek = false): Awaitable<Item | undefined> {
    const { waiter, told, returns } = waiting<Item | undefined>();
    const found = store.readLater!(key, 0, key.length, batch, peek, waiter);
    returns();
    return found ?? told;
  }

  function swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Promise<Swapped> {
    const { waiter, told, returns } = waiting<Swapped>();
    store.swapLater!(key, expected, next, batch, waiter);
    returns();
    return told;
  }
}

/** A waiter that is told once, and not before the call has returned. */
function waiting<T>() {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let isTold = false;
  let hasReturned = false;
  const once = () => {
    assert(hasReturned, "a waiter is told after the call has returned");
    assert(!isTold, "a waiter is told once");
    isTold = true;
  };
  const waiter: Waiter<T> = {
    settle(result) {
      once();
      resolve(result);
    },
    fail(error) {
      once();
      reject(error);
    },
  };
  return { waiter, told: promise, returns: () => hasReturned = true };
}
