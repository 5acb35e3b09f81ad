/** Few files of a store are open at a time, however many it has. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { descriptors, systemFiles } from "../../../lib/storage/disk/fs/files.ts";
import { callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";

const SEGMENT = 1 << 14;
const ITEMS = 600;
const valueOf = (i: number) => `${i} `.padEnd(1000, "v");

Deno.test("a store of many segments has few of them open, before and after a restart, and reads them all", async () => {
  const directory = await Deno.makeTempDir();
  const most = 5;
  const open = () =>
    callerOf(openDiskStore({
      directory,
      clock: systemClock,
      log: () => {},
      fsync: "no",
      memoryLimit: 1 << 14,
      segmentBytes: SEGMENT,
      openFiles: most,
    }));
  const before = descriptors.most;
  let store = await open();
  try {
    for (let i = 0; i < ITEMS; i++) {
      await store.swap(bytesOf(`k${i}`), "any", itemOf(valueOf(i)));
      await store.commit();
    }
    for (const _ of [1, 2]) {
      const keys: string[] = [];
      for await (const group of store.scan()) {
        for (const { key } of group) keys.push(binaryString(key));
      }
      assertEquals(keys.length, ITEMS);
      for (let i = 0; i < ITEMS; i++) {
        const item = await store.read(bytesOf(`k${(i * 37) % ITEMS}`));
        assertEquals(item && binaryString(item.value), valueOf((i * 37) % ITEMS));
        assert(descriptors.size <= most, `${descriptors.size} files are open`);
      }
      const own = new Map(store.info().own);
      assert(Number(own.get("segments")) > 20, `${own.get("segments")} segments`);
      await store.close();
      store = await open();
    }
  } finally {
    await store.close();
    descriptors.most = before;
    await Deno.remove(directory, { recursive: true });
  }
  assertEquals(descriptors.size, 0);
});

Deno.test("a listing goes on through segments that are removed meanwhile, though they were closed", async () => {
  const directory = await Deno.makeTempDir();
  const before = descriptors.most;
  const store = await callerOf(openDiskStore({
    directory,
    clock: systemClock,
    log: () => {},
    fsync: "no",
    memoryLimit: 1 << 14,
    segmentBytes: SEGMENT,
    openFiles: 2,
  }));
  const write = async (round: number) => {
    for (let i = 0; i < ITEMS; i++) {
      await store.swap(bytesOf(`k${i}`), "any", itemOf(`${round}${valueOf(i)}`));
      await store.commit();
    }
  };
  try {
    await write(1);
    const listing = store.scan()[Symbol.asyncIterator]();
    const keys = new Set<string>();
    const take = (group: readonly { key: Uint8Array }[]) => {
      for (const { key } of group) keys.add(binaryString(key));
    };
    const first = await listing.next();
    if (!first.done) take(first.value);
    const segments = () => Number(new Map(store.info().own).get("compactions"));
    for (let round = 2; segments() < 10; round++) await write(round);
    for (let next = await listing.next(); !next.done; next = await listing.next()) {
      take(next.value);
    }
    assertEquals(keys.size, ITEMS);
  } finally {
    await store.close();
    descriptors.most = before;
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a file that cannot be opened again leaves its turn to the one that waits behind it", async () => {
  const directory = await Deno.makeTempDir();
  const before = descriptors.most;
  descriptors.most = 1;
  const paths = ["first", "gone", "last"].map((name) => `${directory}/${name}`);
  const files = paths.map((path) => {
    Deno.writeTextFileSync(path, "x");
    const file = systemFiles.open(path, "read");
    file.rest!();
    return file;
  });
  try {
    // One more, so that none of those is open.
    Deno.writeTextFileSync(`${directory}/other`, "x");
    files.push(systemFiles.open(`${directory}/other`, "read"));
    files[3].rest!();
    Deno.removeSync(paths[1]);
    const [first, gone, last] = files.slice(0, 3).map((file) =>
      file.readLater(new Uint8Array(1), 0)
    );
    assertEquals(await first, 1);
    await assertRejects(() => gone, "ENOENT");
    assertEquals(await last, 1);
  } finally {
    for (const file of files) file.close();
    descriptors.most = before;
    await Deno.remove(directory, { recursive: true });
  }
  assertEquals(descriptors.size, 0);
});
