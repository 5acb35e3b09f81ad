/** A machine that has no memory for what a record needs beside the log: it is taken back. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { Batch } from "../../../lib/storage/contract.ts";
import { Arrived } from "../arrived.ts";
import type { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { withoutMemory } from "../shortage.ts";
import { Place, textOf } from "./place.ts";

/** Records that a segment's hint has memory for at first, and keys that changes can be taken back of. */
const HINTED = 1 << 12;
const STEPS = 256;

async function open(): Promise<[Place, Caller]> {
  const place = new Place({ memoryLimit: 1 << 24, segmentBytes: 1 << 22 });
  return [place, await place.open()];
}

Deno.test("disk store: a large value that its segment's hint has no memory for leaves the old one, and the next is taken", async () => {
  const [place, store] = await open();
  await store.swap(bytesOf("k"), "any", itemOf("before"));
  for (let i = 1; i < HINTED; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf(""));
  await store.commit();
  const arrived = new Arrived("k", 100_000);
  assertThrows(() => withoutMemory(100_000, () => arrived.set(store.store)), RangeError);
  assert(arrived.isGiven && arrived.isWhole);
  assertEquals(await textOf(store, bytesOf("k")), "before");
  assertEquals(typeof new Arrived("k", 80_000).set(store.store), "bigint");
  await store.swap(bytesOf("other"), "any", itemOf("after"));
  await store.commit();
  // What is read again is read from the log.
  place.files.powerCut(true);
  await store.close().catch(() => {});
  const again = await place.open();
  assertEquals((await again.read(bytesOf("k")))?.value.length, 80_000);
  assertEquals(await textOf(again, bytesOf("other")), "after");
  assertEquals(again.info().items, HINTED + 1);
  await again.close();
});

Deno.test("disk store: a flush that there is no memory for does not come into force at the next start", async () => {
  const [place, store] = await open();
  for (let i = 0; i < HINTED; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf(""));
  await store.commit();
  const flush = () => store.store.flush(place.clock.now(), new Batch());
  assertThrows(() => withoutMemory(100_000, flush), RangeError);
  await store.swap(bytesOf("other"), "any", itemOf(""));
  await store.commit();
  assertEquals(store.info().items, HINTED + 1);
  place.files.powerCut(true);
  await store.close().catch(() => {});
  const again = await place.open();
  assertEquals(again.info().items, HINTED + 1);
  await again.close();
});

Deno.test("disk store: what is pending with a set that there is no memory for fails with it, and nothing of it is there", async () => {
  const [place, store] = await open();
  await store.swap(bytesOf("k0"), "any", itemOf("before"));
  await store.commit();
  const others = new Batch();
  for (let i = 0; i < STEPS - 1; i++) {
    await store.store.swap(bytesOf(`k${i}`), "any", itemOf("lost"), others);
  }
  const set = () => store.store.swap(bytesOf("last"), "any", itemOf("lost"), new Batch());
  assertThrows(() => withoutMemory(10_000, set), RangeError);
  await assertRejects(async () => await store.store.commit(others), StoreError, "was given up");
  const check = async (store: Caller) => {
    assertEquals(await textOf(store, bytesOf("k0")), "before");
    assertEquals(await textOf(store, bytesOf("k1")), undefined);
    assertEquals(await textOf(store, bytesOf("last")), undefined);
    assertEquals(store.info().items, 1);
  };
  await check(store);
  place.files.powerCut(true);
  await store.close().catch(() => {});
  const again = await place.open();
  await check(again);
  await again.close();
});

Deno.test("disk store: a value that is too large to be kept as spare memory and cannot be written can still be read by who has sent it", async () => {
  const place = new Place({ memoryLimit: 2 ** 28, segmentBytes: 2 ** 26 });
  const store = await place.open();
  await store.swap(bytesOf("other"), "any", itemOf("v"));
  await store.commit();
  place.files.fault = (operation) => operation === "write" ? "EIO" : undefined;
  const arrived = new Arrived("k", 33 * 2 ** 20);
  assertThrows(() => arrived.set(store.store), StoreError);
  assert(arrived.isGiven);
  const { bytes, keyStart, keyEnd } = arrived.request;
  assertEquals(bytes.subarray(keyStart, keyEnd), bytesOf("k"));
  place.files.fault = () => undefined;
  await store.close();
});
