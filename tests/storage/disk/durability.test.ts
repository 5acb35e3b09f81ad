/** What may be answered when, with each setting of fsync. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { StoreError } from "../../../lib/errors.ts";
import { momentOfDirectory } from "../../../lib/copies/directory_moment.ts";
import { recordSize } from "../../../lib/storage/disk/format/record.ts";
import type { Files } from "../../../lib/storage/disk/fs/files.ts";
import { Batch } from "../../../lib/storage/contract.ts";
import { ItemCursor } from "../../../lib/storage/item_cursor.ts";
import { Commits } from "../../../lib/storage/disk/log/commits.ts";
import type { Log } from "../../../lib/storage/disk/log/log.ts";
import type { Segment } from "../../../lib/storage/disk/log/segment.ts";
import { Syncer } from "../../../lib/storage/disk/log/sync.ts";
import { type Fsync, openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";
import { Caller, callerOf } from "../caller.ts";

const [k, other] = ["k", "other"].map(bytesOf);

/** A store whose syncs of segments end when the test lets them. */
async function held(fsync: Fsync, segmentBytes = 1 << 26) {
  const disk = new FaultyFiles(new Random(5));
  const waiting: Array<() => void> = [];
  const hold = { on: false };
  const mount = disk.mount();
  const files: Files = new Proxy(mount, {
    get: (target, name) => {
      const member = Reflect.get(target, name);
      if (name !== "open") return member;
      return (path: string, mode: "read" | "write" | "create") => {
        const file = target.open(path, mode);
        if (!path.endsWith(".log")) return file;
        const sync = async () => {
          // What is written from here on is not on the medium when it ends.
          const synced = file.sync();
          if (hold.on) await new Promise<void>((resolve) => waiting.push(resolve));
          await synced;
        };
        return { ...file, sync };
      };
    },
  });
  const open = (files: Files) =>
    callerOf(openDiskStore({
      directory: "d",
      files,
      fsync,
      clock: systemClock,
      memoryLimit: 1 << 18,
      segmentBytes,
      log: () => {},
    }));
  return {
    disk,
    hold,
    store: await open(files),
    release: () => waiting.splice(0).forEach((resolve) => resolve()),
    waiting,
    open: () => open(disk.mount()),
  };
}

