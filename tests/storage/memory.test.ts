import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { OutOfSpaceError } from "../../lib/errors.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import { Batch, type Item, type Listed } from "../../lib/storage/contract.ts";
import { Caller } from "./caller.ts";
import { itemOf, testContract } from "./contract.ts";
import { keysThatMeet } from "../keys_that_meet.ts";
import { withoutMemory } from "./shortage.ts";

const log = () => {};
const MIB = 2 ** 20;

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
  const store = new Caller(openMemoryStore({ clock, log, limit: 1500, evict: false }));
  store.swap(bytesOf("a"), "any", itemOf("x".repeat(800)));
  const refused = () => store.swap(bytesOf("b"), "any", itemOf("x".repeat(800)));
  assertThrows(refused, OutOfSpaceError);
  assertEquals((await store.read(bytesOf("a")))?.value.length, 800);
  store.swap(bytesOf("a"), "any", null);
  assertEquals(typeof refused(), "bigint");
  await store.close();
});

Deno.test("memory store: tells of each item that it evicts, with its marks", async () => {
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
  assertEquals(store.store.limitMemory!(300_000), true);
  store.swap(bytesOf("k"), "any", itemOf("x"));
  const { bytes, limit, items } = store.info();
  assertEquals(limit, 300_000);
  assert(bytes <= 300_000 && items > 500, `${items} items of ${bytes} bytes`);
  await store.close();
});

Deno.test("memory store: a lowered limit is come to in bounded steps", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 32 * MIB, evict: true }));
  for (let i = 0; i < 200_000; i++) store.swap(bytesOf(`key ${i}`), "any", itemOf("x"));
  store.store.limitMemory!(2 * MIB);
  let writes = 0;
  for (; figureOf(store, "memory_bytes") > 2 * MIB; writes++) {
    const before = store.info().items;
    store.swap(bytesOf(`more ${writes}`), "any", itemOf("x"));
    assert(before - store.info().items <= 8000);
  }
  assert(writes >= 10, `${writes} writes`);
  assertEquals(store.info().evictions > 0, true);
  await store.close();
});

/** A figure of the store's own. */
function figureOf(store: Caller, name: string): number {
  return Number(store.info().own.find(([own]) => own === name)![1]);
}

/** Numbers that look random, from a seed. */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = Math.imul(seed ^ seed >>> 15, seed | 1);
    seed ^= seed + Math.imul(seed ^ seed >>> 7, seed | 61);
    return ((seed ^ seed >>> 14) >>> 0) % below;
  };
}

Deno.test("memory store: what it takes stays within the limit, whatever the sizes", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 4 * MIB, evict: true }));
  const next = random(1);
  const value = new Uint8Array(MIB);
  for (let i = 0; i < 60_000; i++) {
    const size = next(200) === 0 ? next(MIB / 2) : next(300);
    store.swap(bytesOf(`k${next(30_000)}`), "any", itemOf(value.subarray(0, size)));
    assert(figureOf(store, "memory_bytes") <= 4 * MIB + 2 ** 17);
  }
  const { items, evictions, bytes } = store.info();
  assert(items > 0 && evictions > 0 && bytes > 2 * MIB, `${bytes} bytes`);
  await store.close();
});

