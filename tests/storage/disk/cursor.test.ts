/** Reads by a cursor, as a get does them, where no other read of the key has come before. */

import { assertEquals, assertThrows } from "@std/assert";
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
      const value = binaryString(cursor.bytes.subarray(cursor.start, cursor.end));
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

for (const peek of [true, false]) {
  Deno.test(`a read by a cursor ${peek ? "that peeks does not keep" : "keeps"} an item in memory`, async () => {
    const { store, find } = await use();
    for (let i = 0; i < 3000; i++) {
      if (i % 50 === 0) find(peek);
      const batch = new Batch();
      await store.swap(bytesOf(`other${i}`), "any", itemOf("x".repeat(200)), batch);
      await store.commit(batch);
    }
    assertEquals(find(true) !== undefined, !peek);
    await store.close();
  });
}
