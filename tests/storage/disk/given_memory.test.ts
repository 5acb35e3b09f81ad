/** Values that the disk store writes from the memory that a connection has received them into, and keeps there. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytesOf, type Lender, takeMemory } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { Batch, type Expected, type Item, type Swapped } from "../../../lib/storage/contract.ts";
import { ItemCursor } from "../../../lib/storage/item_cursor.ts";
import { Arrived } from "../arrived.ts";
import type { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { Random } from "./faulty_files.ts";
import { Place } from "./place.ts";

const MIB = 2 ** 20;
const SEGMENT = 4 * MIB;

function place(memoryLimit = 64 * MIB): Place {
  return new Place({ memoryLimit, segmentBytes: SEGMENT });
}

function cacheOf({ store }: Caller): number {
  return Number(store.info().own.find(([name]) => name === "cache_bytes")![1]);
}

/** The item of a key, where no segment has to be read for it. */
function cached({ store }: Caller, key: string): Item {
  const found = store.read(bytesOf(key), new Batch());
  assert(found !== undefined && !(found instanceof Promise));
  return found;
}

function lenderOf({ store }: Caller, key: string): Lender {
  const cursor = new ItemCursor();
  assert(store.find!(bytesOf(key), 0, key.length, new Batch(), true, cursor));
  return cursor.lender!;
}

Deno.test("disk store: a large value stays in the memory that it has arrived in, and is in the log", async () => {
  const disk = place();
  const store = await disk.open();
  const sizes = [70_000, 70_001, 500_000, MIB];
  const keys = ["k", "k".repeat(250)];
  for (const size of sizes) {
    for (const key of keys.map((key) => key.slice(0, -6) + `${size}`.slice(-6))) {
      const arrived = new Arrived(key, size);
      assertEquals(typeof arrived.set(store.store), "bigint");
      assert(arrived.isGiven && arrived.isWhole);
      const { value, flags } = cached(store, key);
      assertEquals([value.buffer === arrived.memory.buffer, value.length, flags], [true, size, 7]);
      assert(value.every((byte) => byte === 0x76));
      assertEquals(arrived.input.memory, 2 ** 11);
      assert(lenderOf(store, key).roomBefore >= 304);
    }
  }
  await store.close();
  const again = await disk.open();
  for (const size of sizes) {
    for (const key of keys.map((key) => key.slice(0, -6) + `${size}`.slice(-6))) {
      const item = await again.read(bytesOf(key));
      assertEquals([item?.value.length, item?.flags], [size, 7], key);
      assert(item!.value.every((byte) => byte === 0x76));
    }
  }
  await again.close();
});

Deno.test("disk store: what was received behind a value is still received, and is not in the record", async () => {
  const disk = place();
  const store = await disk.open();
  const arrived = new Arrived("k", 100_001, "get abc\r\n");
  arrived.set(store.store);
  assert(arrived.isGiven);
  const { bytes, start, end } = arrived.input;
  assertEquals(new TextDecoder().decode(bytes.subarray(start, end)), "get abc\r");
  await store.close();
  // Its padding is of zeros, which a check of the format would see.
  const [name] = disk.files.list("d").filter((name) => name.endsWith(".log"));
  const record = disk.files.content(`d/${name}`).subarray(64, 64 + 48 + 1 + 100_001 + 6);
  assertEquals([...record.subarray(-7)], [0x76, 0, 0, 0, 0, 0, 0]);
});

Deno.test("disk store: a set that is refused leaves its memory with the connection", async () => {
  const store = await place().open();
  await store.swap(bytesOf("there"), "any", itemOf("x".repeat(100_000)));
  const refused: Array<[key: string, expected: Expected, swapped: Swapped]> = [
    ["there", "absent", "exists"],
    ["there", { cas: 999n }, "exists"],
    ["missing", { cas: 1n }, "absent"],
  ];
  for (const [key, expected, swapped] of refused) {
    const before = cacheOf(store);
    const arrived = new Arrived(key, 100_000);
    assertEquals(arrived.set(store.store, expected), swapped);
    assert(!arrived.isGiven && arrived.isWhole, key);
    assertEquals(cacheOf(store), before);
  }
  await store.close();
});

