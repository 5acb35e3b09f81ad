/**
 * Logs that are cut at every byte and have bits flipped: a start ends in the right data or in the
 * clear refusal. `KVS_FUZZ_RUNS` sets how many random damages are tried.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { ExitError, StoreError } from "../../../lib/errors.ts";
import { recordSize } from "../../../lib/storage/disk/format/record.ts";
import { SEGMENT_HEADER } from "../../../lib/storage/disk/log/segment.ts";
import {
  backupDirectory,
  checkDirectory,
  openDiskStore,
  repairDirectory,
} from "../../../lib/storage/disk/mod.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";
import { type Caller, callerOf } from "../caller.ts";

const RUNS = Number(Deno.env.get("KVS_FUZZ_RUNS") ?? 2000);
const clock = { now: () => 1_800_000_000_000 };

function open(files: FaultyFiles, said: string[] = [], directory = "d"): Promise<Caller> {
  return callerOf(openDiskStore({
    directory,
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

Deno.test(`${RUNS} starts on damaged files return right data or the clear refusal`, async () => {
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
        assertMatch(
          (error as Error).message,
          /The record at offset \d+ of '.*' is damaged|^\d+ damaged records? (is|are) missing from/,
        );
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
  for (const [format, age] of [[3, "newer"], [0, "older"]] as const) {
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
  // Every remainder of a division by 8 is among them.
  for (let length = 0; length < bytes.length; length += 13) {
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

/** A store on a directory that was closed, in which one record is damaged. */
async function withDamage(): Promise<{ place: FaultyFiles; store: Caller; said: string[] }> {
  const place = new FaultyFiles(new Random(4));
  let store = await open(place);
  for (let i = 0; i < 40; i++) {
    await store.swap(bytesOf(`k${i}`), "any", itemOf(`value ${i}`.padEnd(60)));
  }
  await store.close();
  const name = place.list("d").filter((one) => one.endsWith(".log")).sort()[0];
  const bytes = place.content(`d/${name}`);
  // The third record's value.
  const size = recordSize(2, 60);
  bytes[SEGMENT_HEADER + 2 * size + 70] ^= 1;
  const said: string[] = [];
  store = await open(place, said);
  return { place, store, said };
}

Deno.test("a damaged record is left out of listings, which go on and end by saying so", async () => {
  const { store } = await withDamage();
  for (let round = 0; round < 2; round++) {
    const keys = new Set<string>();
    const error = await assertRejects(async () => {
      for await (const group of store.scan()) {
        for (const { key } of group) keys.add(binaryString(key));
      }
    }, StoreError);
    assertEquals(error.message, "1 damaged record is missing from the list");
    assertEquals(keys.size, 39);
    assert(!keys.has("k2"));
  }
  await store.close();
});

Deno.test("a damaged record is said once and counted until its key is stored again", async () => {
  const { store, said } = await withDamage();
  const k2 = bytesOf("k2");
  for (let round = 0; round < 3; round++) {
    await assertRejects(async () => await store.read(k2), StoreError, "is damaged");
  }
  await assertRejects(
    async () => await store.swap(k2, "absent", itemOf("v")),
    StoreError,
    "is dam",
  );
  assertEquals(said.length, 1);
  assertMatch(said[0], /^The record at offset \d+ of 'd\/\d+\.log' is damaged: its key can be/);
  const own = () => new Map(store.info().own);
  assertEquals(own().get("damaged_records"), 1);
  await store.swap(k2, "any", itemOf("new"));
  await store.commit();
  assertEquals(binaryString((await store.read(k2))!.value), "new");
  let listed = 0;
  for await (const group of store.scan()) listed += group.length;
  assertEquals(listed, 40);
  await store.close();
});

Deno.test("a key whose record is damaged can be deleted, and stays deleted", async () => {
  const { place, store } = await withDamage();
  const k2 = bytesOf("k2");
  assertEquals(await store.swap(k2, "any", null), 0n);
  assertEquals(await store.swap(k2, "absent", itemOf("added")) !== "exists", true);
  assertEquals(await store.swap(k2, "any", null), 0n);
  await store.close();
  const again = await open(place);
  assertEquals(await again.read(k2), undefined);
  assertEquals(again.info().items, 39);
  await again.close();
});

