/** What went wrong with copies of others: the reports of Litestream that issue 21 names, each as a test. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { crc32 } from "node:zlib";
import { Copying, type CopyReport } from "../../lib/copies/copying.ts";
import { readManifest } from "../../lib/copies/moments.ts";
import { chooseMoment } from "../../lib/copies/choose.ts";
import { readHead } from "../../lib/copies/tenure.ts";
import { ExitError } from "../../lib/errors.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { LEASE, stateOf, TestClock } from "./history.ts";
import { contentOf, DIRECTORY, Machine, momentNames, openStore, restored } from "./machine.ts";
import { MemoryBucket } from "./memory_destination.ts";

const HOUR = 3_600_000;

Deno.test("litestream 1270, 1307: a restore whose pieces retention removes meanwhile says so, and leaves nothing that starts", async () => {
  const bucket = new MemoryBucket();
  await using machine = await new Machine(bucket.open(), undefined, undefined, 1).start();
  const { clock } = machine;
  for (let i = 0; i < 60; i++) {
    await machine.set("k", `${i}`.padEnd(500));
    await machine.copy(1);
  }
  const destination = bucket.open();
  const chosen = await chooseMoment(destination, destination, clock.time - 58 * HOUR);
  // It is removed while it is read: by the first piece that is asked for.
  const files = new FaultyFiles(new Random(1));
  const reading = bucket.open();
  let removed = false;
  const stream = reading.stream.bind(reading);
  reading.stream = async function* (name: string, from?: number) {
    if (!removed) await machine.retain();
    removed = true;
    yield* stream(name, from);
  };
  const error = await assertRejects(() => restored(reading, chosen, clock, files), ExitError);
  assertMatch(
    error.message,
    /: retention has removed the moment of \S+Z meanwhile \('pieces\/.*' is gone\); the oldest that can be restored is of \S+Z$/,
  );
  assertEquals(files.list(DIRECTORY), []);
});

Deno.test("litestream 1270, 1307: what is offered when a restore begins can be read for an hour more", async () => {
  const bucket = new MemoryBucket();
  await using machine = await new Machine(bucket.open(), undefined, undefined, 1).start();
  const { clock } = machine;
  for (let i = 0; i < 30; i++) {
    await machine.set("k", `${i}`.padEnd(500));
    await machine.copy(1);
  }
  const destination = bucket.open();
  const { head } = (await readHead(destination))!;
  // The oldest that --list offers: its follower is within the retention.
  const names = await momentNames(destination);
  let at = 0;
  const timeOf = async (name: string) => (await readManifest(destination, name))!.time;
  while (await timeOf(names[at + 1]!) <= clock.time - 24 * HOUR) at++;
  const manifest = (await readManifest(destination, names[at]!))!;
  clock.time += HOUR - 1;
  await machine.retain();
  const files = await restored(destination, { head, manifest }, clock);
  assertEquals((await contentOf(files)).get("k"), `${at}`.padEnd(500));
});

Deno.test("litestream 224, 805, 1084: every moment inside the retention restores, whatever retention has removed", async () => {
  const bucket = new MemoryBucket();
  await using machine = await new Machine(bucket.open(), undefined, undefined, 1).start();
  const { clock } = machine;
  const values = new Map<string, string>();
  for (let i = 0; i < 120; i++) {
    // Small and large parts, so that some are merged, and what is dead is compacted.
    for (let n = 0; n <= i % 3; n++) await machine.set(`k${n}`, `${i}`.padEnd(i % 7 * 300));
    const manifest = await machine.copy(0.5);
    if (manifest !== undefined) values.set(String(manifest.number), `${i}`.padEnd(i % 7 * 300));
    if (i % 5 === 0) await machine.retain();
  }
  await machine.retain();
  assert(machine.retention.removed > 60, `${machine.retention.removed} were removed`);
  const destination = bucket.open();
  const { head } = (await readHead(destination))!;
  const names = await momentNames(destination);
  assert(names.length >= 48 && names.length < 60, `${names.length} moments`);
  for (const name of names) {
    const manifest = (await readManifest(destination, name))!;
    const files = await restored(destination, { head, manifest }, clock);
    assertEquals((await contentOf(files)).get("k0"), values.get(String(manifest.number)), name);
  }
});

Deno.test("litestream 251: copies that fail say so once, stay failing, and say once that they go on", async () => {
  const bucket = new MemoryBucket();
  const store = await openStore(new FaultyFiles(new Random(1)));
  const said: string[] = [];
  const reports: CopyReport[] = [];
  let away = false;
  const files = new FaultyFiles(new Random(2));
  // A clock whose pauses end when the test says so.
  const clock = new TestClock();
  const pauses: (() => void)[] = [];
  let paused = Promise.withResolvers<void>();
  const destination = bucket.open(() => away ? "refused" : undefined);
  const copying = new Copying({
    ...{ destination, place: destination, files: files.mount(), directory: DIRECTORY },
    ...{ interval: 15_000, retention: 86_400_000, lease: LEASE, held: 0, by: "test" },
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: (milliseconds, signal) => {
        // The head is kept beside.
        if (milliseconds === LEASE / 3) {
          return new Promise((_, reject) =>
            signal!.addEventListener("abort", () => reject(new Error("over")))
          );
        }
        clock.time += milliseconds;
        if (milliseconds < 3000) return Promise.resolve();
        paused.resolve();
        return new Promise((resolve) => pauses.push(resolve));
      },
    },
    moment: async (whole) => {
      const moment = await store.store.moment!(whole);
      return { ...moment, segments: [], position: reports.length };
    },
    report: (report) => reports.push(report),
    say: (line) => said.push(line),
  });
  const nextPause = async () => {
    await paused.promise;
    paused = Promise.withResolvers();
  };
  copying.start();
  await nextPause();
  assertEquals(reports.at(-1)!.state, "copying");
  away = true;
  for (let i = 0; i < 8; i++) {
    pauses.shift()?.();
    await nextPause();
  }
  assertEquals(reports.at(-1)!.state, "failing");
  assert(reports.at(-1)!.errors >= 8);
  const lastSuccess = reports.at(-1)!.lastSuccess;
  assert(clock.time - lastSuccess > 60_000);
  away = false;
  pauses.shift()?.();
  await nextPause();
  assertEquals(reports.at(-1)!.state, "copying");
  assert(reports.at(-1)!.lastSuccess > lastSuccess);
  assertEquals(said.map((line) => line.replace(/:.*/, "")), [
    "copies go to memory",
    "copies fail",
    "copies go to memory",
  ]);
  copying.stop();
  pauses.shift()?.();
  await copying.ended();
  assertEquals((await readHead(bucket.open()))!.head.released, true);
  await store.close();
});

