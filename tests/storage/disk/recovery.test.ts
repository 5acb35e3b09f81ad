/** Power cuts while a start removes what does not belong to the log. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { StoreError } from "../../../lib/errors.ts";
import type { Files } from "../../../lib/storage/disk/fs/files.ts";
import { decodeManifest } from "../../../lib/storage/disk/format/manifest.ts";
import { recordSize } from "../../../lib/storage/disk/format/record.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { type Caller, callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

function open(files: Files, segmentBytes = 1024): Promise<Caller> {
  return callerOf(openDiskStore({
    directory: "d",
    files,
    clock: systemClock,
    fsync: "no",
    memoryLimit: 0,
    segmentBytes,
    log: () => {},
  }));
}

/** The segments that a manifest lists. */
function listed(bytes: Uint8Array): number[] {
  const manifest = decodeManifest(bytes);
  assert(manifest !== undefined && "segments" in manifest);
  return manifest.segments.map(([id]) => id);
}

async function values(store: Caller): Promise<string[]> {
  const all: string[] = [];
  for (let i = 0; i < 40; i++) {
    const item = await store.read(bytesOf(`k${i}`));
    if (item !== undefined) all.push(`${i}=${binaryString(item.value)}`);
  }
  return all;
}

Deno.test("a start after a kill removes no segment that the manifest on the medium still lists", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const files = new FaultyFiles(new Random(seed));
    const mount = files.mount();
    let killed = () => {};
    const dead = new Promise<void>((resolve) => killed = resolve);
    let renamed = false;
    let on: readonly number[] = [];
    // The kill comes when compaction has renamed its manifest, and before the directory is synced.
    const dying = new Proxy(mount, {
      get: (target, name) => {
        if (name === "rename") {
          return async (from: string, to: string) => {
            const now = to === "d/MANIFEST" ? listed(files.content(from)) : on;
            renamed = on.some((id) => !now.includes(id));
            await target.rename(from, to);
            on = now;
          };
        }
        if (name === "syncDirectory") {
          return (directory: string) => {
            if (!renamed) return target.syncDirectory(directory);
            files.powerCut(true);
            killed();
            return target.syncDirectory(directory);
          };
        }
        return Reflect.get(target, name);
      },
    });
    const store = await open(dying);
    for (let i = 0; i < 40; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(100)));
    await store.commit();
    const expected = await values(store);
    // Written over and over, the first segments are given up.
    let isDead = false;
    dead.then(() => isDead = true);
    for (let i = 0; !isDead; i++) {
      await Promise.resolve(store.swap(bytesOf("o"), "any", itemOf("v".repeat(100))))
        .then(() => store.commit()).catch(() => {});
      if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await store.close().catch(() => {});
    // The power goes when the start has removed what it removes.
    const cut = files.mount();
    let removed = 0;
    const starting = new Proxy(cut, {
      get: (target, name) => {
        if (name !== "remove") return Reflect.get(target, name);
        return (path: string) => {
          target.remove(path);
          removed++;
        };
      },
    });
    files.fault = (operation, path) =>
      operation === "open" && path.endsWith(".log") && removed > 0 ? "EIO" : undefined;
    await open(starting).then((one) => one.close(), () => {});
    assert(removed > 0, "what is not listed is removed");
    files.fault = () => undefined;
    files.powerCut(seed % 2 === 0 ? "removals" : false);
    const again = await open(files.mount());
    assertEquals(await values(again), expected, `seed ${seed}`);
    await again.close();
  }
});

Deno.test("whatever a power cut leaves of the segments that a start cuts off, the next start makes the same of it", async () => {
  const files = new FaultyFiles(new Random(1));
  const store = await open(files);
  const before = new Set(files.list("d"));
  for (let i = 0; i < 40; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf(`v${i}`.padEnd(60)));
  }
  await store.commit();
  const contents = new Map(
    files.list("d").map((name) => [name, files.content(`d/${name}`).slice()]),
  );
  files.powerCut(true);
  await store.close().catch(() => {});
  const logs = [...contents.keys()].filter((name) => name.endsWith(".log") && !before.has(name))
    .sort().slice(0, 5);
  assert(logs.length === 5);
  let expected: string[] | undefined;
  // The second one lost its end, or a whole record; of those behind it any may be gone.
  for (const lost of [8, recordSize(3, 60)]) {
    for (let gone = 0; gone < 8; gone++) {
      const place = new FaultyFiles(new Random(1));
      place.place("d/MANIFEST", contents.get("MANIFEST")!);
      logs.forEach((name, i) => {
        if (i >= 2 && (gone >> i - 2 & 1) === 1) return;
        const bytes = contents.get(name)!;
        place.place(`d/${name}`, i === 1 ? bytes.subarray(0, bytes.length - lost) : bytes);
      });
      const again = await open(place);
      const found = await values(again);
      expected ??= found;
      assertEquals(found, expected, `${lost} bytes lost, without ${gone}`);
      const cut = logs.slice(2).filter((name) => place.list("d").includes(name));
      assertEquals(cut, [], "what is cut off takes no room");
      await again.close();
    }
  }
});

