/**
 * Logs that are cut at every byte and have bits flipped: a start ends in the right data or in the
 * clear refusal. `KVS_FUZZ_RUNS` sets how many random damages are tried.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { ExitError } from "../../../lib/errors.ts";
import { checkDirectory, openDiskStore, repairDirectory } from "../../../lib/storage/disk/mod.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";
import { type Caller, callerOf } from "../caller.ts";

const RUNS = Number(Deno.env.get("KVS_FUZZ_RUNS") ?? 2000);
const clock = { now: () => 1_800_000_000_000 };

function open(files: FaultyFiles, said: string[] = []): Promise<Caller> {
  return callerOf(openDiskStore({
    directory: "d",
    files: files.mount(),
    clock,
    fsync: "no",
    memoryLimit: 0,
    segmentBytes: 1024,
    log: (line) => said.push(line),
  }));
}

async function everything(store: Caller): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for await (const group of store.scan()) {
    for (const { key } of group) all.set(binaryString(key), "");
  }
  for (const key of all.keys()) {
    const item = await store.read(bytesOf(key));
    all.set(key, binaryString(item!.value));
  }
  return all;
}

function textOf(all: Map<string, string>): string {
  return [...all].sort().map(([key, value]) => `${key}=${value}`).join(" ");
}

/** A directory as a kill leaves it, and what its log said after each swap. */
async function sample(): Promise<{ files: Map<string, Uint8Array>; states: Set<string> }> {
  const files = new FaultyFiles(new Random(1));
  const store = await open(files);
  // The manifest cannot be replaced: so the whole log is tail, as just before it was synced.
  files.fault = (operation, path) =>
    operation === "rename" && path.includes("MANIFEST") ? "EIO" : undefined;
  const now = new Map<string, string>();
  const states = new Set([textOf(now)]);
  for (let i = 0; i < 30; i++) {
    const key = `k${i * 7 % 9}`;
    if (i % 5 === 4) {
      await store.swap(bytesOf(key), "any", null);
      now.delete(key);
    } else {
      await store.swap(bytesOf(key), "any", itemOf(`value ${i}`.padEnd(i * 3, ".")));
      now.set(key, `value ${i}`.padEnd(i * 3, "."));
    }
    await store.commit();
    states.add(textOf(now));
    // Now and then a sync gets its turn.
    if (i % 8 === 7) await new Promise((resolve) => setTimeout(resolve, 2));
    if (i === 20) {
      await store.flush(0);
      now.clear();
      states.add(textOf(now));
    }
  }
  files.powerCut(true);
  await store.close().catch(() => {});
  const copy = new Map(files.list("d").map((name) => [name, files.content(`d/${name}`).slice()]));
  return { files: copy, states };
}

function placed(files: Map<string, Uint8Array>): FaultyFiles {
  const place = new FaultyFiles(new Random(1));
  for (const [name, bytes] of files) place.place(`d/${name}`, bytes);
  return place;
}

Deno.test("a log cut at any byte starts with a state it passed through, unless it was synced there", async () => {
  const { files, states } = await sample();
  const logs = [...files.keys()].filter((name) => name.endsWith(".log")).sort();
  assert(logs.length >= 3);
  let starts = 0;
  let refusals = 0;
  for (const name of logs) {
    const whole = files.get(name)!;
    for (let length = 0; length < whole.length; length++) {
      const place = placed(files);
      place.place(`d/${name}`, whole.subarray(0, length));
      try {
        const store = await open(place);
        const found = textOf(await everything(store));
        assert(states.has(found), `${name} cut at ${length}: ${found}`);
        await store.close();
        starts++;
      } catch (error) {
        assert(error instanceof ExitError, `${name} cut at ${length}: ${(error as Error).stack}`);
        assertMatch(error.message, /is damaged at offset \d+, where it was known to be whole/);
        refusals++;
      }
    }
  }
  assert(starts > 500 && starts + refusals > 2000, `${starts} starts and ${refusals} refusals`);
});

Deno.test(`${RUNS} starts on damaged files give right data or the clear refusal`, async () => {
  const { files, states } = await sample();
  const names = [...files.keys()];
  const random = new Random(7);
  for (let run = 0; run < RUNS; run++) {
    const place = placed(files);
    // Half of them on a directory that was closed: everything in it was synced.
    const closed = random.chance(0.5);
    if (closed) await (await open(place)).close();
    const name = random.of(closed ? place.list("d") : names);
    const bytes = place.content(`d/${name}`);
    const from = random.below(bytes.length + 1);
    const to = Math.min(bytes.length, from + random.of([1, 1, 4, 100, 1000]));
    const how = random.below(3);
    for (let at = from; at < to; at++) {
      if (how === 0) bytes[at] = 0;
      else if (how === 1) bytes[at] ^= 1 << random.below(8);
      else bytes[at] = random.below(256);
    }
    place.place(`d/${name}`, bytes);
    try {
      const store = await open(place);
      let found: string;
      try {
        found = textOf(await everything(store));
      } catch (error) {
        // A clean start trusts what it wrote; a read then finds the damage, and says where.
        assertMatch((error as Error).message, /The record at offset \d+ of '.*' is damaged/);
        continue;
      } finally {
        await store.close().catch(() => {});
      }
      assert(states.has(found), `run ${run}: ${name} ${from}-${to}: ${found}`);
    } catch (error) {
      assert(error instanceof ExitError, `run ${run}: ${(error as Error).stack}`);
      assertEquals(error.code, 65);
      assertMatch(error.message, /^Cannot open data directory 'd': .*--repair|.* format \d+/);
    }
  }
});

