import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { decodeManifest, encodeManifest } from "../../../lib/storage/disk/format/manifest.ts";
import { Kind, RecordReader, segmentSeed, State } from "../../../lib/storage/disk/format/record.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../../lib/storage/disk/log/segment.ts";

const format = await Deno.readTextFile(
  new URL("../../../lib/storage/disk/FORMAT.md", import.meta.url),
);
const [record, amendment, manifest] = [...format.matchAll(/^```\n([^`]*)```$/gm)].map((match) =>
  match[1]
);
const hashKey = new Uint8Array(16).map((_, i) => i);

function bytesIn(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(text.trim().split(/\s+/).map((byte) => parseInt(byte, 16)));
}

function example(): Uint8Array<ArrayBuffer> {
  return bytesIn(record);
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

Deno.test("the amendment in FORMAT.md is read as it is described there", () => {
  const bytes = bytesIn(amendment);
  const reader = new RecordReader();
  reader.over(bytes);
  assert(reader.parse(0, bytes.length, segmentSeed(hashKey, 7), 136));
  assertEquals(reader.kind, Kind.amendment);
  assertEquals(reader.key(), bytesOf("greeting"));
  assertEquals(
    [reader.flags, reader.sequence, reader.cas, reader.time, reader.accessed, reader.state],
    [42, 4712, 4711n, 1900000000000, 1790000060, State.fetched],
  );
  assertEquals([reader.base, reader.itemLength], [4711, 11]);
  const amended = new RecordReader();
  amended.over(example());
  assert(amended.parse(0, example().length, segmentSeed(hashKey, 7), 64));
  amended.amend(reader);
  assertEquals([amended.sequence, amended.time, amended.state], [4712, 1900000000000, 4]);
  assertEquals(amended.value(), bytesOf("hello, disk"));
  assertThrows(() => amended.amend({ ...reader, base: 4712, time: 0 }), Error, "broken invariant");
  assertEquals(amended.time, 1900000000000, "what names another version changes nothing");
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

/** What version 0.1 has left after a clean stop: four items, of which one was deleted. */
const ofFormat1 = {
  log: "6b76732d6c6f670a0100000001000000000000000000000000000000000000000100000000000000ae6c23c7" +
    "7d8bf726fe39d8c56bdedd2800000000910e6cf28f6de3570401000001000000000000000100000000000000" +
    "01000000000000000000000000000000803bb16a00000000676f6e6578000000c454fb78080100000b000000" +
    "2a000000020000000000000002000000000000000000000000000000803bb16a000000006772656574696e67" +
    "68656c6c6f2c206469736b00000000002aae745b050101000100000000000000030000000000000003000000" +
    "000000007b409452a3030000803bb16a0000000074696d656474000003d279a7040200000000000000000000" +
    "0400000000000000040000000000000000000000000000000000000001000000676f6e65000000004464ea01" +
    "050100000000000000000000050000000000000063000000000000000000000000000000803bb16a00000000" +
    "656d707479000000",
  hint: "6b767368696e740a010000000100000068010000f89653e96300000000000000050000003800000001000000" +
    "006c50c4a0010000000000000000000086d8530e000000000000000000000000000000000000000000000000" +
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" +
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" +
    "000000000000000000000000380000006031f91b3b3de0ab840b8e270700010008000000f420ce1336d166a8" +
    "e1113421090001000f000000349ca6f13883661c178ac8ca07000100180000006031f91b3b3de0ab840b8e27" +
    "070002001f000000b0aaf9d04716412aba5472dc0700010026000000",
  manifest: `{"kvs":"disk","format":1,"hashKey":"ae6c23c77d8bf726fe39d8c56bdedd28","clean":true,` +
    `"sequence":99,"items":3,"next":2,"segments":[[1,360,3914569464]]}\n69c861ae\n`,
};

for (const hinted of [true, false]) {
  Deno.test(`a directory of format 1 is read, and becomes one of format 2 segment by segment (${hinted ? "with" : "without"} hints)`, async () => {
    const files = new FaultyFiles(new Random(1));
    const bytes = (hex: string) => bytesIn(hex.replaceAll(/../g, "$& "));
    files.place("d/MANIFEST", bytesOf(ofFormat1.manifest));
    files.place("d/0000000001.log", bytes(ofFormat1.log));
    if (hinted) files.place("d/0000000001.hint", bytes(ofFormat1.hint));
    const clock = { now: () => 1_790_000_000_000 };
    const open = () =>
      callerOf(openDiskStore({
        ...{ directory: "d", files, clock, fsync: "no", memoryLimit: 0, log: () => {} },
        ...{ segmentBytes: 4096, amendFrom: 0 },
      }));
    const formatOf = (name: string) =>
      new DataView(files.content(`d/${name}`).buffer).getUint32(8, true);
    let store = await open();
    const all = async () => {
      const found: string[] = [];
      for await (const group of store.scan()) {
        for (const { key } of group) {
          const { value, flags, exptime, cas, stale } = (await store.read(key))!;
          found.push(
            [key, value].map((text) => binaryString(text)).concat([
              `${flags} ${exptime} ${cas} ${stale}`,
            ]).join("|"),
          );
        }
      }
      return found.sort();
    };
    const expected = [
      "empty||0 0 99 false",
      "greeting|hello, disk|42 0 2 false",
      "timed|t|0 4000000000123 3 true",
    ];
    assertEquals(await all(), expected);
    const item = (await store.read(bytesOf("timed")))!;
    await store.swap(bytesOf("timed"), item, { ...item, exptime: 4_000_000_000_124 });
    await store.commit();
    assertEquals([formatOf("0000000001.log"), formatOf("0000000002.log")], [1, 2]);
    assertMatch(binaryString(files.content("d/MANIFEST")), /"format":2/);
    files.powerCut(true);
    await store.close().catch(() => {});
    store = await open();
    expected[2] = "timed|t|0 4000000000124 3 true";
    assertEquals(await all(), expected);
    // Until compaction gives up the old one, both are read. Many small ones are merged, the oldest first.
    for (let life = 0; life < 10; life++) {
      await store.swap(bytesOf("other"), "any", itemOf("v"));
      await store.close();
      store = await open();
    }
    await store.swap(bytesOf("other"), "any", null);
    await store.commit();
    while (files.list("d").includes("0000000001.log")) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEquals(await all(), expected);
    await store.close();
    for (const name of files.list("d").filter((name) => name.endsWith(".log"))) {
      assertEquals(formatOf(name), 2);
    }
    store = await open();
    assertEquals(await all(), expected);
    await store.close();
  });
}