Deno.test("litestream 393: after a restart and after a restore nothing is sent again that is there", async () => {
  const bucket = new MemoryBucket();
  const pieces = () => [...bucket.names.keys()].filter((name) => name.startsWith("pieces/"));
  const machine = await new Machine(bucket.open()).start();
  for (let i = 0; i < 40; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
  await machine.copy();
  await machine.stop();
  const sent = pieces();
  assert(sent.length > 5);
  // A restart.
  const again = await new Machine(bucket.open(), machine.clock, machine.files).start();
  await again.copy();
  assertEquals(pieces(), sent);
  // A restart after a kill, with a change more.
  await again.set("more", "value");
  again.files.powerCut(true);
  await again.store.close().catch(() => {});
  const third = await new Machine(bucket.open(), machine.clock, machine.files).start();
  await third.copy();
  assertEquals(pieces().length, sent.length + 1);
  await third.stop();
  // A restore on another machine.
  const destination = bucket.open();
  const files = await restored(
    destination,
    await chooseMoment(destination, destination),
    machine.clock,
  );
  const before = pieces();
  const other = await new Machine(bucket.open(), machine.clock, files).start();
  await other.copy();
  assertEquals(pieces(), before);
  await other.set("more", "other");
  await other.copy();
  assertEquals(pieces().length, before.length + 1);
  await other.stop();
});

Deno.test("litestream 136: whenever a restore is interrupted, no server starts on what it left, and it goes on", async () => {
  const bucket = new MemoryBucket();
  const machine = await new Machine(bucket.open()).start();
  for (let i = 0; i < 20; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
  await machine.copy();
  const expected = await stateOf(machine.store);
  await machine.stop();
  const destination = bucket.open();
  const chosen = await chooseMoment(destination, destination);
  let whole = false;
  for (let at = 0; !whole; at++) {
    const files = new FaultyFiles(new Random(at));
    let left = at;
    files.fault = () => {
      if (left-- !== 0) return undefined;
      files.powerCut(at % 3 === 0);
      return "EIO";
    };
    whole = await restored(destination, chosen, machine.clock, files).then(
      () => left >= 0,
      () => false,
    );
    files.fault = () => undefined;
    if (whole) break;
    // Either nothing is there yet, or it is refused, or all of it is there.
    const names = files.list(DIRECTORY);
    if (names.includes("RESTORING")) {
      const error = await assertRejects(() => openStore(files), ExitError);
      assertMatch(error.message, /it holds an unfinished restore/);
      assertEquals(error.code, 65);
    } else if (names.includes("MANIFEST")) {
      assertEquals(await contentOf(files), expected);
      continue;
    } else {
      assertEquals(names.filter((name) => /^\d/.test(name)), []);
    }
    await restored(destination, chosen, machine.clock, files);
    // Also what the one before had written and not synced.
    if (at % 2 === 0) files.powerCut();
    assertEquals(await contentOf(files), expected, `interrupted at ${at}`);
  }
});

Deno.test("litestream 136: what is restored stays when the power is cut, whatever that leaves of the hints", async () => {
  const bucket = new MemoryBucket();
  const machine = await new Machine(bucket.open()).start();
  for (let i = 0; i < 20; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
  await machine.copy();
  const expected = await stateOf(machine.store);
  await machine.stop();
  const destination = bucket.open();
  const chosen = await chooseMoment(destination, destination);
  let torn = 0;
  for (let seed = 0; seed < 20; seed++) {
    const files = await restored(
      destination,
      chosen,
      machine.clock,
      new FaultyFiles(new Random(seed)),
    );
    const hints = () =>
      files.list(DIRECTORY).filter((name) => name.endsWith(".hint"))
        .map((name) => crc32(files.content(`${DIRECTORY}/${name}`))).join();
    const whole = hints();
    files.powerCut();
    if (hints() !== whole) torn++;
    assertEquals(await contentOf(files), expected, `seed ${seed}`);
  }
  assert(torn > 0);
});
