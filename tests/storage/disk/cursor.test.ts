/** Reads by a cursor, as a get does them, where no other read of the key has come before. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { AdjustableClock } from "../../../lib/clock.ts";
import { StoreError } from "../../../lib/errors.ts";
import { Batch } from "../../../lib/storage/contract.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { ItemCursor } from "../../../lib/storage/item_cursor.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

const k = bytesOf("k");

async function use() {
  const clock = new AdjustableClock();
  const store = await openDiskStore({
    directory: "d",
    files: new FaultyFiles(new Random(1)),
    clock,
    fsync: "no",
    memoryLimit: 1 << 18,
    log: () => {},
  });
  await store.swap(k, "any", itemOf("v", { accessed: 500 }), new Batch());
  const cursor = new ItemCursor();
  return {
    clock,
    store,
    cursor,
    own: (name: string) => Number(new Map(store.info().own).get(name)),
    find: (peek: boolean, seconds = 0) => {
      if (!store.find!(k, 0, k.length, new Batch(seconds), peek, cursor)) return undefined;
      const value = binaryString(cursor.value);
      return [value, cursor.fetched, cursor.accessed];
    },
  };
}

Deno.test("a read by a cursor is counted, and the next shows it as an access unless it peeked", async () => {
  const { store, own, find } = await use();
  assertEquals(find(true, 600), ["v", false, 500]);
  assertEquals(find(false, 700), ["v", false, 500]);
  assertEquals(find(true, 800), ["v", true, 700]);
  assertEquals([own("reads"), own("cache_hits")], [3, 3]);
  await store.close();
  assertThrows(() => find(true), StoreError, "closed");
});

Deno.test("a read by a cursor finds nothing of what a flush takes that has come due", async () => {
  const { store, clock, find } = await use();
  await store.flush(clock.now() + 100_000, new Batch());
  clock.offset += 10_000;
  assertEquals(find(true), ["v", false, 500]);
  clock.offset += 100_000;
  assertEquals(find(true), undefined);
  assertEquals(await store.read(k, new Batch()), undefined);
  await store.close();
});

Deno.test("a cursor shows all 64 bits of a cas unique", async () => {
  const { store, cursor, find } = await use();
  const cas = 0xfedcba9876543210n;
  assertEquals(await store.swap(k, "any", itemOf("v", { cas }), new Batch()), cas);
  find(true);
  assertEquals(cursor.cas, cas);
  await store.close();
});

Deno.test("reads by a cursor keep items in memory, and peeks do not", async () => {
  const { store, cursor } = await use();
  const keys = Array.from(
    { length: 40 },
    (_, i) => bytesOf(`${i % 2 === 0 ? "peeked" : "read"}${i}`),
  );
  const find = (i: number, peek: boolean) =>
    store.find!(keys[i], 0, keys[i].length, new Batch(), peek, cursor) === true;
  const set = async (key: Uint8Array) => {
    const batch = new Batch();
    await store.swap(key, "any", itemOf("x".repeat(200)), batch);
    await store.commit(batch);
  };
  for (const key of keys) await set(key);
  for (let i = 0; i < 3000; i++) {
    if (i % 50 === 0) { for (let n = 0; n < keys.length; n++) find(n, n % 2 === 0); }
    await set(bytesOf(`other${i}`));
  }
  const kept = keys.map((_, n) => n).filter((n) => find(n, true));
  assertEquals(kept.filter((n) => n % 2 === 0), []);
  // The hash, which is another each time, makes a few of them go for others.
  assert(kept.length > 10, `${kept.length} of 20`);
  await store.close();
});
