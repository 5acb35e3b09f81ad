/**
 * Amendments: what changes attributes only does not write the value, and no amendment ever gets to a
 * value that it was not made for, in whatever order segments are given up.
 */

import { assert, assertEquals } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { AdjustableClock } from "../../../lib/clock.ts";
import { Batch, type Item } from "../../../lib/storage/contract.ts";
import type { DataFile, Files } from "../../../lib/storage/disk/fs/files.ts";
import { decodeManifest } from "../../../lib/storage/disk/format/manifest.ts";
import { Kind, RecordReader, segmentSeed } from "../../../lib/storage/disk/format/record.ts";
import { SEGMENT_HEADER, segmentOfName } from "../../../lib/storage/disk/log/segment.ts";
import {
  backupDirectory,
  checkDirectory,
  type DiskOptions,
  openDiskStore,
  repairDirectory,
} from "../../../lib/storage/disk/mod.ts";
import { type Caller, callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

const RUNS = Number(Deno.env.get("KVS_FAULT_RUNS") ?? 8);
const FIRST = Number(Deno.env.get("KVS_FAULT_SEED") ?? 1);

const clock = new AdjustableClock();

function open(place: FaultyFiles, more: Partial<DiskOptions> = {}): Promise<Caller> {
  return callerOf(openDiskStore({
    directory: "d",
    files: place.mount(),
    clock,
    fsync: "no",
    memoryLimit: 0,
    segmentBytes: 1024,
    amendFrom: 0,
    log: () => {},
    ...more,
  }));
}

/** The same files, of which one is opened as `changed` tells. */
function withFiles(files: Files, changed: (file: DataFile) => DataFile): Files {
  return new Proxy(files, {
    get: (target, name) => {
      if (name === "open") {
        return (path: string, mode: "read" | "write" | "create") =>
          changed(target.open(path, mode));
      }
      const member = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** A disk on which reads take so long that the store does not wait for them. */
function slowed(file: DataFile): DataFile {
  return {
    ...file,
    read: (into, at) => {
      for (const end = performance.now() + 0.05; performance.now() < end;);
      return file.read(into, at);
    },
  };
}

/** Gives an item another exptime as `touch` does; returns whether it was there. */
async function touch(store: Caller, key: string, exptime: number): Promise<boolean> {
  const item = await store.read(bytesOf(key), true);
  if (item === undefined) return false;
  return typeof await store.swap(bytesOf(key), item, { ...item, exptime }) === "bigint";
}

function own(store: Caller, name: string): number {
  return Number(new Map(store.info().own).get(name));
}

function textOf(item: Pick<Item, "value" | "exptime" | "flags" | "cas" | "stale" | "won">): string {
  const { value, exptime, flags, cas, stale, won } = item;
  return JSON.stringify([binaryString(value), exptime, flags, `${cas}`, stale, won]);
}

/** All items as reads tell, after it was seen that the listing tells the same. */
async function everything(store: Caller): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for await (const group of store.scan()) {
    for (const one of group) {
      const key = binaryString(one.key);
      assert(!all.has(key), `${key} is listed once`);
      const item = await store.read(one.key, true);
      assert(item !== undefined, `${key} is there`);
      all.set(key, textOf(item));
      assertEquals(one.size, item.value.length);
      assertEquals(textOf({ ...one, value: item.value }), textOf(item), `the listing of ${key}`);
    }
  }
  assertEquals(store.info().items, all.size);
  return new Map([...all].sort());
}

/**
 * What FORMAT.md says that is in a directory's log, without index and hints. It has to come to the same
 * whether amendments are held against what they name, or not, as hints do not tell it.
 */
function told(files: FaultyFiles): Map<string, string> {
  const all = toldBy(files, true);
  assertEquals(toldBy(files, false), all);
  return all;
}

function toldBy(files: FaultyFiles, strict: boolean): Map<string, string> {
  const manifest = decodeManifest(files.content("d/MANIFEST"));
  assert(manifest !== undefined && "hashKey" in manifest);
  const items = new Map<string, { sequence: number; item: Omit<Item, "version"> }>();
  const listed = new Set(manifest.segments.map(([id]) => id));
  const ids = files.list("d").map(segmentOfName).filter((id) => id !== undefined)
    .filter((id) => id >= manifest.next || listed.has(id)).sort((a, b) => a - b);
  const record = new RecordReader();
  for (const id of ids) {
    const bytes = files.content(`d/${String(id).padStart(10, "0")}.log`);
    record.over(bytes);
    const seed = segmentSeed(manifest.hashKey, id);
    for (let at = SEGMENT_HEADER; at < bytes.length; at += record.size) {
      // Room that was made ahead.
      if (!listed.has(id) && bytes.subarray(at).every((byte) => byte === 0)) break;
      assert(record.parse(at, bytes.length, seed, at), `segment ${id} is whole at ${at}`);
      const key = binaryString(record.key());
      const { flags, time: exptime, cas, accessed, state } = record;
      const [stale, won, fetched, binaryKey] = [1, 2, 4, 8].map((bit) => (state & bit) !== 0);
      const attributes = { flags, exptime, cas, accessed, stale, won, fetched, binaryKey };
      if (record.kind === Kind.item) {
        const item = { ...attributes, value: record.value().slice() };
        items.set(key, { sequence: record.sequence, item });
      } else if (record.kind === Kind.tombstone) items.delete(key);
      else if (record.kind === Kind.flush) items.clear();
      else if (record.kind === Kind.amendment) {
        const one = items.get(key);
        if (one === undefined || strict && record.base !== one.sequence) continue;
        one.item = { ...attributes, value: one.item.value };
      }
    }
  }
  return new Map([...items].map(([key, { item }]) => [key, textOf(item)] as const).sort());
}

Deno.test("a touch of a long value writes its attributes, and neither a restart nor a kill forgets them", async () => {
  const files = new FaultyFiles(new Random(1));
  const value = "v".repeat(500_000);
  let store = await open(files, { amendFrom: undefined, segmentBytes: 1 << 22 });
  await store.swap(bytesOf("long"), "any", itemOf(value, { flags: 7 }));
  await store.commit();
  const before = own(store, "log_bytes");
  const { cas } = (await store.read(bytesOf("long")))!;
  const exptime = clock.now() + 1e6;
  for (let i = 199; i >= 0; i--) assert(await touch(store, "long", exptime + i));
  await store.commit();
  assert(own(store, "log_bytes") - before < 200 * 100, "nothing but attributes is written");
  for (const kill of [true, false]) {
    if (kill) files.powerCut(true);
    await store.close().catch(() => {});
    store = await open(files);
    const item = (await store.read(bytesOf("long")))!;
    assertEquals([item.exptime, item.cas, item.flags], [exptime, cas, 7]);
    assertEquals(binaryString(item.value), value);
    await everything(store);
  }
  await store.close();
});

Deno.test("a short item is written again, which takes one place in memory and not two", async () => {
  const files = new FaultyFiles(new Random(1));
  const store = await open(files, { amendFrom: undefined });
  await store.swap(bytesOf("short"), "any", itemOf("v".repeat(500)));
  await touch(store, "short", clock.now() + 1000);
  assertEquals(own(store, "amended_items"), 0);
  await store.close();
});

Deno.test("a touch makes a version of its own: who expects the one before finds another", async () => {
  const files = new FaultyFiles(new Random(1));
  for (const memoryLimit of [0, 1 << 20]) {
    const store = await open(files, { memoryLimit });
    const key = bytesOf("k");
    await store.swap(key, "any", itemOf("value"));
    const first = { ...(await store.read(key))! };
    assertEquals(await store.swap(key, first, { ...first, stale: true }), first.cas);
    assertEquals(await store.swap(key, first, { ...first, won: true }), "exists");
    const second = { ...(await store.read(key))! };
    assertEquals([second.stale, second.won, second.cas], [true, false, first.cas]);
    assert(second.version !== first.version);
    // A cas unique of its own, where one is asked for.
    const third = await store.swap(key, second, { ...second, cas: 0n, won: true });
    assert(typeof third === "bigint" && third > second.cas);
    assertEquals((await store.read(key))!.cas, third);
    await store.close();
  }
});

Deno.test("what a failed write took of a touch is undone, and fails who saw it", async () => {
  const files = new FaultyFiles(new Random(4));
  for (const memoryLimit of [0, 1 << 20]) {
    const caller = await open(files, { memoryLimit });
    const { store } = caller;
    const key = bytesOf("k");
    await caller.swap(key, "any", itemOf("value".padEnd(300)));
    await caller.commit();
    const soon = clock.now() + 1e6;
    await touch(caller, "k", soon);
    await caller.commit();
    const before = textOf((await caller.read(key))!);
    const [one, other] = [new Batch(), new Batch()];
    const item = { ...(await store.read(key, one))! };
    await store.swap(key, item, { ...item, exptime: soon + 1 }, one);
    assertEquals((await store.read(key, other))!.exptime, soon + 1);
    files.fault = (operation) => operation === "write" ? "EIO" : undefined;
    const lost = await Promise.allSettled([store.commit(one), store.commit(other)]);
    files.fault = () => undefined;
    assertEquals(lost.map(({ status }) => status), ["rejected", "rejected"]);
    assertEquals(textOf((await caller.read(key))!), before);
    await touch(caller, "k", soon + 2);
    assertEquals((await caller.read(key))!.exptime, soon + 2);
    const all = await everything(caller);
    await caller.close();
    const again = await open(files);
    assertEquals(await everything(again), all);
    await again.close();
  }
});

/** Segments that a key's records are in, filled up so that each can be given up when it should. */
const FILLERS = 12;

async function fill(store: Caller, name: string): Promise<void> {
  for (let i = 0; i < FILLERS; i++) {
    await store.swap(bytesOf(`${name}${i}`), "any", itemOf("f".repeat(100)));
  }
  await store.commit();
}

function orders<T>(all: readonly T[]): T[][] {
  if (all.length < 2) return [[...all]];
  return all.flatMap((one) =>
    orders(all.filter((other) => other !== one)).map((rest) => [one, ...rest])
  );
}

Deno.test("in whatever order segments are given up, an item keeps its last touch, and a later one has none of it", async () => {
  const parts = ["item", "touch", "end"] as const;
  const ends = ["touched", "stored", "deleted", "deleted and stored", "left"] as const;
  for (const end of ends) {
    for (const order of orders(parts)) {
      const files = new FaultyFiles(new Random(2));
      let store = await open(files, { segmentBytes: 2048 });
      await store.swap(bytesOf("k"), "any", itemOf("old", { exptime: 0 }));
      await fill(store, "item");
      await touch(store, "k", clock.now() + 50_000);
      await fill(store, "touch");
      if (end === "touched") await touch(store, "k", clock.now() + 90_000);
      if (end.startsWith("deleted")) await store.swap(bytesOf("k"), "any", null);
      if (end.endsWith("stored")) await store.swap(bytesOf("k"), "any", itemOf("new"));
      await fill(store, "end");
      const expected = await store.read(bytesOf("k"));
      const text = expected && textOf(expected);
      for (const part of order) {
        // What fills the part's segments dies, and so they are given up before the others.
        const before = own(store, "compactions");
        for (let i = 0; i < FILLERS; i++) {
          await store.swap(bytesOf(`${part}${i}`), "any", null);
        }
        await fill(store, "more");
        await store.commit();
        while (own(store, "compactions") === before || own(store, "compacting") === 1) {
          await fill(store, "more");
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        const item = await store.read(bytesOf("k"));
        assertEquals(item && textOf(item), text, `${end}, ${order}, at ${part}`);
        assertEquals(told(files).get("k"), text);
        if (part === order[1]) {
          files.powerCut(true);
          await store.close().catch(() => {});
          store = await open(files, { segmentBytes: 2048 });
        }
      }
      const all = await everything(store);
      await store.close();
      const again = await open(files);
      assertEquals(await everything(again), all);
      await again.close();
    }
  }
});

class Life {
  readonly random: Random;
  readonly files: FaultyFiles;
  readonly items = new Map<string, string>();
  store!: Caller;
  written = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.files = new FaultyFiles(this.random);
  }

  async open(): Promise<void> {
    const { random } = this;
    const mount = this.files.mount();
    this.store = await open(this.files, {
      files: random.chance(0.3) ? withFiles(mount, slowed) : mount,
      memoryLimit: random.of([0, 1 << 15, 1 << 20]),
      segmentBytes: random.of([512, 1024, 4096]),
      amendFrom: random.of([0, 0, 120]),
      imageItems: random.of([0, 1e9, 1e9]),
      placeCost: random.of([0, 1e9]),
      fsync: random.of(["always", "no"]),
    });
  }

  async step(): Promise<void> {
    const { random, store, items } = this;
    const key = `k${random.below(30)}`;
    const dice = random.below(10);
    if (dice < 5) {
      const item = await store.read(bytesOf(key));
      assertEquals(item && textOf(item), items.get(key), key);
      if (item === undefined) return;
      const next = {
        ...item,
        exptime: random.chance(0.5) ? clock.now() + 1e9 + random.below(1e6) : 0,
        stale: random.chance(0.5),
        won: random.chance(0.5),
        flags: random.below(2 ** 32),
        cas: random.chance(0.3) ? 0n : item.cas,
      };
      const kept = { ...next, value: item.value.slice() };
      const cas = await store.swap(bytesOf(key), item, next);
      assert(typeof cas === "bigint", `touch ${key}`);
      items.set(key, textOf({ ...kept, cas }));
    } else if (dice < 8) {
      const value = `${++this.written}`.padEnd(random.below(random.chance(0.1) ? 2000 : 200), "x");
      const cas = await store.swap(bytesOf(key), "any", itemOf(value));
      assert(typeof cas === "bigint");
      items.set(key, textOf({ ...itemOf(value), cas }));
    } else if (dice < 9) {
      await store.swap(bytesOf(key), "any", null);
      items.delete(key);
    } else if (random.chance(0.02)) {
      await store.flush(0);
      items.clear();
    } else {
      await store.commit();
      for (let turns = random.below(4); turns > 0; turns--) {
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
  }

  async go(): Promise<void> {
    const { random, files } = this;
    await this.open();
    for (let life = 0; life < 3; life++) {
      for (let step = 100 + random.below(300); step > 0; step--) await this.step();
      await this.store.commit();
      const expected = new Map([...this.items].sort());
      assertEquals(await everything(this.store), expected);
      if (random.chance(0.5)) files.powerCut(true);
      await this.store.close().catch(() => {});
      assertEquals(told(files), expected, "what the log says");
      // With hints and without, with an image and without.
      for (const name of files.list("d")) {
        const isExtra = name.endsWith(".hint") || name === "INDEX";
        if (isExtra && random.chance(0.3)) files.remove(`d/${name}`);
      }
      const checked = await checkDirectory({ directory: "d", files });
      assertEquals([checked.damaged, checked.torn, checked.problems], [[], [], []]);
      await this.open();
      // What is alive is counted the same way, whatever it was made of; compaction has not begun yet.
      const { bytes } = this.store.info();
      await this.store.close();
      for (const name of files.list("d")) {
        if (name.endsWith(".hint") || name === "INDEX") files.remove(`d/${name}`);
      }
      await this.open();
      assertEquals(this.store.info().bytes, bytes);
      assertEquals(await everything(this.store), expected);
    }
    await this.store.close();
  }
}

Deno.test(`${RUNS} seeded lives of touches, stores and compactions end as the log says`, async () => {
  let seed = FIRST;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (seed < FIRST + RUNS) {
      const mine = seed++;
      try {
        await new Life(mine).go();
      } catch (error) {
        throw new Error(`seed ${mine}: ${(error as Error).message}`, { cause: error });
      }
    }
  }));
});

Deno.test("of two who read a value from the disk and touch it only the first does, and readers see that", async () => {
  const files = new FaultyFiles(new Random(8));
  const key = bytesOf("long");
  let store = await open(files, { amendFrom: undefined });
  await store.swap(key, "any", itemOf("v".repeat(100_000)));
  const item = { ...(await store.read(key))! };
  await store.close();
  /** Reads that wait, until the test lets them go on. */
  const waiting: Array<() => void> = [];
  const gated = withFiles(files, (file) => ({
    ...file,
    readLater: async (into, at) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return await file.readLater(into, at);
    },
  }));
  /** Lets what came last go on until it is done, and of the others none. */
  const release = async (done: Promise<unknown>) => {
    const others = Math.max(0, waiting.length - 1);
    let isDone = false;
    done.finally(() => isDone = true);
    while (!isDone) {
      if (waiting.length > others) waiting.pop()!();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return await done;
  };
  const arrived = async (count: number) => {
    while (waiting.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  store = await open(files, { files: gated, amendFrom: undefined, memoryLimit: 1 << 20 });
  const [one, other] = [clock.now() + 1e6, clock.now() + 2e6];
  const reading = store.read(key) as Promise<Item>;
  await arrived(1);
  const late = store.swap(key, item, { ...item, exptime: other }) as Promise<unknown>;
  await arrived(2);
  const first = store.swap(key, item, { ...item, exptime: one }) as Promise<unknown>;
  await arrived(3);
  // What came last is let go on first.
  assertEquals(await release(first), item.cas);
  assertEquals(await release(late), "exists");
  assertEquals((await release(reading) as Item).exptime, one);
  assertEquals((await release(Promise.resolve(store.read(key))) as Item).exptime, one);
  await store.close();
});

Deno.test("a listing shows each item once while it is touched and moved, with attributes that it had", async () => {
  const files = new FaultyFiles(new Random(3));
  const random = new Random(3);
  const store = await open(files);
  const versions = new Map<string, Set<number>>();
  for (let i = 0; i < 300; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(100)));
    versions.set(`k${i}`, new Set([0]));
  }
  const change = async () => {
    const key = `k${random.below(300)}`;
    const exptime = clock.now() + 1e9 + random.below(1e6);
    versions.get(key)!.add(exptime);
    if (random.chance(0.7)) await touch(store, key, exptime);
    else await store.swap(bytesOf(key), "any", itemOf("w".repeat(100), { exptime }));
  };
  for (let i = 0; i < 300; i++) await change();
  for (let round = 0; round < 5; round++) {
    const seen = new Set<string>();
    for await (const group of store.scan()) {
      for (const { key, exptime } of group) {
        const name = binaryString(key);
        assert(!seen.has(name), `${name} is listed twice`);
        seen.add(name);
        assert(versions.get(name)!.has(exptime), `${name} has had that time`);
      }
      for (let i = 0; i < 20; i++) await change();
      await store.commit();
    }
    assertEquals(seen.size, 300);
  }
  await store.close();
});

Deno.test("an item whose touch has made it expire is swept, and one that was to expire is not", async () => {
  const files = new FaultyFiles(new Random(3));
  const store = await open(files);
  const now = clock.now();
  await store.swap(bytesOf("ends"), "any", itemOf("v"));
  await store.swap(bytesOf("lasts"), "any", itemOf("v", { exptime: now + 1000 }));
  await touch(store, "ends", now + 1000);
  await touch(store, "lasts", 0);
  clock.offset += 2000;
  assertEquals(await store.store.removeExpired!(), 1);
  assertEquals([...(await everything(store)).keys()], ["lasts"]);
  await store.close();
});

Deno.test("a repair drops an amendment whose item is gone: an older value keeps its own attributes", async () => {
  const files = new FaultyFiles(new Random(5));
  const store = await open(files, { segmentBytes: 4096 });
  await store.swap(bytesOf("k"), "any", itemOf("older", { exptime: 0, flags: 1 }));
  await fill(store, "a");
  await store.swap(bytesOf("k"), "any", itemOf("newer", { flags: 2 }));
  await fill(store, "b");
  await fill(store, "c");
  await fill(store, "d");
  await touch(store, "k", clock.now() + 1e9);
  await store.commit();
  // Both of the item's versions are still there.
  files.powerCut(true);
  await store.close().catch(() => {});
  const damaged = files.list("d").filter((name) => name.endsWith(".log")).find((name) =>
    binaryString(files.content(`d/${name}`)).includes("newer")
  )!;
  const bytes = files.content(`d/${damaged}`);
  bytes[binaryString(bytes).indexOf("newer")] ^= 1;
  for (const name of files.list("d")) if (name.endsWith(".hint")) files.remove(`d/${name}`);
  await repairDirectory({ directory: "d", files });
  const again = await open(files);
  const item = (await again.read(bytesOf("k")))!;
  assertEquals([binaryString(item.value), item.flags, item.exptime], ["older", 1, 0]);
  await everything(again);
  await again.close();
});

Deno.test("a backup has items as they were touched", async () => {
  const files = new FaultyFiles(new Random(6));
  const store = await open(files);
  for (let i = 0; i < 50; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(90)));
  for (let i = 0; i < 50; i += 2) await touch(store, `k${i}`, clock.now() + 1e9 + i);
  await store.commit();
  const all = await everything(store);
  await backupDirectory({ directory: "d", target: "copy", files });
  await store.close();
  const copy = await open(files, { directory: "copy" });
  assertEquals(await everything(copy), all);
  await copy.close();
});

Deno.test("an item that is touched while compaction reads its amendment keeps the last touch", async () => {
  const files = new FaultyFiles(new Random(7));
  const expected = new Map<string, number>();
  let times = 0;
  let met = 0;
  let busy = false;
  const touchAll = async () => {
    times++;
    for (const key of expected.keys()) {
      const exptime = clock.now() + 1e9 + times;
      expected.set(key, exptime);
      await touch(store, key, exptime);
    }
  };
  // Reads of an amendment, which compaction alone does where the cache has the items.
  const touched = withFiles(files, (file) => ({
    ...slowed(file),
    readLater: async (into, at) => {
      if (into.length < 150 && !busy && met < 20) {
        busy = true;
        met++;
        await touchAll();
        busy = false;
      }
      return await file.readLater(into, at);
    },
  }));
  const options = { files: touched, memoryLimit: 1 << 20, segmentBytes: 1 << 14 };
  const store: Caller = await open(files, options);
  for (let i = 0; i < 100; i++) {
    const isKept = i % 5 === 0;
    if (isKept) expected.set(`k${i}`, 0);
    await store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(isKept ? 200 : 500)));
  }
  await touchAll();
  for (let i = 0; met < 10; i++) {
    // What was folded in before reads were slow is amended again.
    if (i % 200 === 199) await touchAll();
    await store.swap(bytesOf(`k${i % 100}`.replace(/[05]$/, "1")), "any", itemOf("w".repeat(500)));
    await store.commit();
    if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    assert(i < 20_000, "compaction reads amendments");
  }
  await store.close();
  const again = await open(files);
  for (const [key, exptime] of expected) {
    assertEquals((await again.read(bytesOf(key)))!.exptime, exptime, key);
  }
  await again.close();
});