Deno.test("damage where the log was synced stops the start, and repair keeps the rest", async () => {
  const { files } = await sample();
  const place = placed(files);
  const before = await open(place);
  const all = await everything(before);
  await before.close();
  const name = place.list("d").filter((one) => one.endsWith(".log")).sort().at(-1)!;
  const bytes = place.content(`d/${name}`);
  bytes[64 + 60] ^= 1;
  place.place(`d/${name}`, bytes);
  for (const hint of place.list("d").filter((one) => one.endsWith(".hint"))) {
    place.remove(`d/${hint}`);
  }
  const error = await assertRejects(() => open(place), ExitError);
  assertMatch(error.message, new RegExp(`'d/${name}' is damaged at offset 64; --repair`));

  const report = await checkDirectory({ directory: "d", files: place });
  assertEquals(report.damaged.map(({ path, offset }) => [path, offset]), [[`d/${name}`, 64]]);
  const repaired = await repairDirectory({ directory: "d", files: place });
  assertEquals(repaired.damaged, report.damaged);
  assertEquals(repaired.records, report.records);
  assertEquals(repaired.setAside, [`d/${name}.damaged`]);
  assertEquals(place.content(`d/${name}.damaged`), bytes);

  const after = await open(place);
  const left = await everything(after);
  await after.close();
  const lost = [...all.keys()].filter((key) => left.get(key) !== all.get(key));
  assert(lost.length <= 1, `lost ${lost}`);
  assertEquals((await checkDirectory({ directory: "d", files: place })).damaged, []);
});

Deno.test("repair makes a manifest again, and goes on without a segment that is missing", async () => {
  const { files } = await sample();
  const place = placed(files);
  const store = await open(place);
  const all = await everything(store);
  await store.close();
  place.place("d/MANIFEST", bytesOf("nonsense"));
  const error = await assertRejects(() => open(place), ExitError);
  assertMatch(error.message, /its MANIFEST is damaged; --repair/);
  const repaired = await repairDirectory({ directory: "d", files: place });
  assert(repaired.newManifest);
  assertEquals(repaired.damaged, []);
  const again = await open(place);
  assertEquals(textOf(await everything(again)), textOf(all));
  await again.close();

  const name = place.list("d").filter((one) => one.endsWith(".log")).sort()[0];
  place.remove(`d/${name}`);
  const missing = await assertRejects(() => open(place), ExitError);
  assertMatch(missing.message, new RegExp(`segment 'd/${name}' is missing; --repair`));
  assertEquals((await repairDirectory({ directory: "d", files: place })).missing, [`d/${name}`]);
  await (await open(place)).close();
});

Deno.test("a directory in another format is refused and not touched", async () => {
  const { files } = await sample();
  const place = placed(files);
  const { crc32 } = await import("node:zlib");
  for (const [format, age] of [[2, "newer"], [0, "older"]] as const) {
    const json = JSON.stringify({ kvs: "disk", format, other: true });
    const sum = crc32(json).toString(16).padStart(8, "0");
    place.place("d/MANIFEST", bytesOf(`${json}\n${sum}\n`));
    const names = place.list("d").sort();
    const error = await assertRejects(() => open(place), ExitError);
    assertMatch(error.message, new RegExp(`it has the ${age} format ${format}, and this version`));
    assertEquals(error.code, 65);
    await assertRejects(
      () => repairDirectory({ directory: "d", files: place }),
      ExitError,
      "format",
    );
    assertEquals(place.list("d").sort(), names);
  }
});

Deno.test("a file that was cut at any length is repaired, and keeps what is whole before the cut", async () => {
  const { files } = await sample();
  const whole = placed(files);
  const before = await open(whole);
  const all = await everything(before);
  await before.close();
  const name = whole.list("d").filter((one) => one.endsWith(".log")).sort()[0];
  const bytes = whole.content(`d/${name}`).slice();
  for (let length = 0; length < bytes.length; length++) {
    const place = placed(new Map(whole.list("d").map((one) => [one, whole.content(`d/${one}`)])));
    place.place(`d/${name}`, bytes.subarray(0, length));
    const error = await assertRejects(() => open(place), ExitError);
    assertMatch(error.message, /--repair/, `cut at ${length}`);
    await repairDirectory({ directory: "d", files: place });
    const after = await open(place);
    const left = await everything(after);
    await after.close();
    assert(left.size > 0 && left.size <= all.size, `cut at ${length}: ${textOf(left)}`);
    assertEquals((await checkDirectory({ directory: "d", files: place })).damaged, []);
  }
});
