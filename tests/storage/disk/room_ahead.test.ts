/** Zeros behind the log's end, into which a store writes that syncs before it replies. */

import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { backupDirectory, checkDirectory, repairDirectory } from "../../../lib/storage/disk/mod.ts";
import { decodeManifest } from "../../../lib/storage/disk/format/manifest.ts";
import { recordSize } from "../../../lib/storage/disk/format/record.ts";
import type { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { Place, SEGMENT, textOf } from "./place.ts";

const FIRST = "d/0000000001.log";

/** One whose stores sync before they reply. */
class SyncedPlace extends Place {
  constructor() {
    super({ fsync: "always" });
  }

  /** The store's directory as a kill leaves it, after so many sets of 100 bytes. */
  async killed(sets: number): Promise<void> {
    const store = await this.open();
    await fill(store, sets);
    this.files.powerCut(true);
    await store.close().catch(() => {});
    // What the dead store had to say is not what the next one has.
    this.said.length = 0;
  }
}

async function fill(store: Caller, sets: number): Promise<void> {
  for (let i = 0; i < sets; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(100)));
    await store.commit();
  }
}

function zerosAtEnd(bytes: Uint8Array): number {
  return bytes.length - 1 - bytes.findLastIndex((byte) => byte !== 0);
}

Deno.test("where replies wait for syncs, records replace zeros that were there before", async () => {
  const place = new SyncedPlace();
  const store = await place.open();
  await fill(store, 1);
  const { length } = place.files.content(FIRST);
  assert(zerosAtEnd(place.files.content(FIRST)) > 1000);
  await fill(store, 10);
  assertEquals(place.files.content(FIRST).length, length);
  await fill(store, 60);
  assert(place.files.content(FIRST).length > length);
  await store.close();
});

for (const fsync of ["everysec", "no"] as const) {
  Deno.test(`with ${fsync}, where no reply waits, no zeros are written`, async () => {
    const place = new SyncedPlace();
    const store = await place.open({ fsync });
    await fill(store, 10);
    assert(zerosAtEnd(place.files.content(FIRST)) < 8);
    await store.close();
  });
}

Deno.test("a segment that is sealed has no room, and neither has one that was closed", async () => {
  const place = new SyncedPlace();
  const store = await place.open();
  await fill(store, 300);
  await store.close();
  const manifest = decodeManifest(place.files.content("d/MANIFEST"));
  assert(manifest !== undefined && "segments" in manifest && manifest.segments.length > 2);
  for (const [id, length] of manifest.segments) {
    assertEquals(place.files.content(`d/${String(id).padStart(10, "0")}.log`).length, length);
  }
});

Deno.test("room that a kill leaves is cut off without a word, and every item is there", async () => {
  const place = new SyncedPlace();
  await place.killed(10);
  const { length } = place.files.content(FIRST);
  const again = await place.open();
  assertEquals(place.said, []);
  assert(place.files.content(FIRST).length < length);
  for (let i = 0; i < 10; i++) assertEquals(await textOf(again, bytesOf(`k${i}`)), "v".repeat(100));
  await again.close();
});

Deno.test("room is no damage and nothing torn to a check, a repair, or a backup", async () => {
  const place = new SyncedPlace();
  await place.killed(10);
  const report = await checkDirectory({ directory: "d", files: place.files });
  assertEquals([report.torn, report.damaged, report.items], [[], [], 10]);
  await backupDirectory({ directory: "d", target: "b", files: place.files });
  assert(zerosAtEnd(place.files.content("b/0000000001.log")) < 8);
  const repaired = await repairDirectory({ directory: "d", files: place.files });
  assertEquals([repaired.damaged, repaired.setAside, repaired.records], [[], [], 10]);
  const again = await place.open();
  assertEquals(again.info().items, 10);
  await again.close();
});