Deno.test("memory store: every item is as it was stored, or was evicted and told", async () => {
  const clock = new AdjustableClock();
  const model = new Map<string, string>();
  const onEvicted = ({ key }: Listed) => {
    assert(model.delete(new TextDecoder().decode(key)), "what is evicted was there");
  };
  const store = new Caller(openMemoryStore({ clock, log, limit: MIB, evict: true, onEvicted }));
  const next = random(2);
  for (let i = 0; i < 100_000; i++) {
    const name = `k${next(8000)}`;
    const key = bytesOf(name);
    const known = model.get(name);
    const choice = next(10);
    if (choice < 4) {
      const item = await store.read(key);
      assertEquals(item && new TextDecoder().decode(item.value), known);
      if (choice > 0 || item === undefined) continue;
      // The new value is a part of the memory of the old one.
      model.set(name, known!.slice(1));
      store.swap(key, item, { ...item, value: item.value.subarray(1) });
    } else if (choice === 4) {
      model.delete(name);
      assertEquals(store.swap(key, "any", null), known === undefined ? "absent" : 0n);
    } else {
      const text = `${i} `.repeat(next(500) === 0 ? 5000 : next(30));
      model.set(name, text);
      store.swap(key, "any", itemOf(text));
    }
  }
  assertEquals(store.info().items, model.size);
  assert(store.info().evictions > 1000 && figureOf(store, "moved_items") > 1000);
  const listed = new Set<string>();
  for await (const group of store.scan()) {
    for (const { key } of group) listed.add(new TextDecoder().decode(key));
  }
  assertEquals(listed, new Set(model.keys()));
  await store.close();
});

Deno.test("memory store: a full store makes room as it is written, not much at a time", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 4 * MIB, evict: true }));
  const put = (i: number) => store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(1000)));
  for (let i = 0; i < 8000; i++) put(i);
  let quiet = 0;
  for (let i = 8000; i < 9000; i++) {
    const before = store.info().evictions;
    put(i);
    const thrownOut = store.info().evictions - before;
    assert(thrownOut <= 32, `${thrownOut} items`);
    if (thrownOut === 0) quiet++;
  }
  assert(quiet < 100, `${quiet} writes threw out nothing`);
  await store.close();
});

Deno.test("memory store: room that could not be made for want of memory is made when there is some", async () => {
  const clock = new AdjustableClock();
  const store = openMemoryStore({ clock, log, limit: MIB, evict: true });
  const chunk = Number(store.info().own.find(([name]) => name === "chunk_size")![1]);
  const batch = new Batch();
  const count = 6000;
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const key = bytesOf(`k${i}`);
    const set = () => store.swap(key, "any", itemOf(`${i} `.repeat(60)), batch);
    try {
      withoutMemory(chunk, set);
    } catch (error) {
      assert(error instanceof OutOfSpaceError, String(error));
      refused++;
      assertEquals(typeof set(), "bigint");
    }
    // Items that are read move when room is made.
    for (let other = i; other >= 0 && other > i - 3000; other -= 20) {
      const item = store.read(bytesOf(`k${other}`), batch) as Item | undefined;
      if (item === undefined) continue;
      assertEquals(new TextDecoder().decode(item.value), `${other} `.repeat(60));
    }
  }
  const { items, evictions, own } = store.info();
  assertEquals(items + evictions, count);
  assert(refused > 20 && Number(own.find(([name]) => name === "moved_items")![1]) > 0);
  await store.close();
});

Deno.test("memory store: what is read again and again outlives ten times the limit", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: MIB, evict: true }));
  const hot = Array.from({ length: 500 }, (_, i) => bytesOf(`hot ${i}`));
  for (const key of hot) store.swap(key, "any", itemOf("x".repeat(100)));
  for (let i = 0; i < 100_000; i++) {
    store.swap(bytesOf(`cold ${i}`), "any", itemOf("x".repeat(50)));
    assert(await store.read(hot[i % hot.length]) !== undefined, `hot ${i % hot.length}`);
  }
  await store.close();
});

Deno.test("memory store: items of other sizes take the room of those that were deleted", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 4 * MIB, evict: false }));
  for (const size of [10, 1000, 100, 5000]) {
    let stored = 0;
    for (;; stored++) {
      try {
        store.swap(bytesOf(`k${stored}`), "any", itemOf("x".repeat(size)));
      } catch (error) {
        assert(error instanceof OutOfSpaceError);
        break;
      }
    }
    assert(store.info().bytes > 2.5 * MIB, `${store.info().bytes} bytes with values of ${size}`);
    for (let i = 0; i < stored; i++) assertEquals(store.swap(bytesOf(`k${i}`), "any", null), 0n);
    assertEquals([store.info().items, store.info().bytes], [0, 0]);
  }
  await store.close();
});

