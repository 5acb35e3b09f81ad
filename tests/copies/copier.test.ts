import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { crc32 } from "node:zlib";
import { Copier, CopyError } from "../../lib/copies/copier.ts";
import { DestinationError } from "../../lib/copies/destination.ts";
import type { CopyManifest } from "../../lib/copies/manifest.ts";
import { chooseMoment } from "../../lib/copies/choose.ts";
import { momentsOf } from "../../lib/copies/moments.ts";
import { pieceName } from "../../lib/copies/names.ts";
import { readHead, Tenure } from "../../lib/copies/tenure.ts";
import { verifyMoment } from "../../lib/copies/verify.ts";
import { segmentName } from "../../lib/storage/disk/log/segment.ts";
import type { Moment } from "../../lib/storage/moment.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { LEASE, TestClock } from "./history.ts";
import { contentOf, DIRECTORY, Machine, momentNames, restored } from "./machine.ts";
import { MemoryBucket, type MemoryDestination } from "./memory_destination.ts";
import { isSame, noise, streamed } from "./sources.ts";

const HASH_KEY = new Uint8Array(16);

/** A directory whose segments a test makes up. */
class Made {
  readonly bucket = new MemoryBucket();
  readonly clock = new TestClock();
  readonly files = new FaultyFiles(new Random(1));
  /** Number, content, and whether it is sealed. */
  segments: Array<readonly [id: number, bytes: Uint8Array, sealed: boolean]> = [];
  moments = 0;
  copier!: Copier;

  async begin(destination: MemoryDestination, held: number): Promise<this> {
    const { files, clock } = this;
    const tenure = await Tenure.take({
      ...{ place: destination, destination, files, directory: DIRECTORY, clock, lease: LEASE },
      by: "made",
      behind: () => Promise.resolve(undefined),
    }, { place: undefined, sequence: 0 });
    this.copier = await Copier.begin({
      ...{ destination, files, directory: DIRECTORY, clock, held },
      moment: () => Promise.resolve(this.moment()),
    }, tenure);
    return this;
  }

  put(id: number, bytes: Uint8Array, sealed = true): void {
    this.files.place(`${DIRECTORY}/${segmentName(id)}`, bytes);
    this.segments = [...this.segments.filter(([other]) => other !== id), [id, bytes, sealed]];
  }

  moment(): Moment {
    this.moments++;
    return {
      ...{ disk: 2, hashKey: HASH_KEY, time: this.clock.time, sequence: 1, items: 1 },
      position: this.moments,
      next: Math.max(0, ...this.segments.map(([id]) => id)) + 1,
      segments: this.segments.map(([id, bytes, sealed]) => [
        id,
        bytes.length,
        sealed ? crc32(bytes) : undefined,
      ]),
    };
  }

  async copy(): Promise<CopyManifest> {
    this.clock.time += 10_000;
    return (await this.copier.round()).manifest!;
  }
}

