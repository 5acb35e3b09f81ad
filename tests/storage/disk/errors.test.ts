/** System errors: what each of them does to the store, and what is said of it. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { ExitError, OutOfSpaceError, StoreError } from "../../../lib/errors.ts";
import { codeOf, isNoRoom } from "../../../lib/storage/disk/fs/files.ts";
import { backupDirectory, checkDirectory, repairDirectory } from "../../../lib/storage/disk/mod.ts";
import { recordSize } from "../../../lib/storage/disk/format/record.ts";
import { momentOfDirectory } from "../../../lib/copies/directory_moment.ts";
import type { Caller } from "../caller.ts";
import { Batch } from "../../../lib/storage/contract.ts";
import { itemOf } from "../contract.ts";
import { Place, textOf } from "./place.ts";

const [k, other] = ["k", "other"].map(bytesOf);

function own(store: Caller, name: string): string | number | undefined {
  return new Map(store.info().own).get(name);
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("system errors are known by their code, or by their number in the message", () => {
  assertEquals(codeOf(Object.assign(new Error("x"), { code: "ENOENT" })), "ENOENT");
  assertEquals(codeOf(new Error("File too large (os error 27)")), "EFBIG");
  assertEquals(codeOf(new Error("x is undefined")), "");
  assert(isNoRoom(new Error("Disk quota exceeded (os error 122)")));
  assert(!isNoRoom(new Error("Input/output error (os error 5)")));
});

for (const code of ["ENOSPC", "EDQUOT", "EFBIG"]) {
  Deno.test(`a write that ends with ${code} finds no room, and the state says so until there is`, async () => {
    const place = new Place();
    const store = await place.open();
    await store.swap(k, "any", itemOf("old"));
    await store.commit();
    place.files.fault = (operation, path) =>
      operation === "write" && path.endsWith(".log") ? code : undefined;
    await store.swap(k, "any", itemOf("new"));
    await assertRejects(async () => await store.commit(), OutOfSpaceError);
    assertEquals(own(store, "state"), "full");
    assertEquals(await textOf(store, k), "old");
    place.files.fault = () => undefined;
    await until(() => own(store, "state") === "ok");
    assertEquals(place.said.length, 2);
    await store.swap(k, "any", itemOf("new"));
    await store.commit();
    await store.close();
  });
}

Deno.test("a long value that cannot be written leaves the old one, and takes along what stood before it", async () => {
  const place = new Place();
  const store = await place.open({ memoryLimit: 1 << 22, segmentBytes: 1 << 20 });
  const long = (letter: string) => itemOf(letter.repeat(100_000));
  await store.swap(k, "any", long("a"));
  await store.swap(other, "any", itemOf("old"));
  await store.commit();
  let writes = 0;
  // The second write is that of the value.
  place.files.fault = (operation) => operation === "write" && ++writes === 2 ? "EIO" : undefined;
  await store.swap(other, "any", itemOf("new"));
  assertThrows(() => store.swap(k, "any", long("b")), StoreError);
  await assertRejects(async () => await store.commit(), StoreError);
  place.files.fault = () => undefined;
  assertEquals(await textOf(store, k), "a".repeat(100_000));
  assertEquals(await textOf(store, other), "old");
  await store.swap(k, "any", long("c"));
  await store.commit();
  await store.close();
  const again = await place.open();
  assertEquals([await textOf(again, k), await textOf(again, other)], ["c".repeat(100_000), "old"]);
  await again.close();
});

Deno.test("where a file may not become as large as a segment, the log goes on in another", async () => {
  const place = new Place();
  const store = await place.open({ segmentBytes: 1 << 20 });
  place.files.greatest = 50_000;
  let refused = 0;
  for (let i = 0; i < 1000; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(400)));
    await Promise.resolve(store.commit()).catch(() => refused++);
  }
  assertEquals(refused, 1);
  const segments = place.files.list("d").filter((name) => name.endsWith(".log")).length;
  assert(segments >= 9 && segments < 15, `${segments} segments`);
  assertEquals(store.info().items, 999);
  await store.close();
});

Deno.test("a value that no file may be large enough for is refused, and makes no segments", async () => {
  const place = new Place();
  const store = await place.open({ segmentBytes: 1 << 20 });
  place.files.greatest = 50_000;
  const segments = () => place.files.list("d").filter((name) => name.endsWith(".log")).length;
  await store.swap(k, "any", itemOf("first"));
  await store.commit();
  for (let i = 0; i < 100; i++) {
    const set = async () => {
      await store.swap(other, "any", itemOf("x".repeat(i % 2 === 0 ? 60_000 : 70_000)));
      await store.commit();
    };
    await assertRejects(set, OutOfSpaceError);
    if (i < 50) continue;
    await store.swap(bytesOf(`k${i}`), "any", itemOf("small"));
    await store.commit();
  }
  // The first one was learned from, and no other made the store full.
  assertEquals([segments(), place.said.length], [2, 1]);
  await until(() => own(store, "state") === "ok");
  for (let i = 0; i < 300; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(400)));
  await store.commit();
  assert(segments() < 6, `${segments()} segments`);
  await store.close();
});

Deno.test("with always, after a failed write what was synced is read without another sync", async () => {
  const place = new Place();
  const store = await place.open({ fsync: "always" });
  await store.swap(other, "any", itemOf("synced"));
  await store.commit();
  place.files.fault = (operation) => operation === "write" ? "EIO" : undefined;
  await store.swap(k, "any", itemOf("lost"));
  await assertRejects(async () => await store.commit(), StoreError);
  place.files.fault = (operation) => operation === "sync" ? "EIO" : undefined;
  assertEquals(await textOf(store, other), "synced");
  await store.commit();
  await store.close().catch(() => {});
});

Deno.test("a delayed flush that comes due on a full disk takes the items, and reads go on", async () => {
  const place = new Place();
  let store = await place.open();
  await store.swap(k, "any", itemOf("before"));
  await store.flush(place.clock.now() + 10_000);
  await store.commit();
  place.files.capacity = 0;
  place.clock.offset += 20_000;
  assertEquals(await textOf(store, k), undefined);
  for await (const group of store.scan()) assertEquals(group, []);
  await store.commit();
  assertEquals(store.info().items, 0);
  await assertRejects(async () => await store.swap(k, "any", itemOf("refused")), OutOfSpaceError);
  // A kill before the flush is written: it is due at the next start.
  place.files.powerCut(true);
  await store.close().catch(() => {});
  place.files.capacity = Infinity;
  store = await place.open();
  assertEquals(await textOf(store, k), undefined);
  await store.swap(k, "any", itemOf("after"));
  await store.close();
  store = await place.open();
  assertEquals(await textOf(store, k), "after");
  await store.close();
});

Deno.test("near the end of the room sets are refused with an eighth of it free, and it is said", async () => {
  const place = new Place();
  place.files.capacity = 4 << 20;
  const store = await place.open({ segmentBytes: 1 << 26 });
  const value = "x".repeat(1000);
  let stored = 0;
  await assertRejects(async () => {
    for (;; stored++) {
      await store.swap(bytesOf(`k${stored}`), "any", itemOf(value));
      await store.commit();
    }
  }, OutOfSpaceError);
  const used = place.files.used();
  assert(used > place.files.capacity * 0.85, `${used} bytes used`);
  assertEquals(own(store, "state"), "full");
  assert(Number(own(store, "free_bytes")) > 0);
  assert(Number(own(store, "reserved_bytes")) >= Number(own(store, "free_bytes")) / 2);
  assertEquals(place.said.length, 1);
  assert(/'d' is full: \d+ bytes are free, \d+ are kept for/.test(place.said[0]), place.said[0]);
  for (let i = 0; i < stored; i += 2) {
    assertEquals(await store.swap(bytesOf(`k${i}`), "any", null), 0n);
    await store.commit();
  }
  await until(() => own(store, "state") === "ok");
  assertEquals(place.said.length, 2);
  await store.close();
});

Deno.test("where nothing but the flush itself finds room, what it has emptied is given back", async () => {
  const place = new Place();
  const store = await place.open({ fsync: "always" });
  for (let i = 0; i < 200; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(1000)));
    await store.commit();
  }
  // All but the last of the segments are listed, and nothing is under way.
  const segments = () => place.files.list("d").filter((name) => name.endsWith(".log")).length;
  const hints = () => place.files.list("d").filter((name) => name.endsWith(".hint")).length;
  await until(() => hints() === segments() - 1);
  // A sync marker may come before the flush. No manifest is as short as that.
  place.files.capacity = place.files.used() + 2 * recordSize(0, 0);
  await store.flush(place.clock.now());
  await store.commit();
  await until(() => segments() === 1);
  assert(place.files.used() < place.files.capacity / 4);
  await store.swap(k, "any", itemOf("fits again"));
  await store.commit();
  place.files.powerCut();
  await store.close().catch(() => {});
  const again = await place.open();
  assertEquals(again.info().items, 1);
  assertEquals(await textOf(again, k), "fits again");
  await again.close();
});

Deno.test("where a manifest fails for another reason than room, no hint is given up for it", async () => {
  const place = new Place();
  const store = await place.open();
  for (let i = 0; i < 200; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(1000)));
    await store.commit();
  }
  const names = (end: string) => place.files.list("d").filter((name) => name.endsWith(end)).length;
  await until(() => names(".hint") === names(".log") - 1);
  const hints = names(".hint");
  place.files.fault = (operation, path) =>
    operation === "open" && path.includes("MANIFEST") ? "EIO" : undefined;
  await store.flush(place.clock.now());
  await store.commit();
  await until(() => place.said.some((line) => line.startsWith("Compaction stopped")));
  assertEquals(names(".hint"), hints);
  // What could not be taken off the list is taken off it later.
  place.files.fault = () => undefined;
  await until(() => names(".log") === 1);
  await store.close();
});

Deno.test("a store that has failed holds its directory until the manifest is written that it has begun", async () => {
  const place = new Place();
  let [isRenaming, release] = [false, () => {}];
  const files = new Proxy(place.files.mount(), {
    get: (target, name) => {
      if (name !== "rename") return Reflect.get(target, name);
      return async (from: string, to: string) => {
        isRenaming ||= to === "d/MANIFEST" && isHeld;
        if (to === "d/MANIFEST" && isHeld) await held;
        await target.rename(from, to);
      };
    },
  });
  let isHeld = false;
  const held = new Promise<void>((resolve) => release = resolve);
  const store = await place.open({ files, fsync: "always" });
  isHeld = true;
  // A segment becomes full, and is listed.
  await store.swap(k, "any", itemOf("v".repeat(1 << 14)));
  await store.swap(other, "any", itemOf("v"));
  await store.commit();
  await until(() => isRenaming);
  place.files.fault = (operation) => operation === "sync" ? "EIO" : undefined;
  await store.swap(k, "any", itemOf("lost"));
  await assertRejects(async () => await store.commit(), StoreError);
  const closing = assertRejects(() => store.close(), StoreError);
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert(files.isLocked("d"));
  release();
  await closing;
  assert(!files.isLocked("d"));
});

Deno.test("what a refused write has left behind a segment's end is read by nobody", async () => {
  const place = new Place();
  const { files } = place;
  const store = await place.open();
  await store.swap(k, "any", itemOf("old"));
  await store.commit();
  // All of it is on the disk, and cannot be cut off. The manifest never tells where the segment ends.
  files.fault = (operation, path) => {
    if (path.includes("MANIFEST") || operation === "truncate") return "EIO";
    return operation === "write" ? "late" : undefined;
  };
  await store.swap(k, "any", itemOf("refused"));
  await assertRejects(async () => await store.commit(), StoreError);
  files.fault = (_, path) => path.includes("MANIFEST") ? "EIO" : undefined;
  await store.swap(other, "any", itemOf("v"));
  await store.commit();
  files.fault = () => undefined;
  files.powerCut(true);
  await store.close().catch(() => {});
  const mount = files.mount();

  const found = await checkDirectory({ directory: "d", files: mount });
  assertEquals([found.segments, found.items, found.damaged, found.torn], [2, 2, [], []]);
  const moment = await momentOfDirectory(mount, "d", false);
  assertEquals(moment.segments.map(([, length]) => length), [
    64 + recordSize(1, 3),
    64 + recordSize(5, 1),
  ]);
  await backupDirectory({ directory: "d", target: "copy", files: mount });
  await repairDirectory({ directory: "d", files: mount });
  for (const directory of ["d", "copy"]) {
    const again = await place.open({ directory });
    assertEquals([await textOf(again, k), await textOf(again, other)], ["old", "v"], directory);
    await again.close();
  }
});

Deno.test("a refused write that cannot be cut off is not there after a kill that comes immediately", async () => {
  const place = new Place();
  const { files } = place;
  const store = await place.open();
  await store.swap(k, "any", itemOf("old"));
  await store.commit();
  let isLate = true;
  files.fault = (operation, path) => {
    if (path.includes("MANIFEST") || operation === "truncate") return "EIO";
    if (operation !== "write" || !isLate) return undefined;
    isLate = false;
    return "late";
  };
  await store.swap(k, "any", itemOf("refused"));
  await assertRejects(async () => await store.commit(), StoreError);
  assertEquals(await textOf(store, k), "old");
  files.powerCut(true);
  files.fault = () => undefined;
  await store.close().catch(() => {});
  const again = await place.open();
  assertEquals(await textOf(again, k), "old");
  await again.close();
});

Deno.test("a segment that was begun, given up and could not be removed is no part of the log, with a header or without", async () => {
  for (const what of ["late", "EIO"]) {
    const place = new Place();
    const { files } = place;
    const store = await place.open();
    await store.swap(k, "any", itemOf("first"));
    await store.commit();
    // Twice: more than one may lie there.
    for (const name of ["0000000002.log", "0000000003.log"]) {
      files.fault = (operation, path) => {
        if (path.includes("MANIFEST")) return "EIO";
        if (path !== `d/${name}`) return undefined;
        return operation === "write" ? what : operation === "remove" ? "EIO" : undefined;
      };
      assertThrows(() => store.store.swap(other, "any", itemOf("x".repeat(1 << 14)), new Batch()));
    }
    files.fault = (_, path) => path.includes("MANIFEST") ? "EIO" : undefined;
    await store.swap(other, "any", itemOf("x".repeat(1 << 14)));
    await store.commit();
    files.fault = () => undefined;
    files.powerCut(true);
    await store.close().catch(() => {});
    const mount = files.mount();
    assertEquals(mount.list("d").filter((name) => name.endsWith(".log")).length, 4, what);

    const { segments, items, damaged, torn, problems } = await checkDirectory({
      directory: "d",
      files: mount,
    });
    assertEquals([segments, items, damaged, torn, problems], [2, 2, [], [], []], what);
    const moment = await momentOfDirectory(mount, "d", false);
    assertEquals(moment.segments.map(([id]) => id), [1, 4]);
    await backupDirectory({ directory: "d", target: "copy", files: mount });
    for (const name of mount.list("d")) {
      if (!name.endsWith(".lock")) files.place(`repaired/${name}`, files.content(`d/${name}`));
    }
    const repaired = await repairDirectory({ directory: "repaired", files: mount });
    assertEquals([repaired.damaged, repaired.setAside], [[], []]);
    for (const directory of ["d", "copy", "repaired"]) {
      const again = await place.open({ directory });
      assertEquals(await textOf(again, k), "first", `${what}, ${directory}`);
      assertEquals((await textOf(again, other))?.length, 1 << 14, `${what}, ${directory}`);
      await again.close();
    }
    assertEquals(place.said.filter((line) => line.includes("torn")), []);
  }
});

Deno.test("an idle store reclaims the room of items that have expired", async () => {
  const place = new Place();
  const store = await place.open({ segmentBytes: 1 << 26 });
  const exptime = place.clock.now() + 10_000;
  for (let i = 0; i < 3000; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(100), { exptime }));
  }
  await store.swap(k, "any", itemOf("stays"));
  await store.commit();
  assertEquals(store.info().items, 3001);
  place.clock.offset += 40_000;
  await until(() => store.info().items === 1);
  assertEquals(store.info().reclaimed, 3000);
  assertEquals(await textOf(store, k), "stays");
  await store.close();
});

/** Everything that is done with a directory, once. What it throws must be a sentence. */
async function everything(place: Place): Promise<void> {
  const sentence = async (what: string, call: () => unknown): Promise<unknown> => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof StoreError || error instanceof ExitError) {
        assert(!error.message.includes("\n"), what);
        return undefined;
      }
      throw new Error(`${what}: ${(error as Error).stack}`);
    }
  };
  for (let round = 0; round < 2; round++) {
    const store = await sentence("open", () => place.open({ fsync: "always" })) as
      | Caller
      | undefined;
    if (store === undefined) continue;
    for (let i = 0; i < 6; i++) {
      await sentence("set", () => store.swap(bytesOf(`k${i}`), "any", itemOf("x".repeat(5000))));
      await sentence("commit", () => store.commit());
      await sentence("delete", () => store.swap(bytesOf(`k${i - 2}`), "any", null));
      await sentence("get", () => store.read(bytesOf(`k${i - 1}`)));
      await sentence("commit", () => store.commit());
    }
    await sentence("flush", () => store.flush(place.clock.now() + 1000));
    await sentence("scan", async () => {
      for await (const _ of store.scan());
    });
    await sentence("close", () => store.close());
  }
  const { files } = place;
  await sentence("check", () => checkDirectory({ directory: "d", files }));
  await sentence("repair", () => repairDirectory({ directory: "d", files }));
  await sentence("backup", () => backupDirectory({ directory: "d", target: "copy", files }));
}

for (
  const operation of [
    "open",
    "write",
    "read",
    "sync",
    "truncate",
    "rename",
    "remove",
    "list",
    "link",
    "size",
    "makeDirectory",
  ] as const
) {
  Deno.test(`every error of '${operation}', wherever it comes, is a sentence`, async () => {
    let calls = 0;
    const counting = new Place();
    counting.files.fault = (asked) => void (asked === operation && calls++);
    await everything(counting);
    if (operation !== "truncate") assert(calls > 0);
    for (const code of ["EIO", "EMFILE", "ENOSPC", "EISDIR"]) {
      for (let failing = 0; failing < Math.min(calls, 60); failing++) {
        const place = new Place();
        let call = 0;
        place.files.fault = (asked) => asked === operation && call++ === failing ? code : undefined;
        await everything(place);
        place.files.fault = () => undefined;
        await everything(place);
      }
    }
  });
}
