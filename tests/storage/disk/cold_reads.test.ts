/** Reads that the disk is slow to answer do not hold up those that need no disk. */

import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import type { DataFile, Files } from "../../../lib/storage/disk/fs/files.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

/** Milliseconds that the disk takes for a read. */
const DELAY = 1;

/** A store on a disk that takes a millisecond for a read, as soon as it is slow. */
async function slowStore() {
  const disk = { isSlow: false, blocking: 0, others: 0 };
  const inner = new FaultyFiles(new Random(1));
  const slowed = (file: DataFile): DataFile => ({
    ...file,
    read: (into, at) => {
      if (disk.isSlow) {
        disk.blocking++;
        for (const end = performance.now() + DELAY; performance.now() < end;);
      }
      return file.read(into, at);
    },
    readLater: async (into, at) => {
      if (disk.isSlow) {
        disk.others++;
        await new Promise((resolve) => setTimeout(resolve, DELAY));
      }
      return await file.readLater(into, at);
    },
  });
  const files = new Proxy<Files>(inner, {
    get: (target, name) => {
      if (name === "open") {
        return (path: string, mode: "read" | "write" | "create") => slowed(inner.open(path, mode));
      }
      const member = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const store = await openDiskStore({
    directory: "d",
    files,
    clock: systemClock,
    fsync: "no",
    memoryLimit: 1 << 18,
    log: () => {},
  });
  const writer = new Caller(store);
  for (let i = 0; i < 5000; i++) {
    await writer.swap(bytesOf(`cold${i}`), "any", itemOf("c".repeat(500)));
    if (i % 100 === 99) await writer.commit();
  }
  for (let i = 0; i < 20; i++) await writer.swap(bytesOf(`hot${i}`), "any", itemOf("h"));
  await writer.commit();
  disk.isSlow = true;
  return { store, disk };
}

Deno.test("of thousands of reads from a slow disk few hold up the others, and hot items need none", async () => {
  const { store, disk } = await slowStore();
  let next = 0;
  let hot = 0;
  await Promise.all(Array.from({ length: 50 }, async () => {
    const caller = new Caller(store);
    while (next < 4000) {
      for (let i = 0; i < 9; i++) {
        const item = caller.read(bytesOf(`hot${i}`));
        assert(!(item instanceof Promise), "an item in memory is there without a wait");
        hot++;
      }
      const item = await caller.read(bytesOf(`cold${next++}`));
      assertEquals(item!.value.length, 500);
    }
  }));
  assert(hot > 30_000);
  assert(disk.others > 3000, `${disk.others} reads that others were let past`);
  assert(disk.blocking <= 24, `${disk.blocking} reads held up everybody`);
  await store.close();
});

Deno.test("a disk that was slow for a while is read without detours again", async () => {
  const { store, disk } = await slowStore();
  const caller = new Caller(store);
  for (let i = 0; i < 500; i++) await caller.read(bytesOf(`cold${i}`));
  disk.isSlow = false;
  let plain = 0;
  for (let i = 500; i < 4500 && plain < 100; i++) {
    const item = caller.read(bytesOf(`cold${i}`));
    if (item instanceof Promise) await item;
    else plain++;
  }
  assertEquals(plain, 100);
  await store.close();
});

Deno.test("a long value is read from the disk once, and then from memory until it is changed", async () => {
  const files = new FaultyFiles(new Random(1));
  const options = {
    ...{ directory: "d", files, clock: systemClock, fsync: "no" } as const,
    ...{ memoryLimit: 1 << 24, log: () => {} },
  };
  const key = bytesOf("long");
  let caller = new Caller(await openDiskStore(options));
  await caller.swap(key, "any", itemOf("v".repeat(600_000)));
  await caller.close();
  caller = new Caller(await openDiskStore(options));
  let reads = 0;
  files.fault = (operation) => {
    if (operation === "read") reads++;
    return undefined;
  };
  for (let i = 0; i < 10; i++) assertEquals((await caller.read(key))!.value.length, 600_000);
  assertEquals(reads, 1);
  // A touch changes what is in memory, and reads nothing.
  const item = (await caller.read(key))!;
  await caller.swap(key, item, { ...item, exptime: 4e12 });
  assertEquals((await caller.read(key))!.exptime, 4e12);
  await caller.swap(key, "any", itemOf("w".repeat(700_000)));
  assertEquals((await caller.read(key))!.value[699_999], 119);
  await caller.swap(key, "any", null);
  assertEquals(await caller.read(key), undefined);
  assertEquals(reads, 1);
  await caller.close();
});
