/** What owner and worker do with what goes wrong between them. */

import { assertEquals, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { StoreError } from "../../../lib/errors.ts";
import type { Batch, Item, Store } from "../../../lib/storage/contract.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { openMemoryStore } from "../../../lib/storage/memory/mod.ts";
import { Caller, callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { between } from "./one_thread.ts";

/** A store whose peeks go to a medium that is slow, and cannot be read. */
function unreadable(store: Store, peeked: () => void): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "read") return read;
      const found = Reflect.get(target, name, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });

  function read(key: Uint8Array, batch: Batch, peek = false) {
    if (!peek) return store.read(key, batch);
    peeked();
    return Promise.reject(new StoreError("Cannot read"));
  }
}

Deno.test("an item that the owner cannot read for the shelf is stored nevertheless, and ends nothing", async () => {
  const memory = openMemoryStore({ clock: systemClock, log: () => {}, limit: 0, evict: true });
  let peeks = 0;
  const caller = await callerOf(
    Promise.resolve(between(unreadable(memory, () => peeks++), systemClock).store),
  );
  const key = bytesOf("k");
  await caller.swap(key, "any", itemOf("one"));
  // What was read since it was stored is on the shelf, and its next value is put there.
  await caller.read(key);
  await caller.read(key);
  await caller.swap(key, "any", itemOf("two"));
  assertEquals(peeks, 1);
  assertEquals(binaryString((await caller.read(key))!.value), "two");
  await caller.close();
});

Deno.test("a call that could not be asked waits for no answer, and the next ones have theirs", async () => {
  const memory = openMemoryStore({ clock: systemClock, log: () => {}, limit: 0, evict: true });
  const { store } = between(memory, systemClock);
  const caller = await callerOf(Promise.resolve(store));
  const key = bytesOf("k");
  await caller.swap(key, "any", itemOf("one"));
  // No store that is shared has such versions, so that the frame cannot be filled.
  const foreign = { cas: 1n, version: "text" };
  await assertRejects(
    async () => await caller.swap(key, foreign, itemOf("two")),
    Error,
    "versions",
  );
  assertEquals(store.inFlight, 0);
  assertEquals(binaryString((await caller.read(key))!.value), "one");
  await caller.swap(key, "any", itemOf("three"));
  assertEquals(binaryString((await caller.read(key))!.value), "three");
  await caller.close();
});

for (const commit of ["immediately", "later"]) {
  Deno.test(`an item that cannot be sent fails its own call, where commits are over ${commit}`, async () => {
    const memory = openMemoryStore({ clock: systemClock, log: () => {}, limit: 0, evict: true });
    const behind: Store = new Proxy(memory, {
      get(target, name) {
        // No store that is shared has such versions, so that the frame cannot be filled.
        if (name === "read") {
          return (key: Uint8Array, batch: Batch) => {
            const item = target.read(key, batch);
            return binaryString(key) === "bad" ? { ...item, version: "text" } : item;
          };
        }
        if (name === "commit" && commit === "later") return () => committing;
        const found = Reflect.get(target, name, target);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    const committing = Promise.resolve();
    const { store } = between(behind, systemClock, { shelf: 0 });
    const [bad, good] = ["bad", "good"].map(bytesOf);
    const callers = [new Caller(store), new Caller(store), new Caller(store)];
    await callers[0]!.swap(bad, "any", itemOf("one"));
    await callers[0]!.swap(good, "any", itemOf("two"));
    const reads = [bad, good, good].map(async (key, i) => await callers[i]!.read(key));
    await assertRejects(() => reads[0]!, Error, "versions");
    for (const read of reads.slice(1)) assertEquals(binaryString((await read)!.value), "two");
    assertEquals(store.inFlight, 0);
    await store.close();
  });
}

for (const kind of ["memory", "disk"]) {
  Deno.test(`a swap that is refused forgets no access that only the shelf knows: ${kind}`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-shared-" });
    try {
      const options = { clock: systemClock, log: () => {} };
      const behind = kind === "memory"
        ? openMemoryStore({ ...options, limit: 0, evict: true })
        : await openDiskStore({ ...options, directory, fsync: "no", memoryLimit: 1 << 22 });
      const { store, reader } = between(behind, systemClock);
      const caller = await callerOf(Promise.resolve(store));
      const key = bytesOf("k");
      await caller.swap(key, "any", itemOf("one"));
      // A peek is no access, and puts the item on the shelf.
      await caller.read(key, true);
      const seconds = Math.floor(systemClock.now() / 1000);
      caller.seconds = seconds;
      await caller.read(key);
      assertEquals(reader!.hits, 1);
      assertEquals(await caller.swap(key, { cas: 99n }, itemOf("two")), "exists");
      const { fetched, accessed } = (await caller.read(key, true))!;
      assertEquals([fetched, accessed], [true, seconds]);
      await caller.close();
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

for (const fails of [false, true]) {
  const what = fails ? "fails" : "is refused";
  Deno.test(`a swap that waits and ${what} forgets no access that only the shelf knows`, async () => {
    const memory = openMemoryStore({ clock: systemClock, log: () => {}, limit: 0, evict: true });
    let waits = false;
    const swap: Store["swap"] = async (...call) => {
      if (!waits) return await memory.swap(...call);
      await Promise.resolve();
      if (fails) throw new StoreError("the disk is away");
      return await memory.swap(...call);
    };
    const behind = new Proxy(memory, {
      get(target, name) {
        if (name === "swap") return swap;
        if (name === "swapAt") return undefined;
        const found = Reflect.get(target, name, target);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    const { store } = between(behind, systemClock);
    const caller = await callerOf(Promise.resolve(store));
    const key = bytesOf("k");
    await caller.swap(key, "any", itemOf("one"));
    await caller.read(key, true);
    const seconds = caller.seconds = Math.floor(systemClock.now() / 1000);
    await caller.read(key);
    waits = true;
    const swapped = Promise.resolve(caller.swap(key, { cas: 99n }, itemOf("two")));
    if (fails) await assertRejects(() => swapped, StoreError, "away");
    else assertEquals(await swapped, "exists");
    const { fetched, accessed } = (await caller.read(key, true))!;
    assertEquals([fetched, accessed], [true, seconds]);
    await caller.close();
  });
}

Deno.test("a change of attributes alone asks the owner without the value, which is written no second time", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-shared-" });
  try {
    const behind = await openDiskStore({
      ...{ directory, fsync: "no", memoryLimit: 1 << 22, clock: systemClock, log: () => {} },
    });
    const caller = await callerOf(Promise.resolve(between(behind, systemClock).store));
    const key = bytesOf("k");
    const value = "v".repeat(100_000);
    await caller.swap(key, "any", itemOf(value));
    const amended = () => behind.info().own.find(([name]) => name === "amended_items")![1];
    assertEquals(amended(), 0);
    const item = (await caller.read(key, true))!;
    const exptime = systemClock.now() + 100_000;
    assertEquals(typeof await caller.swap(key, item, { ...item, exptime }), "bigint");
    const touched: Item = (await caller.read(key, true))!;
    assertEquals([touched.exptime, touched.cas], [exptime, item.cas]);
    assertEquals(binaryString(touched.value), value);
    assertEquals(amended(), 1);
    // The state from before the touch is no state of it any more.
    assertEquals(await caller.swap(key, item, { ...item, exptime: 0 }), "exists");
    await caller.swap(key, "any", null);
    assertEquals(await caller.swap(key, touched, { ...touched, exptime: 0 }), "absent");
    await caller.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