Deno.test("copies: a segment that is damaged on the disk is not copied, and the moment before it stays the newest", async () => {
  const bucket = new MemoryBucket();
  await using machine = await new Machine(bucket.open()).start();
  for (let i = 0; i < 4; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
  await machine.copy();
  for (let i = 4; i < 30; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
  const sealed = machine.files.list(DIRECTORY).filter((name) => name.endsWith(".log"))[3]!;
  machine.files.content(`${DIRECTORY}/${sealed}`)[200]! ^= 1;
  const error = await assertRejects(() => machine.copy(), CopyError);
  assertEquals(
    error.message,
    `segment ${sealed} is damaged and is not copied: it has another checksum than was counted when it ` +
      "was written",
  );
  const destination = bucket.open();
  const chosen = await chooseMoment(destination, destination);
  assertEquals((await verifyMoment(destination, chosen.manifest)).problems, []);
  assertEquals((await contentOf(await restored(destination, chosen, machine.clock))).size, 4);
  machine.files.content(`${DIRECTORY}/${sealed}`)[200]! ^= 1;
  assert(await machine.copy() !== undefined);
});

Deno.test("copies: damage in what was copied before keeps parts from being merged, and stops nothing", async () => {
  const made = await new Made().begin(new MemoryBucket().open(), 0);
  let bytes: Uint8Array = noise(1000);
  const pieces: number[] = [];
  for (let part = 2; part <= 12; part++) {
    const all = noise(part * 1000);
    all.set(bytes);
    made.put(1, all, false);
    bytes = all;
    if (part === 8) {
      const damaged = all.slice();
      damaged[10]! ^= 1;
      made.files.place(`${DIRECTORY}/${segmentName(1)}`, damaged);
    }
    const manifest = await made.copy();
    pieces.push(manifest.segments[0]!.pieces.length);
    assertEquals(manifest.segments[0]!.crc, crc32(all));
  }
  // Eight become one, but not while the first has other bytes.
  assertEquals(pieces, [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4]);
});

Deno.test("copies: a segment that was copied before it was sealed is compared after a restart, and sent again where it has other bytes", async () => {
  const grown = noise(3000);
  for (const isOther of [false, true]) {
    for (const length of [1000, 3000]) {
      const destination = new MemoryBucket().open();
      const made = await new Made().begin(destination, 0);
      made.put(1, noise(700), true);
      made.put(2, grown.subarray(0, 1000), false);
      const [, before] = (await made.copy()).segments;
      // Another process on the directory, in which the bytes are those that were copied or not.
      await made.begin(destination, 0);
      const bytes = grown.slice(0, length);
      if (isOther) bytes[500]! ^= 1;
      made.put(2, bytes, false);
      const sent = () => destination.asked.filter((one) => /^create pieces/.test(one)).length;
      const sentBefore = sent();
      const { segments: [, after], dropped } = (await made.copier.round()).manifest ??
        { segments: [undefined, before], dropped: [] };
      assertEquals([after!.length, after!.crc], [length, crc32(bytes)]);
      const pieces = after!.pieces.map(({ from, length }) => [from, length]);
      if (isOther) {
        assertEquals(pieces, [[0, length]]);
        assertEquals(dropped.map(({ crc32c }) => crc32c), before!.pieces.map((one) => one.crc32c));
      } else {
        assertEquals(after!.pieces[0], before!.pieces[0]);
        assertEquals(pieces, length === 1000 ? [[0, 1000]] : [[0, 1000], [1000, 2000]]);
        assertEquals(dropped, []);
      }
      assertEquals(sent() - sentBefore, isOther || length > 1000 ? 1 : 0);
      const stored = await Promise.all(
        after!.pieces.map((piece) => streamed(destination, pieceName(piece))),
      );
      assert(isSame(new Uint8Array(await new Blob(stored as BlobPart[]).arrayBuffer()), bytes));
    }
  }
});

Deno.test("copies: what compaction removes while it is copied is held up to --copy-held, and then copied without it", async () => {
  for (const held of [0, 1 << 30]) {
    const bucket = new MemoryBucket();
    const destination = bucket.open();
    const made = await new Made().begin(destination, held);
    for (const id of [1, 2, 3]) made.put(id, noise(6 << 20, id));
    made.put(4, noise(1000), false);
    const create = destination.create.bind(destination);
    let compacted = false;
    const heldBytes: number[] = [];
    destination.create = async (name, source) => {
      if (!compacted) {
        compacted = true;
        // What was alive in them is in segment 5 now.
        for (const id of [1, 2, 3]) made.files.remove(`${DIRECTORY}/${segmentName(id)}`);
        made.segments = made.segments.filter(([id]) => id > 3);
        made.put(5, noise(3000), false);
      }
      const created = await create(name, source);
      heldBytes.push(made.copier.heldBytes);
      return created;
    };
    const manifest = await made.copy();
    const ids = manifest.segments.map(({ id }) => id);
    if (held === 0) assertEquals(ids, [4, 5]);
    else {
      assertEquals(ids, [1, 2, 3, 4]);
      assertEquals(Math.max(...heldBytes), 3 * (6 << 20));
      const next = await made.copy();
      assertEquals(next.segments.map(({ id }) => id), [4, 5]);
      assertEquals(next.dropped.map(({ segment }) => segment).sort(), [1, 2, 3]);
    }
    assertEquals(made.copier.heldBytes, 0);
  }
});

Deno.test("copies: a clock that is set back gives no moment a time before that of the one before it", async () => {
  const made = await new Made().begin(new MemoryBucket().open(), 0);
  made.put(1, noise(1000), false);
  const { time } = await made.copy();
  made.clock.time -= 86_400_000;
  made.put(1, noise(1100), false);
  assertEquals((await made.copy()).time, time);
});

Deno.test("copies: a manifest whose answer is lost gives the next one a time that is no earlier", async () => {
  let isLost = false;
  const bucket = new MemoryBucket();
  const destination = bucket.open((asked, name) =>
    isLost && asked === "create" && name.startsWith("manifests/") ? "lost" : undefined
  );
  const made = await new Made().begin(destination, 0);
  made.put(1, noise(1000), false);
  await made.copy();
  made.put(1, noise(1100), false);
  isLost = true;
  await assertRejects(() => made.copy(), DestinationError);
  isLost = false;
  made.clock.time -= 3_600_000;
  made.put(1, noise(1200), false);
  await made.copy();
  const { head } = (await readHead(destination))!;
  const times = (await Array.fromAsync(momentsOf(destination, head))).map(({ time }) => time);
  assertEquals(times.length, 3);
  assertEquals(times, times.toSorted((a, b) => a - b));
});

Deno.test("copies: a segment whose file is gone, and that compaction has not removed, is told of and not looked for again and again", async () => {
  const made = await new Made().begin(new MemoryBucket().open(), 0);
  for (const id of [1, 2]) made.put(id, noise(1000, id));
  made.files.remove(`${DIRECTORY}/${segmentName(1)}`);
  const moment = made.moment.bind(made);
  made.moment = () => {
    assert(made.moments < 100);
    return moment();
  };
  await assertRejects(
    () => made.copy(),
    CopyError,
    "segment 0000000001.log is not copied: it is in the log, and its file is gone",
  );
});

Deno.test("copies: on a slow line what is held is looked at each second, and not only after so many reads", async () => {
  const destination = new MemoryBucket().open();
  const made = await new Made().begin(destination, 0);
  for (const id of [1, 2, 3]) made.put(id, noise(1 << 20, id));
  const create = destination.create.bind(destination);
  let sent = 0;
  destination.create = (name, source) =>
    create(name, {
      ...{ length: source.length, crc32c: source.crc32c },
      read: async (from, into) => {
        // Compaction removes them while the first block is on its way.
        if (made.segments.length === 3) {
          for (const id of [1, 2, 3]) made.files.remove(`${DIRECTORY}/${segmentName(id)}`);
          made.segments = [];
          made.put(4, noise(1000));
        }
        made.clock.time += 2000;
        const count = await source.read(from, into);
        sent += count;
        return count;
      },
    });
  const { segments } = await made.copy();
  assertEquals(segments.map(({ id }) => id), [4]);
  assert(sent < 2 << 20, `${sent}`);
});

Deno.test("copies: where nothing is written nothing is sent, but signs of life", async () => {
  const bucket = new MemoryBucket();
  const destination = bucket.open();
  await using machine = await new Machine(destination).start();
  await machine.set("k", "v");
  await machine.copy();
  const before = [...bucket.names.keys()];
  const { beat } = machine.tenure.head;
  for (let i = 0; i < 5; i++) {
    assertEquals(await machine.copy(), undefined);
    machine.clock.time += LEASE / 2;
    await machine.tenure.beat();
  }
  assertEquals([...bucket.names.keys()], before);
  assertEquals(machine.tenure.head.beat, beat + 5);
});

Deno.test("copies: a piece whose bytes changed where it lies is found by verify, and no restore takes it", async () => {
  const bucket = new MemoryBucket();
  await using machine = await new Machine(bucket.open()).start();
  for (let i = 0; i < 20; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
  await machine.copy();
  const destination = bucket.open();
  const chosen = await chooseMoment(destination, destination);
  assertEquals((await verifyMoment(destination, chosen.manifest)).problems, []);
  const name = [...bucket.names.keys()].find((name) => name.startsWith("pieces/"))!;
  bucket.names.get(name)!.bytes[300]! ^= 1;
  const { problems } = await verifyMoment(destination, chosen.manifest);
  assertEquals(problems.length, 1);
  assertMatch(
    problems[0]!,
    /^'pieces\/.*' in memory:copies has the CRC-32C [0-9a-f]{8}, not [0-9a-f]{8}$/,
  );
  await assertRejects(() => restored(destination, chosen, machine.clock));
  bucket.names.delete(name);
  assertMatch(
    (await verifyMoment(destination, chosen.manifest)).problems[0]!,
    /'pieces\/.*' is not in memory:copies/,
  );
});

Deno.test("copies: a bucket that keeps what is to be removed delays retention, and loses nothing", async () => {
  const bucket = new MemoryBucket();
  await using machine = await new Machine(bucket.open(), undefined, undefined, 1).start();
  for (let i = 0; i < 50; i++) {
    await machine.set("k", `${i}`.padEnd(500));
    await machine.copy(1);
  }
  bucket.held = (name) => name.startsWith("pieces/");
  await machine.retain();
  assert(machine.retention.kept > 0);
  const kept = (await momentNames(bucket.open())).length;
  bucket.held = () => false;
  await machine.retain();
  assertEquals(machine.retention.kept, 0);
  const left = await momentNames(bucket.open());
  assert(left.length < kept && left.length >= 24, `${left.length} of ${kept}`);
});

Deno.test("copies: of a thousand segments no more than some are open at a time", async () => {
  const made = new Made();
  const open = made.files.open.bind(made.files);
  let [now, most] = [0, 0];
  made.files.open = (path, mode) => {
    const file = open(path, mode);
    most = Math.max(most, ++now);
    return { ...file, close: () => void now-- };
  };
  for (let id = 1; id <= 1000; id++) made.put(id, noise(100, id));
  await made.begin(made.bucket.open(), 0);
  assertEquals((await made.copy()).segments.length, 1000);
  assertEquals(now, 0);
  assert(most <= 64 + 4, `${most} were open`);
});