async function settled(promise: unknown): Promise<boolean> {
  let done = !(promise instanceof Promise);
  if (promise instanceof Promise) promise.then(() => done = true);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  return done;
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function own(store: Caller, name: string): number {
  return Number(new Map(store.info().own).get(name));
}

Deno.test("with always, writes and who has seen them wait for the sync, and nobody else", async () => {
  const { store, hold, release, waiting, open, disk } = await held("always");
  await store.swap(other, "any", itemOf("old"));
  await store.commit();
  hold.on = true;
  await store.swap(k, "any", itemOf("new"));
  const written = store.commit();
  await until(() => waiting.length > 0);
  assert(!await settled(written));

  await store.read(other);
  assert(await settled(store.commit()), "another key's reader does not wait");
  assertEquals(binaryString((await store.read(k))!.value), "new");
  const seen = store.commit();
  assert(!await settled(seen), "who has seen the item waits");
  await store.swap(k, "absent", itemOf("no"));
  const refused = store.commit();
  assert(!await settled(refused), "who was told that it is there waits");
  assertEquals(store.find(k, new ItemCursor()), true);
  const shown = store.commit();
  assert(!await settled(shown), "who was shown it by a cursor waits");

  hold.on = false;
  release();
  await Promise.all([written, seen, refused, shown]);
  disk.powerCut();
  await store.close().catch(() => {});
  const again = await open();
  assertEquals(binaryString((await again.read(k))!.value), "new");
  await again.close();
});

Deno.test("with always, who has seen an absence waits for the sync that makes it last", async () => {
  const { store, hold, release, waiting } = await held("always");
  await store.swap(k, "any", itemOf("v"));
  await store.commit();
  hold.on = true;
  await store.swap(k, "any", null);
  const deleted = store.commit();
  await until(() => waiting.length > 0);
  assertEquals(await store.read(k), undefined);
  const seen = store.commit();
  assert(!await settled(seen));
  hold.on = false;
  release();
  await Promise.all([deleted, seen]);
  await store.close();
});

Deno.test("with always, who sees again what a failed write had changed waits for a sync that began after it was cut off", async () => {
  const { store, disk, hold, release, waiting, open } = await held("always");
  await store.swap(k, "any", itemOf("old"));
  await store.commit();
  hold.on = true;
  const written = new Caller(store.store);
  await written.swap(other, "any", itemOf("v"));
  const synced = written.commit();
  await until(() => waiting.length > 0);
  // It is long enough to be written by itself, and is on the disk all the same, while that sync is under way.
  disk.fault = (operation) => operation === "write" ? "late" : undefined;
  await assertRejects(
    async () => await store.swap(k, "any", itemOf("refused".repeat(20_000))),
    StoreError,
  );
  disk.fault = () => undefined;
  await assertRejects(async () => await store.commit(), StoreError);
  release();
  await synced;
  assertEquals(binaryString((await store.read(k))!.value), "old");
  const seen = store.commit();
  assert(!await settled(seen), "the refused one may yet come back");
  hold.on = false;
  release();
  await seen;
  disk.powerCut();
  await store.close().catch(() => {});
  const again = await open();
  assertEquals(binaryString((await again.read(k))!.value), "old");
  await again.close();
});

Deno.test("with everysec, what was stored is synced without a further call", async () => {
  const { store, disk, open } = await held("everysec");
  await store.swap(k, "any", itemOf("v"));
  assert(await settled(store.commit()), "a commit does not wait for a sync");
  assert(own(store, "unsynced_bytes") > 0);
  await until(() => own(store, "unsynced_bytes") === 0);
  disk.powerCut();
  await store.close().catch(() => {});
  const again = await open();
  assertEquals(binaryString((await again.read(k))!.value), "v");
  await again.close();
});

Deno.test("with everysec, commits wait for a sync that falls behind", async () => {
  const { store, hold, release, waiting } = await held("everysec");
  hold.on = true;
  await store.swap(k, "any", itemOf("v"));
  await store.commit();
  await until(() => waiting.length > 0);
  // The next tick finds it still under way.
  let late: unknown;
  await until(() => {
    store.swap(k, "any", itemOf("w"));
    late = store.commit();
    return own(store, "behind") === 1;
  });
  await store.swap(k, "any", itemOf("x"));
  late = store.commit();
  assert(!await settled(late));
  hold.on = false;
  release();
  await late;
  await store.close();
});

Deno.test("with everysec, commits wait for no sync that others have asked for since the last tick", async () => {
  const ends: Array<() => void> = [];
  const sync = () => new Promise<void>((resolve) => ends.push(resolve));
  const log = {
    written: 0,
    hints: new Map(),
    unsynced: [{ file: { sync }, sealed: false, pin() {}, unpin() {} } as unknown as Segment],
    namesUnsynced: false,
    writeOut() {},
  };
  const commits = new Commits({
    ...{ files: {} as Files, directory: "d", log: log as unknown as Log, fsync: "everysec" },
    ...{ heldUp: () => undefined, sealed() {}, fails() {} },
  });
  const behindAfterTick = () => {
    commits.tick();
    return commits.behind;
  };
  // As one that seals a segment asks, in between two ticks.
  log.written = 10;
  const sealed = commits.syncer.until(10);
  await until(() => ends.length === 1);
  log.written = 20;
  assertEquals([behindAfterTick(), behindAfterTick()], [false, true]);
  ends[0]();
  await sealed;
  // What comes next has been due since a tick.
  await until(() => ends.length === 2);
  assertEquals([commits.behind, behindAfterTick()], [false, true]);
  ends[1]();
  await commits.syncer.ended();
  assertEquals([commits.syncer.synced, commits.behind, behindAfterTick()], [20, false, false]);
});

Deno.test("after a failed write the log is marked as synced up to a whole record, and copied so far from outside", async () => {
  const { store, disk } = await held("everysec");
  await store.swap(k, "any", itemOf("v".repeat(100)));
  await store.commit();
  await store.store.moment!(true);
  disk.fault = (operation) => operation === "write" ? "EIO" : undefined;
  await store.swap(other, "any", itemOf("refused"));
  await assertRejects(async () => await store.commit(), StoreError);
  disk.fault = () => undefined;
  const before = own(store, "log_bytes");
  await until(() => own(store, "log_bytes") > before);
  const { segments } = await momentOfDirectory(disk, "d", true);
  assertEquals(segments.map(([id, length]) => [id, length]), [[1, 64 + recordSize(1, 100)]]);
  await store.close();
});

Deno.test("a store whose last write fails keeps its directory until the sync under way has had its effects", async () => {
  const { store, disk, hold, release, waiting } = await held("no", 1 << 12);
  hold.on = true;
  for (let i = 0; waiting.length === 0; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(300)));
    await store.commit();
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await store.swap(k, "any", itemOf("refused"));
  disk.fault = (operation, path) =>
    operation === "write" && path.endsWith(".log") ? "EIO" : undefined;
  const closed = assertRejects(() => store.close(), StoreError, "EIO");
  assert(!await settled(closed));
  assert(disk.isLocked(), "a manifest is yet to be written");
  hold.on = false;
  release();
  await closed;
  assert(!disk.isLocked());
  const calls: string[] = [];
  disk.fault = (operation, path): undefined => void calls.push(`${operation} ${path}`);
  await settled(undefined);
  assertEquals(calls, []);
});