Deno.test("what is whole in a damaged segment is moved, and the segment goes when nothing needs it", async () => {
  const { place, store, said } = await withDamage();
  const path = `d/${place.list("d").filter((one) => one.endsWith(".log")).sort()[0]}`;
  // Nothing but the damaged record and one more is alive.
  for (let i = 0; i < 40; i++) if (i !== 2) await store.swap(bytesOf(`k${i}`), "any", null);
  const churn = async () => {
    for (let i = 0; i < 20; i++) {
      await store.swap(bytesOf("k1"), "any", itemOf(`${i}`.padEnd(60)));
      await store.commit();
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const until = async (done: () => boolean) => {
    while (!done()) await churn();
  };
  await until(() => said.some((line) => line.startsWith(`Kept '${path}'`)));
  assert(place.list("d").includes(path.slice(2)));
  await store.swap(bytesOf("k2"), "any", itemOf("new"));
  await until(() => !place.list("d").includes(path.slice(2)));
  assertEquals(new Map(store.info().own).get("damaged_records"), 0);
  assertEquals(said.at(-1), "No damaged record is left that is known of");
  await store.close();
  const again = await open(place);
  assertEquals(binaryString((await again.read(bytesOf("k2")))!.value), "new");
  assertEquals(again.info().items, 2);
  await again.close();
});

Deno.test("a flush to come is kept when the segment that it stands in cannot be read", async () => {
  const files = new FaultyFiles(new Random(1));
  const time = { value: clock.now(), now: () => time.value };
  const options = {
    ...{ directory: "d", clock: time, fsync: "no", memoryLimit: 0, segmentBytes: 1024 } as const,
    log: () => {},
  };
  let store = await callerOf(openDiskStore({ ...options, files: files.mount() }));
  await store.flush(time.value + 1000);
  const [first] = files.list("d").filter((name) => name.endsWith(".log"));
  files.fault = (operation, path) =>
    operation === "read" && path === `d/${first}` ? "EIO" : undefined;
  while (files.list("d").includes(first)) {
    for (let i = 0; i < 20; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("v".repeat(50)));
    await store.commit();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(store.info().items, 20);
  files.powerCut(true);
  await store.close().catch(() => {});
  time.value += 2000;
  store = await callerOf(openDiskStore({ ...options, files: files.mount() }));
  assertEquals(await everything(store), new Map());
  await store.close();
});

Deno.test("a backup of a damaged segment fails, names it, and leaves no copy that looks whole", async () => {
  const { place, store } = await withDamage();
  await store.close();
  for (const copy of [false, true]) {
    const options = { directory: "d", target: `copy ${copy}`, files: place, copy };
    const error = await assertRejects(() => backupDirectory(options), ExitError);
    assertEquals(error.code, 65);
    assertMatch(error.message, /'d\/\d+\.log' is damaged, and was not copied/);
    assertEquals(place.list(options.target), []);
  }
});

for (const copy of [false, true]) {
  Deno.test(`a backup of a directory that is in use is whole to check (${copy ? "copied" : "linked"})`, async () => {
    const { files } = await sample();
    const place = placed(files);
    const store = await open(place);
    const all = await everything(store);
    await store.swap(bytesOf("k0"), "any", itemOf("later"));
    await store.commit();
    await backupDirectory({ directory: "d", target: "copy", files: place, copy });
    const { damaged, problems } = await checkDirectory({ directory: "copy", files: place });
    assertEquals([damaged, problems], [[], []]);
    await store.close();
    // Damage to the original is none to a copy that was made with --copy.
    for (const name of place.list("d")) place.content(`d/${name}`).fill(0);
    if (!copy) return;
    const restored = await open(place, [], "copy");
    assertEquals(textOf(await everything(restored)), textOf(all.set("k0", "later")));
    await restored.close();
  });
}

Deno.test("a check changes nothing, keeps no server out, and says what is no data directory", async () => {
  const { files } = await sample();
  const place = placed(files);
  await (await open(place)).close();
  const before = place.list("d").map((name) => [name, place.content(`d/${name}`)]);
  const reads = place.fault;
  place.fault = (operation) => {
    assert(!["write", "rename", "remove", "truncate", "link"].includes(operation), operation);
    return undefined;
  };
  await checkDirectory({ directory: "d", files: place });
  assertEquals(place.list("d").map((name) => [name, place.content(`d/${name}`)]), before);
  place.fault = reads;
  // A server that starts while a check reads.
  let starting: Promise<Caller> | undefined;
  place.fault = (operation) => {
    if (operation === "read") starting ??= open(place);
    return undefined;
  };
  await checkDirectory({ directory: "d", files: place });
  await (await starting!).close();
  for (const work of [checkDirectory, repairDirectory]) {
    const error = await assertRejects(() => work({ directory: "none", files: place }), ExitError);
    assertEquals(
      error.message,
      "Cannot open data directory 'none': it holds no data of the disk store",
    );
    assertEquals(error.code, 73);
    assertEquals(place.list("none"), []);
  }
});

Deno.test("compaction ends where a damaged segment stays and so every tombstone behind it", async () => {
  const files = new FaultyFiles(new Random(1));
  const store = await open(files);
  const figure = (name: string) => Number(new Map(store.info().own).get(name));
  await store.swap(bytesOf("damaged"), "any", itemOf("v"));
  for (let i = 0; i < 200; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("v"));
  await store.commit();
  // The record of a key that nobody changes.
  files.content("d/0000000001.log")[SEGMENT_HEADER + recordSize(7, 1) - 9] ^= 1;
  for (let i = 0; i < 200; i++) await store.swap(bytesOf(`k${i}`), "any", null);
  await store.commit();
  const isOver = () => figure("compactions") > 0 && figure("compacting") === 0;
  while (!isOver() && figure("compactions") < 1000) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert(isOver(), `${figure("compactions")} segments were given up, and more are to go`);
  await store.close();
});