Deno.test("what a failed write has left behind a segment's end is no damage, though the segment was synced", async () => {
  const files = new FaultyFiles(new Random(1));
  const [first, second] = ["d/0000000001.log", "d/0000000002.log"];
  let begins = () => {};
  const hasBegun = new Promise<void>((resolve) => begins = resolve);
  let end = () => {};
  const mayEnd = new Promise<void>((resolve) => end = resolve);
  let cut = () => {};
  const isCut = new Promise<void>((resolve) => cut = resolve);
  const mount = files.mount();
  const store = await open(
    new Proxy(mount, {
      get: (target, name) => {
        if (name !== "open") return Reflect.get(target, name);
        return (path: string, mode: "read" | "write" | "create") => {
          const file = target.open(path, mode);
          if (path !== first && path !== second) return file;
          const sync = async () => {
            if (path === first) begins();
            await (path === first ? mayEnd : isCut);
            await file.sync();
          };
          return { ...file, sync };
        };
      },
    }),
    1 << 13,
  );
  await store.swap(bytesOf("k0"), "any", itemOf("v".repeat(5000)));
  await store.commit();
  // The sync of what is written ends where the segment does, and the manifest is never written.
  const synced = store.store.moment!(true);
  await hasBegun;
  // The next write is done by half, and cannot be cut off: another segment is begun for what follows.
  let writes = 0;
  files.fault = (operation, path) => {
    if (path !== first) return undefined;
    if (operation === "truncate") return "EIO";
    return operation !== "write" ? undefined : writes++ === 0 ? "short" : "EIO";
  };
  await store.swap(bytesOf("k1"), "any", itemOf("refused".repeat(50)));
  await assertRejects(async () => await store.commit(), StoreError);
  files.fault = (operation, path) =>
    operation === "open" && path.includes("MANIFEST") ? "EIO" : undefined;
  await store.swap(bytesOf("k2"), "any", itemOf("w".repeat(8000)));
  await store.commit();
  end();
  await synced;
  // What tells of the sync is in the third segment. It stays, and nothing of the second one does.
  await store.swap(bytesOf("k3"), "any", itemOf("w".repeat(1000)));
  await store.commit();
  assertEquals(files.list("d").filter((name) => name.endsWith(".log")).length, 3);
  files.fault = () => undefined;
  files.powerCut(true);
  cut();
  await store.close().catch(() => {});
  files.place(second, new Uint8Array(0));
  const again = await open(files.mount());
  assertEquals(await values(again), [`0=${"v".repeat(5000)}`]);
  await again.close();
});

Deno.test("every file that a start has opened is closed with the store, also that of a segment with nothing in it", async () => {
  const files = new FaultyFiles(new Random(1));
  const store = await open(files.mount());
  // Of the segment nothing but its header is there.
  files.fault = (operation, _, bytes) =>
    operation === "write" && bytes!.length > 64 ? "EIO" : undefined;
  await store.swap(bytesOf("k0"), "any", itemOf("refused".repeat(20)));
  await assertRejects(async () => await store.commit(), StoreError);
  files.fault = () => undefined;
  files.powerCut(true);
  await store.close().catch(() => {});
  assertEquals(files.content("d/0000000001.log").length, 64);
  const opened = new Set<string>();
  const again = await open(
    new Proxy(files.mount(), {
      get: (target, name) => {
        if (name !== "open") return Reflect.get(target, name);
        return (path: string, mode: "read" | "write" | "create") => {
          const file = target.open(path, mode);
          opened.add(path);
          return { ...file, close: () => (file.close(), void opened.delete(path)) };
        };
      },
    }),
  );
  await again.swap(bytesOf("k1"), "any", itemOf("v"));
  await again.commit();
  await again.close();
  assertEquals([...opened], []);
});
