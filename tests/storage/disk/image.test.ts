/** Images of the index: a start with one ends in the same items as a start without. */

import { assert, assertEquals } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { AdjustableClock } from "../../../lib/clock.ts";
import { type DiskOptions, openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

const IMAGE = "INDEX";
const clock = new AdjustableClock();

async function open(files: FaultyFiles, more: Partial<DiskOptions> = {}): Promise<Caller> {
  return new Caller(
    await openDiskStore({
      directory: "d",
      files: files.mount(),
      clock,
      fsync: "no",
      memoryLimit: 0,
      segmentBytes: 1 << 12,
      imageItems: 0,
      log: () => {},
      ...more,
    }),
  );
}

async function everything(store: Caller): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for await (const group of store.scan()) {
    for (const { key } of group) all.set(binaryString(key), "");
  }
  for (const key of all.keys()) all.set(key, binaryString((await store.read(bytesOf(key)))!.value));
  return all;
}

/** A directory as it is now, for another life. */
function copyOf(files: FaultyFiles): FaultyFiles {
  const copy = new FaultyFiles(new Random(1));
  for (const name of files.list("d")) copy.place(`d/${name}`, files.content(`d/${name}`));
  return copy;
}

/** Opens a directory with its image and without, and compares; returns what is there. */
async function compared(files: FaultyFiles): Promise<Map<string, string>> {
  const without = copyOf(files);
  if (without.list("d").includes(IMAGE)) without.remove(`d/${IMAGE}`);
  const [one, other] = [await open(copyOf(files)), await open(without)];
  const all = await everything(one);
  assertEquals(new Map([...all].sort()), new Map([...await everything(other)].sort()));
  assertEquals(one.info().items, other.info().items);
  assertEquals(one.info().bytes, other.info().bytes);
  assertEquals(one.info().items, all.size);
  await one.close();
  await other.close();
  return all;
}

function own(store: Caller, name: string): number {
  return Number(new Map(store.info().own).get(name));
}

