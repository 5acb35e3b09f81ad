/** Large values between owner and worker: used where they lie, and lent to those who send them. */

import { assert, assertEquals } from "@std/assert";
import { bytesOf, equalBytes } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { Batch, type NewItem, plain, type Store } from "../../../lib/storage/contract.ts";
import { ItemCursor } from "../../../lib/storage/item_cursor.ts";
import { openMemoryStore } from "../../../lib/storage/memory/mod.ts";
import { Shelf } from "../../../lib/storage/shared/shelf.ts";
import { ShelfReader } from "../../../lib/storage/shared/shelf_reader.ts";
import { between } from "./one_thread.ts";

const options = { clock: systemClock, log: () => {}, limit: 0, evict: true };

/** A value of that many bytes, which is no other's. */
function valueOf(index: number, length: number): Uint8Array {
  const value = new Uint8Array(length);
  for (let i = 0; i < length; i++) value[i] = index * 31 + i * 7 + (i >> 8);
  return value;
}

function itemOf(value: Uint8Array): NewItem {
  return { ...plain, value };
}

Deno.test("large values go and come whole, however many are under way and whichever way they take", async () => {
  // The large rings have room for few of them, so that others travel as messages.
  const { store } = between(openMemoryStore(options), systemClock, { ring: 1 << 15, shelf: 0 });
  const sizes = [0, 500, 16_000, 17_000, 32_700, 33_000, 70_000, 150_000, 260_000, 300_000];
  for (let round = 0; round < 3; round++) {
    const stored = Array.from({ length: 30 }, (_, i) => ({
      key: bytesOf(`k${i}`),
      value: valueOf(i + round, sizes[(i + round) % sizes.length]!),
    }));
    await Promise.all(stored.map(({ key, value }) => {
      // Whoever asked may do with its memory what it wants.
      const own = value.slice();
      const swapped = store.swap(key, "any", itemOf(own), new Batch());
      own.fill(0);
      return swapped;
    }));
    await Promise.all(stored.map(async ({ key, value }) => {
      const item = await store.read(key, new Batch());
      assert(equalBytes(item!.value, value), "a value that was read");
    }));
    await Promise.all(stored.map(({ key, value }) => {
      const cursor = new ItemCursor();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const settle = () => {
        cursor.lender!.borrowers++;
        // Others are told meanwhile, and none of them writes there.
        setTimeout(() => {
          if (!equalBytes(cursor.value, value)) reject(new Error("a value that was lent"));
          cursor.lender!.borrowers--;
          cursor.release();
          resolve();
        });
      };
      const told = (item: unknown) => {
        if (item === cursor) settle();
        else resolve();
      };
      store.readLater(key, 0, key.length, new Batch(), true, {
        cursor,
        settle: told,
        fail: reject,
      });
      return promise;
    }));
  }
  await store.close();
});

Deno.test("a value that a store waits with stays as it is until it has its result, and others go on", async () => {
  const memory = openMemoryStore(options);
  const slow = Promise.withResolvers<void>();
  let looked: Uint8Array | undefined;
  const behind: Store = new Proxy(memory, {
    get(target, name) {
      if (name === "swapAt") return undefined;
      if (name === "swap") {
        return (key: Uint8Array, expected: "any", next: NewItem, batch: Batch) => {
          if (looked !== undefined) return target.swap(key, expected, next, batch);
          looked = next.value;
          return slow.promise.then(() => target.swap(key, expected, next, batch));
        };
      }
      const found = Reflect.get(target, name, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
  const { store } = between(behind, systemClock, { ring: 1 << 15, shelf: 0 });
  const first = store.swap(bytesOf("first"), "any", itemOf(valueOf(1, 60_000)), new Batch());
  // More than the ring has room for, several times.
  for (let i = 2; i < 40; i++) {
    await store.swap(bytesOf("other"), "any", itemOf(valueOf(i, 60_000)), new Batch());
  }
  assert(equalBytes(looked!, valueOf(1, 60_000)), "nothing was written over it");
  slow.resolve();
  await first;
  const item = await store.read(bytesOf("first"), new Batch());
  assert(equalBytes(item!.value, valueOf(1, 60_000)), "it was stored");
  await store.close();
});

Deno.test("a value that there is no memory for fails its own read, and others have theirs", async () => {
  const { store } = between(openMemoryStore(options), systemClock, { shelf: 0 });
  const key = bytesOf("k");
  const value = valueOf(1, 60_000);
  await store.swap(key, "any", itemOf(value), new Batch());
  const failed = Promise.withResolvers<unknown>();
  const waiter = {
    get cursor(): ItemCursor {
      throw new RangeError("Array buffer allocation failed");
    },
    settle: () => failed.reject(new Error("it was told an item")),
    fail: failed.resolve,
  };
  store.readLater(key, 0, key.length, new Batch(), true, waiter);
  const read = await store.read(key, new Batch());
  assertEquals((await failed.promise as Error).message, "Array buffer allocation failed");
  assert(equalBytes(read!.value, value));
  assertEquals(store.inFlight, 0);
  await store.close();
});

Deno.test("what a shelf lends of a large item stays as it is while it is sent, and is used again after that", () => {
  const shelf = new Shelf(1 << 22, 0);
  const reader = new ShelfReader(shelf.memory, 0, systemClock);
  const keys = ["a", "b"].map(bytesOf);
  const values = [valueOf(1, 100_000), valueOf(2, 100_000)];
  const find = (index: number, into: ItemCursor) => {
    const key = keys[index]!;
    reader.hash.of(key);
    return reader.find(key, 0, key.length, 1, true, into);
  };
  for (const [i, key] of keys.entries()) {
    reader.hash.of(key);
    const { a, b } = reader.hash;
    shelf.put(a, b, key, { ...itemOf(values[i]!), version: 1 });
  }
  const [sent, other] = [new ItemCursor(), new ItemCursor()];
  assert(find(0, sent));
  const lender = sent.lender!;
  lender.borrowers++;
  for (let i = 0; i < 3; i++) {
    assert(find(1, other));
    assert(equalBytes(other.value, values[1]!));
  }
  assert(equalBytes(sent.value, values[0]!), "what is sent is as it was");
  const { buffer } = sent.value;
  lender.borrowers--;
  // The memory of the other is taken as well from here on.
  assert(find(1, other));
  other.lender!.borrowers++;
  assert(find(1, other));
  assertEquals(other.value.buffer === buffer, true);
});
