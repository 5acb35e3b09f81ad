import { assertEquals, assertThrows } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { OutOfSpaceError } from "../../lib/errors.ts";
import { openMemoryStore } from "../../lib/storage/memory.ts";
import { itemOf, testContract } from "./contract.ts";

const log = () => {};

testContract("memory", () => ({
  open: (clock) => Promise.resolve(openMemoryStore({ clock, log, limit: 0, evict: true })),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}), {
  forgets: "memory is gone with the process",
  single: "memory belongs to one process",
});

Deno.test("memory store: at its limit items go that were not used lately", async () => {
  const clock = new AdjustableClock();
  const store = openMemoryStore({ clock, log, limit: 10_000, evict: true });
  for (let i = 0; i < 100; i++) {
    store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(200)));
    store.read(bytesOf("k0"));
  }
  const info = store.info();
  assertEquals(info.items + info.evictions, 100);
  assertEquals(store.read(bytesOf("k1")), undefined);
  assertEquals(store.read(bytesOf("k0")) === undefined, false);
  assertEquals(store.read(bytesOf("k99")) === undefined, false);
  assertEquals(info.bytes <= 10_000, true);
  await store.close();
});

Deno.test("memory store: without eviction a full store refuses and keeps what it has", async () => {
  const clock = new AdjustableClock();
  const store = openMemoryStore({ clock, log, limit: 1000, evict: false });
  store.swap(bytesOf("a"), "any", itemOf("x".repeat(800)));
  const refused = () => store.swap(bytesOf("b"), "any", itemOf("x".repeat(800)));
  assertThrows(refused, OutOfSpaceError);
  assertEquals((await store.read(bytesOf("a")))?.value.length, 800);
  store.swap(bytesOf("a"), "any", null);
  assertEquals(typeof refused(), "bigint");
  await store.close();
});