for (const [what, value] of [["of text", "v".repeat(101)], ["of zeros", "\0".repeat(101)]]) {
  Deno.test(`a check and a repair find every whole record behind damage, also the last one where its value is ${what}`, async () => {
    const place = new SyncedPlace();
    const store = await place.open();
    for (let i = 0; i < 10; i++) {
      await store.swap(bytesOf(`k${i}`), "any", itemOf(value));
      await store.commit();
    }
    place.files.powerCut(true);
    await store.close().catch(() => {});
    const size = recordSize(2, value.length);
    place.files.content(FIRST)[64 + 3 * size + 60] ^= 1;
    const damaged = [{ path: FIRST, offset: 64 + 3 * size, bytes: size }];
    const report = await checkDirectory({ directory: "d", files: place.files });
    // No marker says that more than that was synced.
    assertEquals([report.torn, report.items], [damaged, 9]);
    const repaired = await repairDirectory({ directory: "d", files: place.files });
    assertEquals([repaired.damaged, repaired.records], [damaged, 9]);
    const again = await place.open();
    assertEquals(await textOf(again, bytesOf("k9")), value);
    assertEquals(await textOf(again, bytesOf("k3")), undefined);
    await again.close();
  });
}

Deno.test("of a torn write in the room ahead only what is torn is told of", async () => {
  const place = new SyncedPlace();
  await place.killed(10);
  // Three bytes of a record that has not come whole.
  const bytes = place.files.content(FIRST);
  const end = (bytes.findLastIndex((byte) => byte !== 0) & ~7) + 8;
  bytes.set([1, 2, 3], end);
  const report = await checkDirectory({ directory: "d", files: place.files });
  assertEquals(report.torn, [{ path: FIRST, offset: end, bytes: 3 }]);
  const again = await place.open();
  assertEquals(place.said, [
    `Cut off the log's torn end: 3 bytes from offset ${end} of '${FIRST}' on, with 0 whole records ` +
    "behind the tear; they were never synced",
  ]);
  assertEquals(again.info().items, 10);
  await again.close();
});

Deno.test("where a power cut leaves the room of a full segment, and takes the next one's header, nothing is damaged", async () => {
  const place = new SyncedPlace();
  const store = await place.open();
  const second = "d/0000000002.log";
  // What was synced before each of them is worth a marker, the first thing in the second segment.
  for (let i = 0; i < 4; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(5000)));
    await store.commit();
  }
  place.files.powerCut(true);
  await store.close().catch(() => {});
  const { files } = place;
  const whole = files.content(FIRST);
  files.place(FIRST, new Uint8Array([...whole, ...new Uint8Array(512)]));
  files.place(second, files.content(second).fill(0, 0, 64));
  const again = await place.open();
  assertEquals(again.info().items, 3);
  await again.close();
});

for (const code of ["ENOSPC", "EIO", "short"]) {
  Deno.test(`room that cannot be made, for ${code}, is done without`, async () => {
    const place = new SyncedPlace();
    place.files.fault = (operation, path, bytes) =>
      operation === "write" && path === FIRST && bytes!.every((byte) => byte === 0)
        ? code
        : undefined;
    const store = await place.open();
    await fill(store, 40);
    if (code !== "short") assert(zerosAtEnd(place.files.content(FIRST)) < 8);
    place.files.fault = () => undefined;
    assertEquals(place.said, []);
    place.files.powerCut(true);
    await store.close().catch(() => {});
    const again = await place.open();
    assertEquals(again.info().items, 40);
    await again.close();
  });
}

Deno.test("a failed write is cut off together with the room behind it, and the next makes room again", async () => {
  const place = new SyncedPlace();
  const store = await place.open();
  await fill(store, 3);
  const whole = place.files.content(FIRST).length - zerosAtEnd(place.files.content(FIRST));
  let fails = true;
  place.files.fault = (operation, path) => {
    if (operation !== "write" || path !== FIRST || !fails) return undefined;
    fails = false;
    return "EIO";
  };
  await store.swap(bytesOf("lost"), "any", itemOf("v"));
  await Promise.resolve(store.commit()).then(() => assert(false), () => {});
  assert(place.files.content(FIRST).length - whole < 8);
  await fill(store, 3);
  assert(zerosAtEnd(place.files.content(FIRST)) > 1000);
  await store.close();
});

Deno.test("with room ahead a directory never takes more than it is allowed", async () => {
  const place = new SyncedPlace();
  const maxDisk = 20 * SEGMENT;
  let most = 0;
  place.files.fault = () => {
    most = Math.max(most, place.files.used());
    return undefined;
  };
  const store = await place.open({ maxDisk });
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    await Promise.resolve(store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(100))))
      .then(() => store.commit()).catch(() => refused++);
  }
  assert(refused > 0);
  assert(most > 0 && most <= maxDisk, `${most} of ${maxDisk}`);
  await store.close();
});