/** Writes, overwrites and deletes until there is one image more. */
async function workUntilImage(store: Caller, random: Random, keys: number): Promise<void> {
  const images = own(store, "index_images");
  for (let i = 0; own(store, "index_images") === images; i++) {
    const key = bytesOf(`k${random.below(keys)}`);
    if (random.chance(0.3)) await store.swap(key, "any", null);
    else await store.swap(key, "any", itemOf(`${i} `.padEnd(random.below(200), "v")));
    if (random.chance(0.001)) await store.flush(0);
    await store.commit();
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

for (const evict of [false, true]) {
  Deno.test(`a start on an image of a store that goes on (${evict ? "evicting" : "compacting"}) finds what a start on hints does`, async () => {
    const random = new Random(8);
    const files = new FaultyFiles(random);
    const more = evict ? { evict, maxDisk: 1 << 17 } : {};
    let store = await open(files, more);
    for (let life = 0; life < 4; life++) {
      for (let i = 0; i < 300; i++) await store.swap(bytesOf(`cold${i}`), "any", itemOf("c"));
      await workUntilImage(store, random, 400);
      // What comes after the image is replayed on it.
      for (let i = 0; i < 300; i++) {
        const key = bytesOf(`k${random.below(400)}`);
        await store.swap(key, "any", random.chance(0.5) ? null : itemOf("after"));
        await store.commit();
      }
      const expected = await everything(store);
      if (life % 2 === 0) files.powerCut(true);
      await store.close().catch(() => {});
      assertEquals(new Map([...await compared(files)].sort()), new Map([...expected].sort()));
      store = await open(files, more);
    }
    await store.close();
  });
}

Deno.test("a clean stop leaves an image, and the next start reads no hint", async () => {
  const files = new FaultyFiles(new Random(2));
  const store = await open(files);
  for (let i = 0; i < 500; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf(`value ${i}`));
  await store.close();
  files.fault = (operation, path) =>
    operation === "read" && path.endsWith(".hint") ? "EIO" : undefined;
  const again = await open(files);
  assertEquals(again.info().items, 500);
  assertEquals(binaryString((await again.read(bytesOf("k77")))!.value), "value 77");
  await again.close();
});

Deno.test("an image of another life, of a twin or with a flipped bit is passed over, and nothing is lost", async () => {
  const files = new FaultyFiles(new Random(3));
  let store = await open(files);
  for (let i = 0; i < 300; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf(`${i}`));
  await store.close();
  const yesterday = files.content(`d/${IMAGE}`).slice();
  const twin = copyOf(files);
  const two = await open(twin);
  for (let i = 0; i < 200; i++) await two.swap(bytesOf(`k${i}`), "any", itemOf("twin"));
  await two.close();
  store = await open(files);
  for (let i = 0; i < 250; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("today"));
  await store.close();
  const today = files.content(`d/${IMAGE}`).slice();
  const flipped = today.slice();
  flipped[5000] ^= 4;
  for (const image of [yesterday, twin.content(`d/${IMAGE}`), flipped, today.subarray(0, 9000)]) {
    files.place(`d/${IMAGE}`, image);
    const all = await compared(files);
    assertEquals(all.size, 300);
    assertEquals([all.get("k249"), all.get("k250")], ["today", "250"]);
  }
  assert(today.length > 9000);
});

for (const restarts of [false, true]) {
  Deno.test(`an image that says a flush is to come is of no use when that has come (${restarts ? "seen by a start" : "seen by the server"})`, async () => {
    const files = new FaultyFiles(new Random(9));
    let store = await open(files, { imageItems: 100 });
    await store.flush(clock.now() + 1000);
    const isNamed = () => binaryString(files.content("d/MANIFEST")).includes(`"image"`);
    for (let i = 0; !isNamed(); i++) {
      await store.swap(bytesOf(`k${i % 150}`), "any", itemOf("before"));
      await store.commit();
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    clock.offset += 2000;
    const write = async () => {
      for (let i = 0; i < 20; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("after"));
      await store.commit();
      await new Promise((resolve) => setTimeout(resolve, 0));
    };
    // A start that is to see it sees the image named: the server is killed before it can take that back.
    files.fault = (operation, path) =>
      restarts && operation === "rename" && path.includes("MANIFEST") ? "EIO" : undefined;
    await store.swap(bytesOf("k0"), "any", itemOf("after"));
    await store.commit();
    const flushed = files.list("d").filter((name) => name.endsWith(".log"));
    const restart = async () => {
      files.powerCut(true);
      await store.close().catch(() => {});
      files.fault = () => undefined;
      store = await open(files, { imageItems: 100 });
    };
    if (restarts) await restart();
    // The record of the flush goes when nothing is left that it is about.
    while (files.list("d").some((name) => flushed.includes(name))) await write();
    await restart();
    assertEquals((await everything(store)).size, 20);
    await store.close();
  });
}

Deno.test("an image is of no use from a flush on that comes while it gets its name", async () => {
  const files = new FaultyFiles(new Random(9));
  let flushed: string[] = [];
  let isPlaced = false;
  const mount = files.mount();
  const flushing = new Proxy(mount, {
    get: (target, name) => {
      if (name !== "syncDirectory") return Reflect.get(target, name);
      return async (directory: string) => {
        const isOfImage = !isPlaced && files.list("d").includes(IMAGE);
        isPlaced ||= isOfImage;
        await target.syncDirectory(directory);
        if (!isOfImage) return;
        // As a request that came with the same turn of the loop, behind what waits for this sync.
        const flush = () => {
          void new Caller(store.store).flush(0);
          // With the segment that tells of it, which may be one that it began.
          flushed = files.list("d").filter((name) => name.endsWith(".log"));
        };
        queueMicrotask(() => queueMicrotask(flush));
      };
    },
  });
  const store = await open(files, { imageItems: 100, files: flushing });
  // The image says that a flush is to come, which the other takes back.
  await store.flush(clock.now() + 1000);
  for (let i = 0; flushed.length === 0; i++) {
    await store.swap(bytesOf(`k${i % 150}`), "any", itemOf("before"));
    await store.commit();
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  while (files.list("d").some((name) => flushed.includes(name))) {
    for (let i = 0; i < 20; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("after"));
    await store.commit();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  files.powerCut(true);
  await store.close().catch(() => {});
  clock.offset += 2000;
  assertEquals((await compared(files)).size, 20);
});

Deno.test("what an image says of a segment that goes while it is made is not said of a later one", async () => {
  const files = new FaultyFiles(new Random(9));
  const isThere = (id: number) => files.list("d").includes(`${id}.log`.padStart(14, "0"));
  let isBegun = false;
  let goesOn = () => {};
  const gate = new Promise<void>((resolve) => goesOn = resolve);
  const mount = files.mount();
  const waiting = new Proxy(mount, {
    get: (target, name) => {
      if (name !== "open") return Reflect.get(target, name);
      return (path: string, mode: "read" | "write" | "create") => {
        const file = target.open(path, mode);
        if (path !== `d/${IMAGE}.new`) return file;
        const writeLater = async (bytes: Uint8Array, at: number) => {
          isBegun = true;
          await gate;
          return await file.writeLater(bytes, at);
        };
        return { ...file, writeLater };
      };
    },
  });
  let mayBegin = false;
  files.fault = (operation, path) =>
    operation === "open" && path === `d/${IMAGE}.new` && !mayBegin ? "EIO" : undefined;
  const store = await open(files, { files: waiting, segmentBytes: 1 << 13 });
  const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
  const set = async (key: string, length: number, exptime = 0) => {
    await store.swap(bytesOf(key), "any", itemOf("v".repeat(length), { exptime }));
    await store.commit();
  };
  // The first five segments are given up, and the sixth is the oldest.
  for (let i = 0; isThere(6) === false; i++) await set(`k${i % 4}`, 600);
  for (let i = 0; i < 4; i++) await set(`k${i}`, 1);
  while (isThere(5)) await turn();
  // Then all that it has are items that expire while the image is made, and nothing tells that they have.
  const exptime = clock.now() + 10_000;
  let expiring = 0;
  for (; !isThere(7); expiring++) await set(`expires${expiring}`, 300, exptime);
  await set(`expires${expiring - 1}`, 1);
  for (let i = 0; i < 4; i++) await set(`k${i}`, 1);
  mayBegin = true;
  while (!isBegun) await turn();
  clock.offset += 40_000;
  while (isThere(6)) await turn();
  assertEquals(store.info().items, 5);
  goesOn();
  while (own(store, "index_images") === 0) await turn();
  mayBegin = false;
  // As many segments as had been there.
  for (let i = 0; !isThere(13); i++) await set(`later${i}`, 600);
  files.powerCut(true);
  await store.close().catch(() => {});
  files.fault = () => undefined;
  assert((await compared(files)).has("later5"));
});

Deno.test("after a kill listed segments are trusted, read in the background, and damage in them is told", async () => {
  const files = new FaultyFiles(new Random(6));
  const store = await open(files, { fsync: "always" });
  for (let i = 0; i < 200; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf(`${i}`.padEnd(100)));
    await store.commit();
  }
  while (own(store, "unsynced_bytes") > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  files.powerCut(true);
  await store.close().catch(() => {});
  const listed = JSON.parse(binaryString(files.content("d/MANIFEST")).split("\n")[0]).segments;
  const path = `d/${String(listed[0][0]).padStart(10, "0")}.log`;
  files.content(path)[64 + 5 * 152 + 100] ^= 1;
  const said: string[] = [];
  const again = await open(files, { log: (line) => said.push(line) });
  assertEquals(again.info().items, 200);
  while (own(again, "unverified_bytes") > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  while (said.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(own(again, "damaged_records"), 1);
  assert(said.some((line) => line.startsWith(`'${path}' is damaged: 1 record in it`)), `${said}`);
  await again.close();
  // It is not called whole: the next start reads it again.
  const third = await open(files);
  assert(own(third, "unverified_bytes") > 0);
  await third.close();
});
