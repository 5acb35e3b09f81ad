/** A segment that is read from its pieces: every byte is what it was, or it is said which piece is wrong. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { chooseMoment } from "../../lib/copies/choose.ts";
import { type Destination, DestinationError } from "../../lib/copies/destination.ts";
import type { CopiedSegment } from "../../lib/copies/manifest.ts";
import { pieceName } from "../../lib/copies/names.ts";
import { BrokenCopyError, readBack } from "../../lib/copies/read_back.ts";
import { SyncedFile } from "../../lib/copies/synced_file.ts";
import type { DataFile } from "../../lib/storage/disk/fs/files.ts";
import { SEGMENT_HEADER } from "../../lib/storage/disk/log/segment.ts";
import { Machine } from "./machine.ts";
import { MemoryBucket } from "./memory_destination.ts";

/** A segment in several pieces, and where it is. */
async function copied(): Promise<{
  readonly destination: Destination;
  readonly hashKey: Uint8Array;
  readonly segment: CopiedSegment;
}> {
  const bucket = new MemoryBucket();
  await using machine = await new Machine(bucket.open()).start();
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 2; i++) await machine.set(`k${i}`, `${round}`.padEnd(300));
    await machine.copy();
  }
  const destination = bucket.open();
  const { manifest } = await chooseMoment(destination, destination);
  const { hashKey, segments: [segment] } = manifest;
  assert(segment!.pieces.length === 5);
  return { destination, hashKey, segment: segment! };
}

/** A destination whose streams yield blocks that `change` may change, once each of the stream's. */
function changing(
  destination: Destination,
  change: (block: Uint8Array, name: string, at: number) => Uint8Array,
): Destination {
  return {
    url: destination.url,
    async *stream(name: string) {
      let at = 0;
      // As those that use their memory again.
      const memory = new Uint8Array(1 << 20);
      for await (const block of destination.stream(name)) {
        memory.set(block);
        yield change(memory.subarray(0, block.length), name, at);
        at += block.length;
      }
    },
  } as Partial<Destination> as Destination;
}

Deno.test("copies: a segment whose bytes change on the way is read again, and what is kept of it is right", async () => {
  const { destination, hashKey, segment } = await copied();
  const kept = new Uint8Array(segment.length);
  const take = (bytes: Uint8Array, at: number) => kept.set(bytes, at);
  const right = await readBack(destination, hashKey, segment, take);
  const whole = kept.slice();
  // Its header, a length, a value, and the last byte.
  for (const at of [8, SEGMENT_HEADER + 8, SEGMENT_HEADER + 500, segment.length - 1]) {
    for (const times of [1, 2]) {
      kept.fill(0);
      let left = times;
      let from = 0;
      const piece = segment.pieces.findLast(({ from }) => from <= at)!;
      const wrong = changing(destination, (block, name, offset) => {
        from = piece.from + offset;
        if (name === pieceName(piece) && from <= at && at < from + block.length && left-- > 0) {
          block[at - from]! ^= 0x40;
        }
        return block;
      });
      const { records, hint } = await readBack(wrong, hashKey, segment, take);
      assertEquals([records, hint.length], [right.records, right.hint.length]);
      assertEquals(kept, whole);
    }
  }
});