Deno.test("with no, a segment is synced when it is sealed, and at the end", async () => {
  const { store, disk, open } = await held("no");
  await store.swap(k, "any", itemOf("v"));
  await store.commit();
  assertEquals(own(store, "syncs"), 0);
  await store.close();
  disk.powerCut();
  const again = await open();
  assertEquals(binaryString((await again.read(k))!.value), "v");
  await again.close();
});

for (const order of ["after", "before"]) {
  Deno.test(`with always, who writes ${order} seeing what is being synced waits for the own write`, async () => {
    const { store, hold, release, waiting } = await held("always");
    const first = new Caller(store.store);
    const second = new Caller(store.store);
    hold.on = true;
    await first.swap(k, "any", itemOf("first"));
    const one = first.commit();
    await until(() => waiting.length > 0);
    if (order === "before") await second.swap(other, "any", itemOf("second"));
    await second.read(k);
    if (order === "after") await second.swap(other, "any", itemOf("second"));
    const two = second.commit();
    // The sync that covers what was seen ends, and the one that covers what was written has begun.
    release();
    await one;
    await until(() => waiting.length > 0);
    assert(!await settled(two), "its own write is not on the medium");
    hold.on = false;
    release();
    await two;
    await store.close();
  });
}

Deno.test("a batch that its connection has given up is told of no loss", async () => {
  const { store: caller, disk } = await held("everysec");
  const { store } = caller;
  const [gone, there] = [new Batch(), new Batch()];
  await store.swap(k, "any", itemOf("of nobody"), gone);
  // The connection takes it for its next client's requests.
  gone.clear();
  await store.swap(other, "any", itemOf("lost"), there);
  disk.fault = (operation) => operation === "write" ? "EIO" : undefined;
  await assertRejects(async () => await store.commit(there), StoreError);
  disk.fault = () => undefined;
  assertEquals(gone.loss, undefined);
  await store.commit(gone);
  await caller.close();
});

Deno.test("a batch that has lost a write takes no more of them, and the next one does", async () => {
  const { store: caller, disk } = await held("everysec");
  const { store } = caller;
  const [lost, next] = [new Batch(), new Batch()];
  await store.swap(k, "any", itemOf("lost"), lost);
  disk.fault = (operation) => operation === "write" ? "EIO" : undefined;
  await assertRejects(async () => await store.commit(lost), StoreError);
  disk.fault = () => undefined;
  for (const item of [itemOf("more"), null]) {
    await assertRejects(async () => await store.swap(other, "any", item, lost), StoreError, "EIO");
  }
  lost.clear();
  await store.swap(other, "any", itemOf("taken"), lost);
  await store.swap(k, "absent", itemOf("taken"), next);
  await store.commit(lost);
  await store.commit(next);
  assertEquals(caller.info().items, 2);
  await caller.close();
});