Deno.test("memory store: a full store that was flushed takes items again, and refuses none", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 4 * MIB, evict: false }));
  const fill = () => {
    for (let i = 0;; i++) {
      try {
        store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(200)));
      } catch {
        return i;
      }
    }
  };
  const stored = fill();
  store.flush(clock.now());
  assertEquals(store.info().items, 0);
  for (let i = 0; i < stored * 0.9; i++) {
    store.swap(bytesOf(`other ${i}`), "any", itemOf("x".repeat(190)));
  }
  assert(store.info().reclaimed > stored * 0.8);
  await store.close();
});

Deno.test("memory store: expired items make room before a write is refused", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: MIB, evict: false }));
  const exptime = clock.now() + 10_000;
  const put = (name: string) =>
    store.swap(bytesOf(name), "any", itemOf("x".repeat(90), { exptime }));
  assertThrows(() => {
    for (let i = 0;; i++) put(`k${i}`);
  }, OutOfSpaceError);
  clock.offset += 10_000;
  for (let i = 0; i < 2000; i++) put(`other ${i}`);
  await store.close();
});

Deno.test("memory store: a search for expired items finds each once and reclaims its room", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 0, evict: true }));
  const exptime = clock.now() + 1000;
  for (let i = 0; i < 5000; i++) {
    store.swap(bytesOf(`k${i}`), "any", itemOf("x", { exptime: i % 5 ? exptime : 0 }));
  }
  assertEquals(await store.store.removeExpired!(), 0);
  clock.offset += 1000;
  assertEquals(await store.store.removeExpired!(), 4000);
  assertEquals(await store.store.removeExpired!(), 0);
  const { items, reclaimed } = store.info();
  assertEquals([items, reclaimed], [1000, 4000]);
  await store.close();
});

Deno.test("memory store: a value of 64 MiB fits, and is replaced where only one fits", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 100 * MIB, evict: true }));
  const value = new Uint8Array(64 * MIB).fill(7);
  for (const last of [1, 2, 3]) {
    value[value.length - 1] = last;
    store.swap(bytesOf("k"), "any", itemOf(value.subarray(last)));
    const item = (await store.read(bytesOf("k")))!;
    assertEquals([item.value.length, item.value.at(-1)], [value.length - last, last]);
  }
  assertEquals(store.info().evictions, 0);
  store.swap(bytesOf("other"), "any", itemOf(value));
  assertEquals(await store.read(bytesOf("k")), undefined);
  assertEquals(store.info().evictions, 1);
  await store.close();
});

Deno.test("memory store: others have their turn while room is made for a very large item", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 32 * MIB, evict: true }));
  for (let i = 0; i < 450_000; i++) store.swap(bytesOf(`k${i}`), "any", itemOf("x"));
  const value = new Uint8Array(24 * MIB).fill(7);
  let before = store.info().items;
  const stored = store.swap(bytesOf("large"), "any", itemOf(value));
  assert(stored instanceof Promise);
  let isStored = false;
  stored.then(() => isStored = true);
  let turns = 0;
  for (; !isStored; turns++) {
    const { items } = store.info();
    assert(before - items <= 20_000, `${before - items} items in one turn`);
    before = items;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert(turns > 10, `${turns} turns`);
  assertEquals((await store.read(bytesOf("large")))?.value.length, value.length);
  assert(figureOf(store, "memory_bytes") <= 32 * MIB);
  await store.close();
});

Deno.test("memory store: keys that were chosen to meet cause each other no work", async () => {
  const clock = new AdjustableClock();
  const store = new Caller(openMemoryStore({ clock, log, limit: 0, evict: true }));
  const keys = keysThatMeet(500);
  for (const key of keys) store.swap(key, "any", itemOf("x"));
  for (const key of keys) assertEquals((await store.read(key))?.value.length, 1);
  const probes = figureOf(store, "index_probes");
  assert(probes < 2 * keys.length, `${probes} probes for ${keys.length} keys`);
  await store.close();
});
