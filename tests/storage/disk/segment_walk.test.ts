/** The walk over a segment's bytes as they come, which finds records by their lengths. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { AdjustableClock } from "../../../lib/clock.ts";
import { HINT_HEADER, HINT_RECORD } from "../../../lib/storage/disk/format/hint.ts";
import { decodeManifest, type Manifest } from "../../../lib/storage/disk/format/manifest.ts";
import { Kind, RECORD_HEADER, Word } from "../../../lib/storage/disk/format/record.ts";
import { readWhole } from "../../../lib/storage/disk/fs/files.ts";
import { hintPathOf, SEGMENT_HEADER, segmentName } from "../../../lib/storage/disk/log/segment.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { SegmentWalk } from "../../../lib/storage/disk/upkeep/segment_walk.ts";
import { callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

const SEEDS = 6;

/** A sealed segment. */
interface Sealed {
  readonly listed: { readonly id: number; readonly length: number; readonly crc: number };
  readonly hashKey: Uint8Array;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its hint, as the store has written it. */
  readonly hint: Uint32Array;
}

/** The segments of a directory with records of all kinds and of many lengths. */
async function sealed(random: Random): Promise<Sealed[]> {
  const place = new FaultyFiles(random);
  const files = place.mount();
  const clock = new AdjustableClock();
  const store = await callerOf(openDiskStore({
    ...{ directory: "d", files, clock, memoryLimit: 0, fsync: "no", amendFrom: 0 },
    ...{ segmentBytes: 1 << 15, log: () => {} },
  }));
  for (let i = 0; i < 600; i++) {
    const key = bytesOf(`${random.below(40)}`.padEnd(random.chance(0.1) ? 250 : 1, "k"));
    const what = random.below(20);
    if (what < 14) {
      const exptime = random.chance(0.5) ? clock.now() + random.below(1e9) : 0;
      const cas = random.chance(0.1) ? { cas: BigInt(random.below(1e6)) << 33n } : {};
      const value = new Uint8Array(random.chance(0.05) ? 9000 : random.below(300)).fill(i);
      await store.swap(key, "any", itemOf(value, { exptime, ...cas }));
    } else if (what < 17) {
      const item = await store.read(key, true);
      if (item !== undefined) await store.swap(key, item, { ...item, exptime: 1e13 });
    } else if (what < 19) await store.swap(key, "any", null);
    else if (random.chance(0.1)) await store.flush(random.chance(0.5) ? 0 : clock.now() + 1e6);
    await store.commit();
  }
  await store.close();
  const { hashKey, segments } = decodeManifest(readWhole(files, "d/MANIFEST")) as Manifest;
  return segments.map(([id, length, crc]) => {
    const path = `d/${segmentName(id)}`;
    const bytes = readWhole(files, path).subarray(0, length);
    const hint = new Uint32Array(readWhole(files, hintPathOf(path)).buffer);
    return { listed: { id, length, crc }, hashKey, bytes, hint };
  });
}

/** Takes bytes in blocks of lengths by chance, in memory that is used again. */
function walked({ hashKey, listed }: Sealed, bytes: Uint8Array, random: Random): SegmentWalk {
  const walk = new SegmentWalk(hashKey, listed);
  const most = random.of([1, 40, 300, 5000, 1 << 20]);
  const memory = new Uint8Array(7 + Math.min(most, bytes.length));
  for (let at = 0; at < bytes.length;) {
    const block = bytes.subarray(at, at + 1 + random.below(most));
    const shift = random.below(7);
    memory.set(block, shift);
    walk.take(memory.subarray(shift, shift + block.length));
    memory.fill(0xa5);
    at += block.length;
  }
  return walk;
}