Deno.test("a batch whose bytes are written is not kept in memory", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const { store: caller } = await held("everysec");
  const { store } = caller;
  const batches: WeakRef<Batch>[] = [];
  for (let i = 0; i < 200; i++) {
    const batch = new Batch();
    await store.swap(k, "any", itemOf("v"), batch);
    await store.commit(batch);
    batches.push(new WeakRef(batch));
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  collectGarbage();
  const kept = batches.filter((batch) => batch.deref() !== undefined).length;
  assert(kept < 20, `${kept} of ${batches.length} are kept`);
  await caller.close();
});

Deno.test("a write that failed late, and is on the disk all the same, does not come back", async () => {
  const { store, disk, open } = await held("everysec");
  await store.swap(k, "any", itemOf("old"));
  await store.commit();
  disk.fault = (operation) => operation === "write" ? "late" : undefined;
  await store.swap(k, "any", itemOf("refused"));
  await assertRejects(async () => await store.commit(), StoreError);
  disk.fault = () => undefined;
  disk.powerCut(true);
  await store.close().catch(() => {});
  const again = await open();
  assertEquals(binaryString((await again.read(k))!.value), "old");
  await again.close();
});

Deno.test("a wait for a sync that begins at the moment another sync ends is answered too", async () => {
  const log = {
    written: 0,
    hints: new Set(),
    unsynced: [],
    namesUnsynced: false,
    writeOut() {},
  };
  const events = { begins() {}, ends() {}, sealed() {}, fails() {} };
  const syncer = new Syncer({} as Files, "d", log as unknown as Log, events, true);
  for (let hops = 0; hops < 6; hops++) {
    log.written++;
    let ended = syncer.until(log.written);
    for (let hop = 0; hop < hops; hop++) ended = ended.then(() => {});
    await ended.then(() => syncer.until(++log.written));
  }
  assertEquals(syncer.count, 12);
});

for (const fails of [false, true]) {
  Deno.test(`of the syncs of a slow medium the first is waited for, and the rest hold up nobody (${fails ? "it fails" : "it ends"})`, async () => {
    let syncs = 0;
    const waitedFor: number[] = [];
    const file = {
      syncNow() {
        waitedFor.push(syncs++);
        const end = performance.now() + 1;
        while (performance.now() < end);
        if (fails) throw new Error("EIO");
      },
      sync: () => Promise.resolve(void syncs++),
    };
    const log = {
      written: 0,
      hints: new Set(),
      unsynced: [{ file, sealed: false, pin() {}, unpin() {} } as unknown as Segment],
      namesUnsynced: false,
      writeOut() {},
    };
    let failures = 0;
    const events = { begins() {}, ends() {}, sealed() {}, fails: () => void failures++ };
    const syncer = new Syncer({} as Files, "d", log as unknown as Log, events, true);
    if (fails) {
      await assertRejects(() => syncer.until(++log.written), StoreError, "EIO");
      assertEquals([failures, syncer.synced], [1, 0]);
      return;
    }
    for (let i = 0; i < 100; i++) await syncer.until(++log.written);
    assertEquals([syncs, syncer.synced], [100, 100]);
    assertEquals(waitedFor, [0, 33, 98]);
  });
}

Deno.test("only where replies wait for syncs may the thread wait for one", async () => {
  for (const fsync of ["always", "everysec", "no"] as const) {
    const disk = new FaultyFiles(new Random(5));
    disk.isFast = true;
    let waits = 0;
    const files: Files = new Proxy(disk.mount(), {
      get: (target, name) => {
        const member = Reflect.get(target, name);
        if (name !== "open") return member;
        return (path: string, mode: "read" | "write" | "create") => {
          const file = target.open(path, mode);
          const syncNow = () => {
            waits++;
            file.syncNow!();
          };
          return { ...file, syncNow };
        };
      },
    });
    const store = await callerOf(openDiskStore({
      ...{ directory: "d", files, clock: systemClock, log: () => {}, fsync },
      memoryLimit: 0,
    }));
    for (let i = 0; i < 3; i++) {
      await store.swap(k, "any", itemOf(`${i}`));
      await store.commit();
      await store.store.moment!(true);
    }
    await store.close();
    assertEquals(waits > 0, fsync === "always", fsync);
  }
});
