/** Reads that the disk is slow to answer do not hold up those that need no disk. */

import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { AdjustableClock, systemClock } from "../../../lib/clock.ts";
import type { DataFile, Files } from "../../../lib/storage/disk/fs/files.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { Harness, ScriptedSocket } from "../../server/harness.ts";
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
  let missed = 0;
  await Promise.all(Array.from({ length: 50 }, async () => {
    const caller = new Caller(store);
    while (next < 4000) {
      for (let i = 0; i < 9; i++) {
        const item = caller.read(bytesOf(`hot${i}`));
        if (!(item instanceof Promise)) hot++;
        // Among keys that the hash puts into one bucket even one that is hot may have to go.
        else if (await item) missed++;
      }
      const item = await caller.read(bytesOf(`cold${next++}`));
      assertEquals(item!.value.length, 500);
    }
  }));
  assert(hot > 30_000 && missed < hot / 100, `${missed} of ${hot} in memory were waited for`);
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

Deno.test("connections that ask for what is in memory are answered while fifty others wait for the disk", async () => {
  const clock = new AdjustableClock();
  const inner = new FaultyFiles(new Random(1));
  const gate = Promise.withResolvers<void>();
  let waiting = 0;
  const files = new Proxy<Files>(inner, {
    get: (target, name) => {
      if (name === "open") {
        return (path: string, mode: "read" | "write" | "create"): DataFile => {
          const file = inner.open(path, mode);
          return {
            ...file,
            readLater: async (into, at) => {
              waiting++;
              await gate.promise;
              return await file.readLater(into, at);
            },
          };
        };
      }
      const member = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const options = { directory: "d", files, clock, fsync: "no", log: () => {} } as const;
  const store = await openDiskStore({ ...options, memoryLimit: 1 << 18 });
  await using harness = new Harness({ clock, store: () => store });
  const cold = "c".repeat(100_000);
  for (let i = 0; i < 50; i++) {
    await harness.exchange([`set cold${i} 0 0 100000\r\n${cold}\r\n`]);
  }
  await harness.exchange(["set hot 0 0 1\r\nh\r\n"]);
  const hot = "VALUE hot 0 1\r\nh\r\nEND\r\n";
  // Each asks for a tenth of what it wants from the disk; what it gets before that is there already.
  const slow = Array.from({ length: 50 }, (_, i) => {
    const socket = new ScriptedSocket([`${"get hot\r\n".repeat(9)}get cold${i}\r\nget hot\r\n`]);
    return { socket, served: harness.serve(socket), i };
  });
  while (waiting < 50) await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 50; i++) {
    const replies = await harness.exchange(["get hot\r\n".repeat(20)]);
    assertEquals(replies, hot.repeat(20), "no read is over yet, and nobody waits for one");
  }
  gate.resolve();
  for (const { socket, served, i } of slow) {
    await served;
    const value = `VALUE cold${i} 0 100000\r\n${cold}\r\nEND\r\n`;
    assertEquals(socket.written, `${hot.repeat(9)}${value}${hot}`);
  }
});

Deno.test("reads that find another value after their wait have each its own, if many do so together", async () => {
  const files = new FaultyFiles(new Random(1));
  const log = () => {};
  const options = { files, clock: systemClock, fsync: "no", memoryLimit: 0, log } as const;
  const store = new Caller(await openDiskStore({ directory: "d", ...options }));
  const keys = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(1 + i));
  for (const key of keys) await store.swap(bytesOf(key), "any", itemOf(key.repeat(20_000 * 8)));
  await store.commit();
  // Long records are read while others run; short ones immediately, all into the same memory.
  const reads = keys.map((key) => store.read(bytesOf(key)));
  assert(reads.every((read) => read instanceof Promise));
  for (const key of keys) {
    assertEquals(typeof store.swap(bytesOf(key), "any", itemOf(key.repeat(100))), "bigint");
  }
  // What is not yet written each read copies for itself.
  await store.commit();
  const values = (await Promise.all(reads)).map((item) => new TextDecoder().decode(item!.value));
  for (const [i, key] of keys.entries()) assert(values[i] === key.repeat(100), key);
  await store.close();
});