Deno.test("disk store: what is small, waits, lies in much more memory, or is not cached is copied", async () => {
  const disk = place();
  const store = await disk.open();
  const small = new Arrived("k", 65_000);
  const pinned = new Arrived("k", 100_000);
  pinned.input.pin();
  const loose = new Arrived("k", 100_000, "", 120_000);
  assert(loose.memory.length > 120_000);
  for (const arrived of [small, pinned, loose]) {
    assertEquals(typeof arrived.set(store.store), "bigint");
    assert(!arrived.isGiven && arrived.isWhole);
    assert(cached(store, "k").value.buffer !== arrived.memory.buffer);
  }
  await store.close();
  const without = await disk.open({ memoryLimit: 0 });
  const arrived = new Arrived("k", 100_000);
  assertEquals(typeof arrived.set(without.store), "bigint");
  assert(!arrived.isGiven && arrived.isWhole);
  assertEquals((await without.read(bytesOf("k")))?.value.length, 100_000);
  await without.close();
});

Deno.test("disk store: a large value that cannot be written is not there, and its request can still be read", async () => {
  const disk = place();
  const store = await disk.open();
  await store.swap(bytesOf("k"), "any", itemOf("before"));
  await store.commit();
  // Once before the header is written, once before the value.
  for (const part of [0, 1]) {
    let written = 0;
    disk.files.fault = (operation) =>
      operation === "write" && written++ === part ? "EIO" : undefined;
    const arrived = new Arrived("k", 100_000);
    assertThrows(() => arrived.set(store.store), StoreError);
    assert(arrived.isGiven && arrived.isWhole);
    // Nobody else writes there before it is answered.
    assert(takeMemory(arrived.memory.length) !== arrived.memory);
    disk.files.fault = () => undefined;
    assertEquals((await store.read(bytesOf("k")))?.value, bytesOf("before"));
    assertEquals(typeof new Arrived("k", 80_000).set(store.store), "bigint");
    assertEquals(cached(store, "k").value.length, 80_000);
    await store.swap(bytesOf("k"), "any", itemOf("before"));
    await store.commit();
  }
  await store.close();
  const again = await disk.open();
  assertEquals((await again.read(bytesOf("k")))?.value, bytesOf("before"));
  await again.close();
});

Deno.test("disk store: with values that are given, copied, sent and removed in any order all are as they were stored, also after starts", async () => {
  const random = new Random(17);
  const limit = 8 * MIB;
  const disk = place(limit);
  let store = await disk.open();
  const model = new Map<string, { fill: number; size: number }>();
  let sent: Array<{ lender: Lender; value: Uint8Array; fill: number }> = [];
  let given = 0;
  const check = async (key: string) => {
    const value = (await store.read(bytesOf(key)))?.value;
    const wanted = model.get(key);
    assertEquals(value?.length, wanted?.size, key);
    assert(value === undefined || value.every((byte) => byte === wanted!.fill), key);
  };
  for (let step = 0; step < 400; step++) {
    const key = `key_${random.below(24)}`;
    const size = 1 + random.below(step % 4 === 0 ? 1000 : 600_000);
    const fill = 0x61 + step % 26;
    const what = random.below(10);
    if (what < 5) {
      const arrived = new Arrived(key, String.fromCharCode(fill).repeat(size));
      assertEquals(typeof await arrived.set(store.store), "bigint");
      if (arrived.isGiven) given++;
      model.set(key, { fill, size });
    } else if (what === 5) {
      await store.swap(bytesOf(key), "any", itemOf(new Uint8Array(size).fill(fill)));
      model.set(key, { fill, size });
    } else if (what === 6) {
      await store.swap(bytesOf(key), "any", null);
      model.delete(key);
    } else if (what === 7) {
      // Other attributes, and the same value: an amendment.
      const item = await store.read(bytesOf(key));
      if (item !== undefined) await store.swap(bytesOf(key), item, { ...item, flags: step });
    } else if (what === 8 && (model.get(key)?.size ?? 0) > 70_000) {
      await check(key);
      const lender = lenderOf(store, key);
      lender.borrowers++;
      sent.push({ lender, value: cached(store, key).value, fill: model.get(key)!.fill });
    } else if (sent.length > 0) {
      const { lender, value, fill } = sent.shift()!;
      assert(value.every((byte) => byte === fill), "what is being sent does not change");
      lender.borrowers--;
    }
    await check(key);
    assert(cacheOf(store) <= limit, `${cacheOf(store)} bytes`);
    if (step % 100 === 99) {
      sent = [];
      await store.close();
      store = await disk.open();
    }
  }
  for (let i = 0; i < 24; i++) await check(`key_${i}`);
  assertEquals(store.info().items, model.size);
  assert(given > 50, `${given} given`);
  await store.close();
});
