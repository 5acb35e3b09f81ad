import { assert, assertEquals } from "@std/assert";
import { AdjustableClock, systemClock } from "../../../lib/clock.ts";
import { Shelf } from "../../../lib/storage/shared/shelf.ts";
import { ShelfReader } from "../../../lib/storage/shared/shelf_reader.ts";
import { itemOf, keyOf, type Readings, type ShelfTask } from "./shelf_task.ts";

const READERS = 2;
const KEYS = 12;
/** Values of every size up to this one. */
const SIZES = 4000;

/** A shelf with one key's hash at hand. */
function hashed(reader: ShelfReader, key: Uint8Array): { a: number; b: number } {
  reader.hash.of(key);
  return reader.hash;
}

Deno.test("a shelf shows no half of an item, and nothing old, while it wraps under many readers", async () => {
  // The ring holds some dozens of items, so that it wraps hundreds of times.
  const shelf = new Shelf(1 << 17, Math.floor(Date.now() / 1000));
  const own = new ShelfReader(shelf.memory, READERS, systemClock);
  const floors = new SharedArrayBuffer(KEYS * 4);
  const floor = new Int32Array(floors);
  const state = new SharedArrayBuffer(8);
  const control = new Int32Array(state);
  const workers: Worker[] = [];
  const found: Promise<Readings>[] = [];
  for (let reader = 0; reader < READERS; reader++) {
    const url = new URL("./shelf_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    workers.push(worker);
    const task: ShelfTask = { memory: shelf.memory, floors, state, keys: KEYS, reader };
    const { promise, resolve } = Promise.withResolvers<Readings>();
    worker.onmessage = ({ data }) => resolve(data);
    found.push(promise);
    worker.postMessage(task);
  }
  for (;;) {
    const begun = Atomics.load(control, 1);
    if (begun === READERS) break;
    const waiting = Atomics.waitAsync(control, 1, begun);
    if (waiting.async) await waiting.value;
  }
  for (let version = 1; version <= 60_000; version++) {
    const index = version * 17 % KEYS;
    const key = keyOf(index);
    const { a, b } = hashed(own, key);
    shelf.remove(a, b);
    // From here on nobody may see what was there before.
    Atomics.store(floor, index, version);
    shelf.put(a, b, key, itemOf(index, version, version % SIZES));
    if (version % 4096 === 0) shelf.clear();
  }
  Atomics.store(control, 0, 1);
  for (const { wrong, hits } of await Promise.all(found)) {
    assertEquals(wrong, []);
    assert(hits > 0, "nothing was read");
  }
  for (const worker of workers) worker.terminate();
});

Deno.test("a shelf gives up the oldest items, and shows what is left of them", () => {
  const shelf = new Shelf(1 << 17, 0);
  const reader = new ShelfReader(shelf.memory, 0, systemClock);
  const put = (index: number) => {
    const { a, b } = hashed(reader, keyOf(index));
    shelf.put(a, b, keyOf(index), itemOf(index, index, 1000));
  };
  const shows = (index: number) => {
    hashed(reader, keyOf(index));
    return reader.read(keyOf(index), 0, true)?.version === index;
  };
  for (let i = 1; i <= 500; i++) put(i);
  assert(shows(500) && shows(470), "the newest are there");
  assert(!shows(1) && !shows(300), "the oldest are not");
});

Deno.test("an access that a reader notes is shown from then on, told once, and gone with the item", () => {
  const clock = new AdjustableClock();
  const shelf = new Shelf(1 << 17, 1000);
  const reader = new ShelfReader(shelf.memory, 0, clock);
  const key = keyOf(1);
  const { a, b } = hashed(reader, key);
  const read = (seconds: number, peek = false) => {
    const { fetched, accessed } = reader.read(key, seconds, peek)!;
    return { fetched, accessed };
  };
  shelf.put(a, b, key, itemOf(1, 1, 10));
  assertEquals(read(2000, true), { fetched: false, accessed: 0 });
  assertEquals(read(2000), { fetched: false, accessed: 0 });
  assertEquals(read(2001), { fetched: true, accessed: 2000 });
  assertEquals(shelf.accessOf(a, b), 2001);
  assertEquals(shelf.takeAccess(a, b), 2001);
  assertEquals(shelf.takeAccess(a, b), 0);
  assertEquals(read(2002), { fetched: true, accessed: 2001 });
  assertEquals(shelf.takeAccess(a, b), 2002);
  assertEquals(shelf.remove(a, b), 2002);
  assertEquals(shelf.remove(a, b), -1);
  shelf.put(a, b, key, itemOf(1, 2, 10));
  assertEquals(read(2003, true), { fetched: false, accessed: 0 });
});

Deno.test("a time before the shelf's own is no time of an access: the owner is asked", () => {
  const shelf = new Shelf(1 << 17, 1000);
  const reader = new ShelfReader(shelf.memory, 0, systemClock);
  const key = keyOf(1);
  const { a, b } = hashed(reader, key);
  shelf.put(a, b, key, itemOf(1, 1, 10));
  assertEquals(reader.read(key, 999, false), undefined);
  assertEquals(reader.read(key, 999, true)?.version, 1);
});

Deno.test("a shelf that ends shows nothing from that second on, and everything until then", () => {
  const clock = new AdjustableClock();
  clock.pause();
  const now = Math.floor(clock.now() / 1000);
  const shelf = new Shelf(1 << 17, now);
  const reader = new ShelfReader(shelf.memory, 0, clock);
  const key = keyOf(1);
  const { a, b } = hashed(reader, key);
  shelf.put(a, b, key, itemOf(1, 1, 10));
  shelf.endAt(now + 5);
  assertEquals(reader.read(key, now, true)?.version, 1);
  clock.offset += 6000;
  assertEquals(reader.read(key, now, true), undefined);
});