Deno.test("disk: a walk over a segment makes the hint that the store has made, whatever blocks come", async () => {
  const kinds = new Set<number>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed);
    const all = await sealed(random);
    assert(all.length > 0);
    for (const segment of all) {
      const walk = walked(segment, segment.bytes, random);
      const hint = new Uint32Array(walk.finish()!.buffer);
      assertEquals(walk.fault, undefined);
      const { hint: expected } = segment;
      assertEquals(walk.records, expected[8]);
      const end = HINT_HEADER + walk.records * HINT_RECORD;
      assertEquals(hint.subarray(0, 6), expected.subarray(0, 6));
      assertEquals(hint.subarray(8, 11), expected.subarray(8, 11));
      // The store counts numbers that no record has, and the times from another moment.
      const [of, most] = [hint, expected].map((words) => words[6]! + words[7]! * 2 ** 32);
      assert(of! > 0 && of! <= most! && most! - of! < 1000, `${of} ${most}`);
      assertEquals(sum(hint.subarray(16, 48)), sum(expected.subarray(16, 48)));
      assertEquals(hint.subarray(HINT_HEADER, end), expected.subarray(HINT_HEADER));
      for (let at = HINT_HEADER; at < end; at += HINT_RECORD) kinds.add(hint[at + 3]! >>> 16);
    }
  }
  for (const kind of [Kind.item, Kind.tombstone, Kind.flush, Kind.flushToCome, Kind.amendment]) {
    assert(kinds.has(kind), `${kind}`);
  }
});

Deno.test("disk: a walk over bytes that are no segment ends with a fault, and never believes a length beyond the end", async () => {
  let faults = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed);
    for (const segment of (await sealed(random)).slice(0, 3)) {
      const { bytes, listed } = segment;
      for (let i = 0; i < 30; i++) {
        const changed = bytes.slice();
        for (let n = 1 + random.below(3); n > 0; n--) {
          const at = random.below(changed.length);
          const behind = random.of([1, 4, 60, 2000]);
          for (let to = at; to < Math.min(at + behind, changed.length); to++) {
            changed[to] = random.of([0, 0xff, random.below(256)]);
          }
        }
        const walk = walked(segment, changed, random);
        const hint = walk.finish();
        assertEquals(hint === undefined, walk.fault !== undefined);
        assert(walk.records <= listed.length / RECORD_HEADER);
        if (walk.fault !== undefined) faults++;
      }
    }
  }
  assert(faults > 100, `${faults}`);
});

Deno.test("disk: a walk tells a segment that ends early, goes on too long, or is another's", async () => {
  const random = new Random(1);
  const [segment] = await sealed(random) as [Sealed];
  const { bytes, hashKey, listed } = segment;
  const fault = (bytes: Uint8Array, of = segment) => {
    const walk = walked(of, bytes, random);
    assertEquals(walk.finish(), undefined);
    return walk.fault!;
  };
  // The header of the last record may be cut or whole.
  const cut = /^there is no whole record at offset \d+$|^its end is missing$/;
  for (const bytesLess of [8, 2000]) assertMatch(fault(bytes.subarray(0, -bytesLess)), cut);
  assertMatch(
    fault(bytes.subarray(0, SEGMENT_HEADER - 1)),
    /^there is no whole record at offset 0$/,
  );
  assertMatch(fault(new Uint8Array(0)), /at offset 0$/);
  const longer = new Uint8Array(bytes.length + 96);
  longer.set(bytes);
  longer.set(bytes.subarray(SEGMENT_HEADER, SEGMENT_HEADER + 96), bytes.length);
  assertEquals(fault(longer), `there is no whole record at offset ${bytes.length}`);
  const others: Sealed[] = [
    { ...segment, listed: { ...listed, id: listed.id + 1 } },
    { ...segment, hashKey: hashKey.map((byte) => byte ^ 1) },
  ];
  for (const other of others) assertEquals(fault(bytes, other), "its header is another's");
  // The greatest length that a record may say it has.
  const huge = bytes.slice();
  new DataView(huge.buffer).setUint32(SEGMENT_HEADER + 4 * Word.valueLength, 0x7ffffe00, true);
  assertEquals(fault(huge), `there is no whole record at offset ${SEGMENT_HEADER}`);
});

function sum(numbers: Iterable<number>): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}
