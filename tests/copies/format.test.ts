import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { counts, currentNumber, decodeHead, encodeHead, type Head } from "../../lib/copies/head.ts";
import { decodeManifest, encodeManifest, nameOfManifest } from "../../lib/copies/manifest.ts";
import { identityName, readIdentity } from "../../lib/copies/identity.ts";
import { manifestName, pieceName, pieceOf, readManifestName } from "../../lib/copies/names.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";

const page = await Deno.readTextFile("lib/copies/FORMAT.md");

/** The block of FORMAT.md that begins so. */
function example(kind: string): Uint8Array<ArrayBuffer> {
  const [, text] = new RegExp(`\`\`\`\n(\\{"kvs":"${kind}"[^\`]*)\`\`\``).exec(page)!;
  return bytesOf(text!);
}

Deno.test("copies: the manifest in FORMAT.md is read and written as it stands there", () => {
  const manifest = decodeManifest(example("copy"))!;
  assert("hashKey" in manifest);
  assertEquals(manifest.segments[0]!.pieces, [
    { epoch: 3, segment: 7, from: 0, length: 136, crc32c: 2977955847 },
  ]);
  assertEquals(manifest.dropped[0]!.segment, 6);
  assertEquals(encodeManifest(manifest), example("copy"));
  const name = nameOfManifest(manifest);
  assert(page.includes(`\`${name}\``), name);
  assertEquals(readManifestName(name), { name, number: 42, epoch: 3, time: manifest.time });
  const piece = pieceName(manifest.segments[0]!.pieces[0]!);
  assert(page.includes(`\`${piece}\``), piece);
  assertEquals(pieceOf(piece), manifest.segments[0]!.pieces[0]!);
});

Deno.test("copies: the head in FORMAT.md is read and written as it stands there", () => {
  const head = decodeHead(example("head"))!;
  assert("claim" in head);
  assertEquals([head.epoch, head.last?.number, head.epochs.length], [3, 42, 2]);
  assertEquals(encodeHead(head), example("head"));
});

Deno.test("copies: the identity in FORMAT.md is what a directory remembers", () => {
  const files = new FaultyFiles(new Random(1));
  const url = "gs://bucket/prefix";
  files.place(`d/${identityName(url)}`, example("copy identity"));
  assertEquals(readIdentity(files, "d", url).had, true);
  assertEquals(readIdentity(files, "d", url).claims.length, 1);
  assertEquals(readIdentity(files, "d", "gs://bucket/other").claims, []);
});

Deno.test("copies: a manifest or head with a character changed is none", () => {
  for (const [kind, decode] of [["copy", decodeManifest], ["head", decodeHead]] as const) {
    for (let at = 0; at < example(kind).length; at += 7) {
      const bytes = example(kind);
      bytes[at] ^= 1;
      assertEquals(decode(bytes), undefined, `${kind} ${at}`);
    }
  }
});

Deno.test("copies: names sort as their numbers and times do, and others are none of ours", () => {
  const time = Date.UTC(2026, 10, 27, 10);
  const names = [9, 10, 100, 999_999_999_999].map((number) => manifestName(number, 1, time));
  assertEquals(names.toSorted(), names);
  for (const name of ["manifests/x", "manifests/000000000042-00000003-20261127", "head"]) {
    assertEquals(readManifestName(name), undefined);
  }
  assertEquals(pieceOf("pieces/00000003/0000000007-000000000000-000000000136-B1800007"), undefined);
});

Deno.test("copies: a manifest counts in its epoch's range alone, and a base is the newest state until there is another", () => {
  const head: Head = {
    epoch: 3,
    claim: "c",
    by: "b",
    lease: 1,
    released: false,
    beat: 1,
    last: { number: 42, time: 0 },
    sequence: 0,
    first: 40,
    epochs: [[1, 1, 17], [2, 18, 39]],
  };
  const counted = [[1, 1], [17, 1], [18, 2], [39, 2], [40, 3], [42, 3]];
  for (const [number, epoch] of counted) {
    assert(counts(head, { number: number!, epoch: epoch! }), `${number} of ${epoch}`);
  }
  for (const [number, epoch] of [[18, 1], [17, 2], [40, 2], [39, 3], [43, 3], [43, 4], [1, 9]]) {
    assert(!counts(head, { number: number!, epoch: epoch! }), `${number} of ${epoch}`);
  }
  assertEquals(currentNumber(head), 42);
  const next = { ...head, epoch: 4, first: 43, base: 20 };
  assertEquals(currentNumber(next), 20);
  assertEquals(currentNumber({ ...next, last: { number: 43, time: 0 } }), 43);
});
