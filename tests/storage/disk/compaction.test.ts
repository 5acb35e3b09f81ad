/** What compaction reads of a segment: what is needed of it, or all. */

import { assert, assertEquals } from "@std/assert";
import fs from "node:fs";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { HintBuilder, walkHint } from "../../../lib/storage/disk/format/hint.ts";
import { decodeManifest, type Manifest } from "../../../lib/storage/disk/format/manifest.ts";
import { Kind, segmentSeed } from "../../../lib/storage/disk/format/record.ts";
import { type Files, readWhole, systemFiles } from "../../../lib/storage/disk/fs/files.ts";
import { ExpiryTimes, hintPathOf, segmentName } from "../../../lib/storage/disk/log/segment.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import type { Placements } from "../../../lib/storage/disk/index/placements.ts";
import type { Log } from "../../../lib/storage/disk/log/log.ts";
import { Backpressure } from "../../../lib/storage/disk/upkeep/backpressure.ts";
import { Runs } from "../../../lib/storage/disk/read/runs.ts";
import { SegmentReader, Step } from "../../../lib/storage/disk/read/segment_reader.ts";
import { callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

const SEGMENT = 1 << 20;
const VALUE = "v".repeat(40_000);
const PAGE = 4096;

/** A segment of which little is needed. */
interface HalfDead {
  readonly path: string;
  readonly length: number;
  /** Where its dead items are. */
  readonly dead: ReadonlyArray<{ readonly offset: number; readonly size: number }>;
  /** Bytes of what is needed, and of how many records. */
  readonly needed: number;
  readonly records: number;
  readonly tombstones: number;
}

/** The machine's files, which tell of each read. */
function told(read: (path: string, bytes: number) => void): Files {
  return {
    ...systemFiles,
    open(path, mode) {
      return new Proxy(systemFiles.open(path, mode), {
        get(file, name) {
          const member = Reflect.get(file, name);
          if (typeof member !== "function") return member;
          return (...args: unknown[]) => {
            if (name === "read" || name === "readLater") {
              read(path, (args[0] as Uint8Array).length);
            }
            return member.apply(file, args);
          };
        },
      });
    },
  };
}

/**
 * A store in which compaction gives up segments that are mostly dead; `change` is called just before,
 * with the segments that it may give up.
 *
 * @returns those that it has given up, and how many bytes were read of them
 */
async function compacted(
  { deletes, change }: { deletes: boolean; change: (segments: HalfDead[]) => void },
  check: (given: { segments: HalfDead[]; read: number; said: string[] }) => void,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "kvs-compaction-" });
  const reads = new Map<string, number>();
  const said: string[] = [];
  const open = () =>
    callerOf(openDiskStore({
      ...{ directory, clock: systemClock, fsync: "no", memoryLimit: 0, segmentBytes: SEGMENT },
      files: told((path, bytes) => reads.set(path, (reads.get(path) ?? 0) + bytes)),
      log: (line) => said.push(line),
    }));
  let store = await open();
  try {
    const set = async (key: string, value: string) => {
      await store.swap(bytesOf(key), "any", itemOf(value));
      await store.commit();
    };
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    const own = (name: string) => Number(new Map(store.info().own).get(name));
    // What tombstones guard against, in segments that stay.
    for (let i = 0; i < 30; i++) await set(`cold${i}`, VALUE);
    for (let i = 0; i < 20; i++) await set(`gone${i}`, "old");
    for (let i = 0; i < 25; i++) await set(`more${i}`, VALUE);
    const first = Number(own("segments"));
    for (let i = 0; i < 160; i++) {
      await set(`${i % 10 === 0 ? "stays" : "dies"}${i}`, VALUE);
      if (!deletes || i % 10 !== 0) continue;
      await store.swap(bytesOf(`gone${i / 10}`), "any", null);
      await store.commit();
    }
    const listing = store.scan()[Symbol.asyncIterator]();
    await listing.next();
    for (let i = 0; i < 160; i++) if (i % 10 !== 0) await set(`dies${i}`, "short");
    while (!Deno.readTextFileSync(`${directory}/MANIFEST`).includes(`[${own("segments") - 1},`)) {
      await turn();
    }
    const { hashKey, segments } = decodeManifest(
      readWhole(systemFiles, `${directory}/MANIFEST`),
    ) as Manifest;
    const candidates = segments.filter(([id]) => id > first).map(([id, length]) =>
      outlined(`${directory}/${segmentName(id)}`, id, length, hashKey)
    );
    change(candidates);
    reads.clear();
    await listing.return!();
    await set("k", "v");
    const given = () => candidates.filter(({ path }) => !fs.existsSync(path));
    while (own("compacting") === 1 || given().length < 3) await turn();
    assert(fs.existsSync(`${directory}/${segmentName(1)}`), "what is mostly alive stays");
    let read = 0;
    for (const { path } of given()) read += reads.get(path) ?? 0;
    check({ segments: given(), read, said });
    assertEquals(own("damaged_records"), 0);
    await store.close();
    store = await open();
    for (let i = 0; i < 160; i++) {
      const key = `${i % 10 === 0 ? "stays" : "dies"}${i}`;
      const item = await store.read(bytesOf(key));
      assertEquals(binaryString(item!.value), i % 10 === 0 ? VALUE : "short", key);
    }
    for (let i = 0; i < 20; i++) {
      const item = await store.read(bytesOf(`gone${i}`));
      assertEquals(item !== undefined, !deletes || i >= 16, `gone${i}`);
    }
  } finally {
    await store.close();
    await Deno.remove(directory, { recursive: true });
  }
}

