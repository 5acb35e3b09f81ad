import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { decodeManifest, encodeManifest } from "../../../lib/storage/disk/format/manifest.ts";
import { Kind, RecordReader, segmentSeed, State } from "../../../lib/storage/disk/format/record.ts";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../../lib/storage/disk/log/segment.ts";

const format = await Deno.readTextFile(
  new URL("../../../lib/storage/disk/FORMAT.md", import.meta.url),
);
const [record, manifest] = [...format.matchAll(/^```\n([^`]*)```$/gm)].map((match) => match[1]);
const hashKey = new Uint8Array(16).map((_, i) => i);

function example(): Uint8Array {
  return new Uint8Array(record.trim().split(/\s+/).map((byte) => parseInt(byte, 16)));
}

Deno.test("the record in FORMAT.md is read as it is described there", () => {
  const bytes = example();
  const reader = new RecordReader();
  reader.over(bytes);
  assert(reader.parse(0, bytes.length, segmentSeed(hashKey, 7), 64));
  assertEquals(reader.kind, Kind.item);
  assertEquals(reader.key(), bytesOf("greeting"));
  assertEquals(reader.value(), bytesOf("hello, disk"));
  assertEquals(
    [reader.flags, reader.sequence, reader.cas, reader.time, reader.accessed, reader.state],
    [42, 4711, 4711n, 1800000000123, 1790000000, State.stale],
  );
  assertEquals(reader.size, bytes.length);
});

Deno.test("a record is none in another segment, at another offset, or with any bit changed", () => {
  const bytes = example();
  const reader = new RecordReader();
  reader.over(bytes);
  const seed = segmentSeed(hashKey, 7);
  assert(!reader.parse(0, bytes.length, segmentSeed(hashKey, 8), 64));
  assert(!reader.parse(0, bytes.length, seed, 72));
  assert(!reader.parse(0, bytes.length - 1, seed, 64));
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7);
    assert(!reader.parse(0, bytes.length, seed, 64), `bit ${bit}`);
    bytes[bit >> 3] ^= 1 << (bit & 7);
  }
  assert(reader.parse(0, bytes.length, seed, 64));
});

Deno.test("the manifest in FORMAT.md is read and written as it stands there", () => {
  const read = decodeManifest(bytesOf(manifest));
  assert(read !== undefined && "hashKey" in read);
  assertEquals(read.hashKey, hashKey);
  assertEquals(read.segments, [[7, 136, 0x12345678]]);
  assertEquals(encodeManifest(read), bytesOf(manifest));
});

Deno.test("a manifest with a character changed is none", () => {
  const bytes = bytesOf(manifest);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] ^= 1;
    assertEquals(decodeManifest(bytes), undefined, `byte ${i}`);
    bytes[i] ^= 1;
  }
});

Deno.test("a segment's header comes back as it was written, and damaged not at all", () => {
  const header = { id: 9, previous: 7, previousLength: 2 ** 26, sequence: 2 ** 40 + 1, hashKey };
  const bytes = encodeSegmentHeader(header);
  assertEquals(decodeSegmentHeader(bytes), header);
  bytes[30] ^= 4;
  assertEquals(decodeSegmentHeader(bytes), undefined);
});
