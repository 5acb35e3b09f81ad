/** What the store tells of its log for a copy. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { StoreError } from "../../../lib/errors.ts";
import { type DiskOptions, openDiskStore } from "../../../lib/storage/disk/mod.ts";
import type { Moment } from "../../../lib/storage/moment.ts";
import { itemOf } from "../contract.ts";
import { type Caller, callerOf } from "../caller.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

function open(files: FaultyFiles, more: Partial<DiskOptions> = {}): Promise<Caller> {
  return callerOf(openDiskStore({
    ...{ directory: "d", files: files.mount(), clock: systemClock, log: () => {} },
    fsync: "always",
    memoryLimit: 0,
    segmentBytes: 4096,
    ...more,
  }));
}

async function set(store: Caller, key: string, length: number): Promise<void> {
  await store.swap(bytesOf(key), "any", itemOf("".padEnd(length, "v")));
  await store.commit();
}

function bytesIn({ segments }: Moment): number {
  return segments.reduce((sum, [, length]) => sum + length, 0);
}

Deno.test("moment: it has what is acknowledged under always, and with --fsync no after a sync of its own", async () => {
  for (const fsync of ["always", "no"] as const) {
    const store = await open(new FaultyFiles(new Random(1)), { fsync });
    assertEquals((await store.store.moment!(false)).segments, []);
    for (let i = 0; i < 10; i++) {
      const before = bytesIn(await store.store.moment!(false));
      await set(store, `k${i}`, 1000);
      const moment = await store.store.moment!(false);
      assert(bytesIn(moment) > before + 1000, `${fsync} ${i}`);
      assertEquals(moment.position, store.store.momentPosition);
      assert(moment.sequence >= i + 1);
    }
    // All but the last are sealed, with the checksums that the manifest has.
    const { segments } = await store.store.moment!(false);
    assert(segments.length > 2);
    assertEquals(
      segments.map(([, , crc]) => crc === undefined),
      segments.map((_, i) => i === segments.length - 1),
    );
    await store.close();
  }
});

Deno.test("moment: what is not synced is not in it, unless it is asked for whole", async () => {
  const files = new FaultyFiles(new Random(1));
  const store = await open(files, { fsync: "everysec", segmentBytes: 1 << 20 });
  await set(store, "k", 100);
  const whole = await store.store.moment!(true);
  assert(bytesIn(whole) > 100);
  const reached = store.store.momentPosition!;
  // A sync that fails brings nothing there.
  files.fault = (operation) => operation === "sync" ? "EIO" : undefined;
  await set(store, "other", 1000);
  await assertRejects(() => store.store.moment!(true), StoreError);
  assertEquals(store.store.momentPosition, reached);
  const moment = await store.store.moment!(false);
  assertEquals(moment.position, reached);
  assert(bytesIn(moment) < bytesIn(whole) + 1000);
  files.fault = () => undefined;
  await store.close().catch(() => {});
});

Deno.test("moment: a write that fails changes nothing of it", async () => {
  const files = new FaultyFiles(new Random(1));
  const store = await open(files, { segmentBytes: 1 << 20 });
  await set(store, "k", 100);
  const before = await store.store.moment!(true);
  files.fault = (operation) => operation === "write" ? "late" : undefined;
  await assertRejects(() => set(store, "refused", 1000), StoreError);
  files.fault = () => undefined;
  const after = await store.store.moment!(false);
  assert(bytesIn(after) - bytesIn(before) < 1000);
  await set(store, "next", 10);
  assert(bytesIn(await store.store.moment!(true)) < bytesIn(before) + 1000);
  await store.close();
});

Deno.test("moment: before the first sync its time is that of the opening", async () => {
  const files = new FaultyFiles(new Random(1));
  const began = Date.now();
  const store = await open(files, { fsync: "everysec" });
  await set(store, "k", 100);
  const { time } = await store.store.moment!(false);
  assert(time >= began && time <= Date.now(), `${time}`);
  await store.close();
});
