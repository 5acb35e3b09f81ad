import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { OutOfSpaceError } from "../../lib/errors.ts";
import { openMemoryStore } from "../../lib/storage/memory.ts";
import type { Listed } from "../../lib/storage/contract.ts";
import { Caller } from "./caller.ts";
import { itemOf, testContract } from "./contract.ts";

const log = () => {};

testContract("memory", () => ({
  open: (clock) => Promise.resolve(openMemoryStore({ clock, log, limit: 0, evict: true })),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}), {
  certain: "nothing in memory is undone",
  forgets: "memory is gone with the process",
  single: "memory belongs to one process",
});

Deno.test("memory store: at its limit items go that were not used lately", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 10_000, evict: true }));
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
  const store = new Caller(openMemoryStore({ clock, log, limit: 1000, evict: false }));
  store.swap(bytesOf("a"), "any", itemOf("x".repeat(800)));
  const refused = () => store.swap(bytesOf("b"), "any", itemOf("x".repeat(800)));
  assertThrows(refused, OutOfSpaceError);
  assertEquals((await store.read(bytesOf("a")))?.value.length, 800);
  store.swap(bytesOf("a"), "any", null);
  assertEquals(typeof refused(), "bigint");
  await store.close();
});

Deno.test("memory store: tells of each item that it throws out, with its marks", async () => {
  const evicted: Listed[] = [];
  const onEvicted = (item: Listed) => void evicted.push(item);
  const clock = new AdjustableClock();
  const store = new Caller(
    openMemoryStore({ clock, log, limit: 1000, evict: true, onEvicted }),
  );
  store.seconds = 77;
  store.swap(bytesOf("first"), "any", itemOf("x".repeat(500), { flags: 5 }));
  store.read(bytesOf("first"));
  store.swap(bytesOf("second"), "any", itemOf("x".repeat(500)));
  assertEquals(evicted.map((item) => new TextDecoder().decode(item.key)), ["first"]);
  const { size, flags, fetched, accessed } = evicted[0];
  assertEquals({ size, flags, fetched, accessed }, {
    size: 500,
    flags: 5,
    fetched: true,
    accessed: 77,
  });
  await store.close();
});

Deno.test("memory store: a limit that is lowered holds from the next write on", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 1_000_000, evict: true }));
  for (let i = 0; i < 1000; i++) store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(200)));
  assertEquals(store.info().items, 1000);
  assertEquals(store.store.limitMemory!(50_000), true);
  store.swap(bytesOf("k"), "any", itemOf("x"));
  const { bytes, limit, items } = store.info();
  assertEquals(limit, 50_000);
  assert(bytes <= 50_000 && items > 100, `${items} items of ${bytes} bytes`);
  await store.close();
});

Deno.test("memory store: a lowered limit is come to in bounded steps", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 10_000_000, evict: true }));
  for (let i = 0; i < 20_000; i++) store.swap(bytesOf(`k${i}`), "any", itemOf("x"));
  store.store.limitMemory!(10_000);
  let writes = 0;
  for (; store.info().bytes > 10_000; writes++) {
    const before = store.info().items;
    store.swap(bytesOf("k"), "any", itemOf("x"));
    assert(before - store.info().items <= 2000);
  }
  assert(writes >= 10);
  await store.close();
});