Deno.test("copies: of a segment that stays wrong the piece is named, and each read of it ends", async () => {
  const { destination, hashKey, segment } = await copied();
  const last = segment.pieces.at(-1)!;
  const name = pieceName(last);
  const wrong = (change: (block: Uint8Array, at: number) => Uint8Array) =>
    assertRejects(
      () =>
        readBack(
          changing(destination, (block, of, at) => of === name ? change(block, at) : block),
          hashKey,
          segment,
          () => {},
        ),
      BrokenCopyError,
    );
  const flipped = await wrong((block, at) => {
    if (at === 0) block[100]! ^= 1;
    return block;
  });
  assertMatch(flipped.message, new RegExp(`^'${name}' in .* has the CRC-32C \\w{8}, not \\w{8}$`));
  const short = await wrong((block, at) => at === 0 ? block.subarray(1) : block);
  assertMatch(short.message, new RegExp(`^'${name}' in .* has \\d+ bytes, not ${last.length}$`));
  const long = await wrong((block) => {
    const longer = new Uint8Array(block.length + 1);
    longer.set(block);
    return longer;
  });
  assertMatch(long.message, new RegExp(`^'${name}' in .* has more bytes, not ${last.length}$`));
  // The manifest is not what it was: every piece is right, and the whole is not.
  for (const other of [{ crc: segment.crc ^ 1 }, { id: segment.id + 1 }]) {
    const error = await assertRejects(
      () => readBack(destination, hashKey, { ...segment, ...other }, () => {}),
      BrokenCopyError,
    );
    assertMatch(error.message, /another CRC-32 than its manifest says|its header is another's/);
  }
});

Deno.test("copies: bytes that cannot be a segment's are read no further than to where that shows", async () => {
  const { destination, hashKey, segment } = await copied();
  const taken: number[] = [];
  let streams = 0;
  const nonsense = changing(destination, (block, name, at) => {
    if (name === pieceName(segment.pieces[0]!) && at === 0) {
      streams++;
      // A record of two gigabytes.
      new DataView(block.buffer).setUint32(SEGMENT_HEADER + 8, 0x7ffffe00, true);
    }
    return block;
  });
  await assertRejects(
    () =>
      readBack(nonsense, hashKey, segment, (bytes) => {
        if (streams === 1) taken.push(bytes.length);
      }),
    BrokenCopyError,
  );
  assertEquals(streams, 3);
  assertEquals(taken.length, 1);
});

Deno.test("copies: a destination that is away while a segment is read is no broken copy", async () => {
  const { destination, hashKey, segment } = await copied();
  let streams = 0;
  const away = changing(destination, () => {
    streams++;
    throw new DestinationError("it is away", true);
  });
  await assertRejects(
    () => readBack(away, hashKey, segment, () => {}),
    DestinationError,
    "it is away",
  );
  assertEquals(streams, 1);
});

Deno.test("copies: a file is synced while it is written, and a sync that fails is the end of it", async () => {
  const block = new Uint8Array(1 << 20);
  let [length, synced, closed, fails] = [0, 0, false, false];
  const waiting: (() => void)[] = [];
  const file = {
    write: (bytes: Uint8Array, at: number) => (length = at + bytes.length, bytes.length),
    sync: async () => {
      assert(!closed);
      const upTo = length;
      await new Promise<void>((resolve) => waiting.push(resolve));
      if (fails) throw new Error("EIO");
      synced = upTo;
    },
    close: () => void (closed = true),
  } as Partial<DataFile> as DataFile;
  const written = new SyncedFile(file);
  for (let i = 0; i < 64; i++) written.write(block, i << 20);
  // One at a time, and the writes do not wait for it.
  assertEquals([length, waiting.length, synced], [64 << 20, 1, 0]);
  const whole = written.sync();
  waiting.pop()!();
  while (waiting.length === 0) await undefined;
  waiting.pop()!();
  await whole;
  assertEquals(synced, length);
  fails = true;
  for (let i = 0; i < 16; i++) written.write(block, i << 20);
  const closing = written.close();
  assertEquals(closed, false);
  waiting.pop()!();
  await assertRejects(() => written.sync(), Error, "EIO");
  await closing;
  assertEquals(closed, true);
  // Nor is one closed whose last sync is under way.
  closed = fails = false;
  const other = new SyncedFile(file);
  other.write(block, 0);
  const syncing = other.sync();
  while (waiting.length === 0) await undefined;
  const end = other.close();
  for (let i = 0; i < 10; i++) await undefined;
  assertEquals(closed, false);
  waiting.pop()!();
  await Promise.all([syncing, end]);
  assertEquals(closed, true);
});
