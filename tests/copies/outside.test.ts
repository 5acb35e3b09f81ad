import { assert, assertEquals } from "@std/assert";
import { momentOfDirectory } from "../../lib/copies/directory_moment.ts";
import { copyDirectoryOnce } from "../../lib/copies/once.ts";
import { chooseMoment } from "../../lib/copies/choose.ts";
import { StoreError } from "../../lib/errors.ts";
import { openDiskStore } from "../../lib/storage/disk/mod.ts";
import { bytesOf } from "../../lib/bytes.ts";
import { callerOf } from "../storage/caller.ts";
import { itemOf } from "../storage/contract.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { LEASE, TestClock } from "./history.ts";
import { contentOf, DIRECTORY, openStore, restored } from "./machine.ts";
import { MemoryBucket } from "./memory_destination.ts";

function once(bucket: MemoryBucket, files: FaultyFiles, clock: TestClock) {
  const destination = bucket.open();
  return copyDirectoryOnce({
    ...{ destination, place: destination, files: files.mount(), directory: DIRECTORY, clock },
    ...{ retention: Infinity, lease: LEASE, held: 0, by: "cron", say: () => {} },
  });
}

async function copyOf(bucket: MemoryBucket, clock: TestClock) {
  const destination = bucket.open();
  const chosen = await chooseMoment(destination, destination);
  return await contentOf(await restored(destination, chosen, clock));
}

Deno.test("copy --once: of a directory that a server has it copies what was synced, and nothing of a write that failed", async () => {
  const files = new FaultyFiles(new Random(5));
  const [bucket, clock] = [new MemoryBucket(), new TestClock()];
  const store = await openStore(files, 1 << 20);
  for (let i = 0; i < 20; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf(`${i}`.padEnd(5000)));
    await store.commit();
  }
  const before = await momentOfDirectory(files.mount(), DIRECTORY, true);
  const inside = await store.store.moment!(false);
  // No further than the store itself has it, and at most one write behind.
  assertEquals(before.segments.map(([id]) => id), inside.segments.map(([id]) => id));
  const [, length] = before.segments.at(-1)!;
  assert(length <= inside.segments.at(-1)![1] && length > inside.segments.at(-1)![1] - 11_000);
  // A write that fails late has all its bytes in the file, until it is cut off.
  files.fault = (operation) => operation === "write" ? "late" : undefined;
  const refused = (async () => {
    await store.swap(bytesOf("refused"), "any", itemOf("x".padEnd(5000)));
    await store.commit();
  })();
  await refused.catch((error) => assert(error instanceof StoreError));
  files.fault = () => undefined;
  const after = await momentOfDirectory(files.mount(), DIRECTORY, true);
  assert(after.segments.at(-1)![1] <= (await store.store.moment!(false)).segments.at(-1)![1]);
  await once(bucket, files, clock);
  const copied = await copyOf(bucket, clock);
  assertEquals([copied.has("refused"), copied.has("k17")], [false, true]);
  await store.close();
});

Deno.test("copy --once: of a directory that was killed it copies what the next start has", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const files = new FaultyFiles(new Random(seed));
    const [bucket, clock] = [new MemoryBucket(), new TestClock()];
    const store = await openStore(files);
    for (let i = 0; i < 30; i++) {
      await store.swap(bytesOf(`k${i}`), "any", itemOf(`${i}`.padEnd(700)));
      await store.commit();
    }
    files.powerCut(seed % 2 === 0);
    await store.close().catch(() => {});
    const { manifest } = await once(bucket, files, clock);
    assert(manifest !== undefined);
    assertEquals(await copyOf(bucket, clock), await contentOf(files), `seed ${seed}`);
    // Once more after the start: nothing but what that has written.
    const again = await once(bucket, files, clock);
    assertEquals(
      again.manifest?.segments.length ?? 0,
      again.manifest ? manifest.segments.length : 0,
    );
    assertEquals((await once(bucket, files, clock)).manifest, undefined);
  }
});

Deno.test("copy --once: a directory whose items have all expired and are removed has all that was copied", async () => {
  const files = new FaultyFiles(new Random(5));
  const [bucket, clock] = [new MemoryBucket(), new TestClock()];
  let now = Date.now();
  const open = () =>
    callerOf(openDiskStore({
      ...{ directory: DIRECTORY, files: files.mount(), segmentBytes: 1 << 16 },
      ...{ fsync: "always", log: () => {}, memoryLimit: 0, clock: { now: () => now } },
    }));
  let store = await open();
  for (let i = 0; i < 20; i++) {
    const item = { ...itemOf(`${i}`.padEnd(1000)), exptime: now + 60_000 };
    await store.swap(bytesOf(`k${i}`), "any", item);
    await store.commit();
  }
  assertEquals((await once(bucket, files, clock)).manifest?.segments.length, 1);
  await store.close();
  store = await open();
  now += 3_600_000;
  while ((await store.store.moment!(true)).segments.length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { manifest } = await once(bucket, files, clock);
  assertEquals(manifest?.segments, []);
  await store.close();
  assertEquals((await copyOf(bucket, clock)).size, 0);
});