function outlined(path: string, id: number, length: number, hashKey: Uint8Array): HalfDead {
  const file = systemFiles.open(path, "read");
  const reader = new SegmentReader(file, segmentSeed(hashKey, id), length);
  const dead: { offset: number; size: number }[] = [];
  let needed = 0;
  let records = 0;
  let tombstones = 0;
  while (reader.advance() === Step.record) {
    const { record, offset } = reader;
    const { size } = record;
    const key = binaryString(record.key());
    if (record.kind === Kind.tombstone) tombstones++;
    if (key.startsWith("dies") && record.valueLength === VALUE.length) dead.push({ offset, size });
    else {
      needed += size;
      records++;
    }
  }
  file.close();
  return { path, length, dead, needed, records, tombstones };
}

/** Bytes that reads of what is needed take at most, each to the end of a page. */
function most(segments: readonly HalfDead[]): number {
  return segments.reduce((sum, { needed, records }) => sum + needed + records * PAGE, 0);
}

function lengths(segments: readonly HalfDead[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

Deno.test("disk: compaction reads what is alive of a segment, and nothing that is dead", async () => {
  await compacted({ deletes: false, change: () => {} }, ({ segments, read }) => {
    assert(read > 0 && read <= most(segments), `${read} of ${lengths(segments)} bytes`);
  });
});

Deno.test("disk: dead records that are damaged are not read, and keep no segment", async () => {
  const damage = (segments: HalfDead[]) => {
    for (const { path, dead } of segments) {
      const file = fs.openSync(path, "r+");
      for (const { offset, size } of dead) {
        fs.writeSync(file, new Uint8Array(size), 0, size, offset);
      }
      fs.closeSync(file);
    }
  };
  await compacted({ deletes: false, change: damage }, ({ segments, read, said }) => {
    assert(segments.every(({ dead }) => dead.length > 0));
    assert(read <= most(segments), `${read} of ${lengths(segments)} bytes`);
    assertEquals(said.filter((line) => line.includes("damaged")), []);
  });
});

Deno.test("disk: compaction keeps tombstones that guard against older segments, as the hint tells them", async () => {
  await compacted({ deletes: true, change: () => {} }, ({ segments, read }) => {
    assert(segments.some(({ tombstones }) => tombstones > 0));
    assert(read > 0 && read <= most(segments), `${read} of ${lengths(segments)} bytes`);
  });
});

for (
  const [what, change] of [
    ["missing", (path) => fs.unlinkSync(path)],
    ["cut off", (path) => fs.truncateSync(path, fs.statSync(path).size - 20)],
    ["damaged", (path) => {
      const bytes = fs.readFileSync(path);
      bytes[bytes.length - 7] ^= 1;
      fs.writeFileSync(path, bytes);
    }],
    ["another segment's", (path, other) => fs.copyFileSync(other, path)],
  ] as Array<[string, (path: string, other: string) => void]>
) {
  Deno.test(`disk: where a hint is ${what} compaction reads the segment whole, and keeps tombstones`, async () => {
    let withTombstones: HalfDead[] = [];
    await compacted({
      deletes: true,
      change(segments) {
        withTombstones = segments.filter(({ tombstones }) => tombstones > 0);
        const hints = segments.map(({ path }) => hintPathOf(path));
        const other = `${hints[0]}.other`;
        fs.copyFileSync(hints[0]!.replace(/\d{10}(?=\.hint$)/, "0000000001"), other);
        for (const path of hints) change(path, other);
        fs.unlinkSync(other);
      },
    }, ({ segments, read, said }) => {
      const whole = segments.filter((one) => withTombstones.includes(one));
      assert(whole.length > 0);
      assert(read >= lengths(whole) - 64 * whole.length, `${read} of ${lengths(whole)} bytes`);
      assertEquals(said.filter((line) => line.includes("damaged")), []);
    });
  });
}

Deno.test("disk: marked runs are passed in order, whole, whatever order they are marked in", () => {
  const random = new Random(5);
  for (let round = 0; round < 300; round++) {
    const end = 64 + 8 * random.below(random.of([30, 3000, 30_000]));
    const wanted = new Uint8Array(end / 8);
    const runs = new Runs(end);
    for (let i = random.below(40); i > 0; i--) {
      const offset = 8 * random.below(end / 8);
      const size = 8 * (1 + random.below(random.of([3, 40, 2000])));
      if (offset + size > end) continue;
      runs.mark(offset, size);
      wanted.fill(1, offset / 8, (offset + size) / 8);
    }
    const next = (from: number, value: number) => {
      const at = wanted.indexOf(value, from / 8);
      return at < 0 ? end : at * 8;
    };
    for (let at = 0; at < end;) {
      const from = runs.nextFrom(at);
      assertEquals(from, next(at, 1));
      if (from === end) break;
      const pages = random.below(4);
      const reach = runs.reach(from, pages);
      assert(reach === end || reach % PAGE === 0);
      // Between here and there no page more than that is without a wanted byte, and then some are.
      let last = Math.floor(from / PAGE);
      for (let page = last; page * PAGE < end; page++) {
        if (page > last + pages) break;
        if (next(page * PAGE, 1) < Math.min(end, (page + 1) * PAGE)) last = page;
      }
      assertEquals(reach, Math.min(end, (last + 1) * PAGE));
      at = runs.endOf(from);
      assertEquals(at, next(from, 0));
    }
  }
});

Deno.test("disk: a hint is walked as it was made, in blocks, and not one that is damaged anywhere", async () => {
  const random = new Random(6);
  const files = new FaultyFiles(random);
  const made: Array<[number, number, number]> = [];
  const hint = new HintBuilder();
  let length = 64;
  for (let i = 0; i < 40_000; i++) {
    const kind = 1 + random.below(6);
    const size = 48 + 8 * random.below(40);
    hint.add(
      kind,
      random.below(2 ** 32),
      random.below(2 ** 32),
      random.below(2 ** 32),
      length,
      size,
    );
    made.push([kind, length, size]);
    length += size;
  }
  const segment = {
    ...{ id: 7, length, crc: 5, sequence: 9, tombstones: 0, tombstoneSegment: 0 },
    expiry: new ExpiryTimes(0),
  };
  const bytes = hint.finish(segment).slice();
  const walk = async (content: Uint8Array, turns = Infinity, of = segment) => {
    files.place("hint", content);
    const found: Array<[number, number, number]> = [];
    const whole = await walkHint(
      files.open("hint", "read"),
      of,
      (...one) => found.push(one),
      () => Promise.resolve(turns-- > 0),
    );
    return { whole, found };
  };
  assertEquals(await walk(bytes), { whole: true, found: made });
  assertEquals((await walk(bytes, 1)).whole, false, "it ends where it is not to go on");
  assertEquals((await walk(bytes, 9, { ...segment, crc: 6 })).whole, false);
  for (const cut of [0, 100, 192, bytes.length - 20, bytes.length - 1]) {
    assertEquals((await walk(bytes.subarray(0, cut))).whole, false, `cut at ${cut}`);
  }
  for (let i = 0; i < 60; i++) {
    const damaged = bytes.slice();
    const at = i < 30 ? random.below(192) : random.below(bytes.length);
    damaged[at] ^= 1 << random.below(8);
    assertEquals((await walk(damaged)).whole, false, `byte ${at} is another`);
  }
});

Deno.test("compaction rests for as long as it has held up others, and not for its waits for amendments", async () => {
  const { now } = performance;
  const { setTimeout } = globalThis;
  const WAIT = 1000;
  let time = 0;
  let reads = 0;
  const rests: number[] = [];
  // The only time that passes is that of reads.
  performance.now = () => time;
  globalThis.setTimeout = ((go: () => void, rest = 0) => {
    rests.push(rest);
    return setTimeout(go, 0);
  }) as typeof setTimeout;
  const mount = new FaultyFiles(new Random(7)).mount();
  const files = new Proxy(mount, {
    get: (target, name) => {
      if (name !== "open") return Reflect.get(target, name);
      return (path: string, mode: "read" | "write" | "create") => {
        const file = target.open(path, mode);
        const waited = () => {
          time += WAIT;
          reads++;
        };
        return {
          ...file,
          read: (into: Uint8Array, at: number) => (waited(), file.read(into, at)),
          readLater: (into: Uint8Array, at: number) => (waited(), file.readLater(into, at)),
        };
      };
    },
  });
  try {
    const store = await callerOf(openDiskStore({
      ...{ directory: "d", clock: systemClock, fsync: "no", memoryLimit: 0, segmentBytes: 1 << 14 },
      ...{ files, amendFrom: 0, log: () => {} },
    }));
    const set = async (key: string) => {
      await store.swap(bytesOf(key), "any", itemOf("v".repeat(400)));
      await store.commit();
    };
    for (let i = 0; i < 20; i++) {
      await set(`touched${i}`);
      await set(`dies${i}`);
    }
    for (let i = 0; i < 20; i++) {
      const key = bytesOf(`touched${i}`);
      const item = (await store.read(key))!;
      await store.swap(key, item, { ...item, flags: 1 });
      await store.commit();
    }
    const own = (name: string) => Number(new Map(store.info().own).get(name));
    const before = reads;
    for (let i = 0; own("amended_items") > 18; i++) {
      await set(`dies${i % 20}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert(reads > before, "amendments are read");
    assert(rests.every((rest) => rest < WAIT), `${rests}`);
    await store.close();
  } finally {
    performance.now = now;
    globalThis.setTimeout = setTimeout;
  }
});

Deno.test("a writer waits for compaction until that has gained as many bytes as were written", async () => {
  const log = { total: 0, hintTotal: 0, segmentBytes: 0 } as Log;
  const backpressure = new Backpressure(log, { live: 0 } as Placements);
  assert(!backpressure.isWaitedFor);
  const waiting = backpressure.caughtUp(100);
  backpressure.pay(99);
  assert(backpressure.isWaitedFor);
  backpressure.pay(1);
  assert(!backpressure.isWaitedFor);
  await waiting;
});
