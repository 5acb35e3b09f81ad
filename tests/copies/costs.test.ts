/** What copies cost in a bucket: docs/gcs.md has what the plan of pieces comes to. */

import { assert, assertEquals } from "@std/assert";
import { type CopiedSegment, encodeManifest } from "../../lib/copies/manifest.ts";
import { nextPiece } from "../../lib/copies/plan.ts";
import { History } from "./history.ts";
import { EmulatedBucket } from "./mortal_destination.ts";

/** Seconds. */
const INTERVAL = 10;
const DAY = 86_400;
const RETENTION_DAYS = 7;
const DAYS_A_MONTH = 30;
/** Bytes. */
const SEGMENT = 64 << 20;
const STORE = 10e9;
/** Dollars (cloud.google.com/storage/pricing, Standard, one region): a million writes, a GB a month. */
const WRITES = 5;
const STORAGE = 0.02;

/** What a day takes. */
interface Day {
  /** Requests that create, replace or list. Deletes cost nothing. */
  readonly writes: number;
  /** Bytes of pieces and of manifests. */
  readonly pieces: number;
  readonly manifests: number;
}

/** A day in which so many bytes a second are added to the log. */
function day(rate: number): Day {
  let writes = 0;
  let sent = 0;
  let manifests = 0;
  let pieces: number[] = [];
  let length = 0;
  const add = (to: number, sealed: boolean) => {
    const { kept, from } = nextPiece(pieces, to, sealed);
    if (from === to) return;
    // When its moment is given up, what it took the place of is listed once, and removed.
    writes += kept < pieces.length ? 2 : 1;
    pieces = [...pieces.slice(0, kept), to - from];
    sent += to - from;
  };
  for (let second = INTERVAL; second <= DAY; second += INTERVAL) {
    // The head says at each round that its server lives.
    writes++;
    if (rate === 0) continue;
    length += rate * INTERVAL;
    for (; length >= SEGMENT; length -= SEGMENT) {
      add(SEGMENT, true);
      pieces = [];
    }
    add(length, false);
    writes++;
    manifests += manifestBytes(pieces);
  }
  return { writes, pieces: sent, manifests };
}

const SEALED = Math.ceil(STORE / SEGMENT);
/** Of each sealed segment, which is one piece. */
const sealedBytes = manifestOf([segmentOf(1000, [SEGMENT]), segmentOf(1001, [SEGMENT])]) -
  manifestOf([segmentOf(1000, [SEGMENT])]);

/** Of a store with so many sealed segments, whose tail is these pieces. */
function manifestBytes(tail: readonly number[]): number {
  return SEALED * sealedBytes + manifestOf([segmentOf(1000, tail)]);
}

function manifestOf(segments: readonly CopiedSegment[]): number {
  return encodeManifest({
    ...{ number: 100_000, epoch: 3, time: 1_790_000_000_000, disk: 2, items: 10_000_000 },
    ...{ hashKey: new Uint8Array(16), sequence: 100_000_000, segments, dropped: [] },
  }).length;
}

function segmentOf(id: number, lengths: readonly number[]): CopiedSegment {
  let from = 0;
  const pieces = lengths.map((length) => {
    const piece = { epoch: 3, segment: id, from, length, crc32c: 3_000_000_000 };
    from += length;
    return piece;
  });
  return { id, length: from, crc: 3_000_000_000, pieces };
}

/** Two digits that count, as people write bytes. */
function bytesText(bytes: number): string {
  if (bytes === 0) return "0";
  const unit = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  const short = Number((bytes / 1000 ** unit).toPrecision(2));
  return `${short.toLocaleString("en")} ${["B", "KB", "MB", "GB"][unit]}`;
}

function dollarsText(dollars: number): string {
  return Number(dollars.toPrecision(2)).toFixed(dollars < 10 ? 2 : 0);
}

Deno.test("a moment is its pieces, its manifest and the head, and without a change there is no request", async () => {
  await using bucket = await EmulatedBucket.begin();
  const history = new History(4, bucket);
  await history.open();
  await history.copies();
  const { emulator } = bucket;
  let asked: string[] = [];
  emulator.onRequest = (operation, name) =>
    asked.push(`${operation} ${name?.replace(/^copies\//, "").replace(/\/.*$/, "")}`);
  for (let round = 0; round < 5; round++) {
    await history.write(1);
    asked = [];
    assert(await history.round() !== undefined);
    const pieces = asked.filter((one) => one === "insert pieces");
    assert(pieces.length > 0);
    assertEquals(asked, [...pieces, "insert manifests", "insert head"]);
  }
  asked = [];
  assertEquals(await history.round(), undefined);
  assertEquals(asked, []);
  await history.store?.close();
});

Deno.test("docs/gcs.md says what a day and a month of copies take, as the plan of pieces has it", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/gcs.md", import.meta.url));
  const rows = [0, 1e3, 1e4, 1e5, 1e6, 1e7].map((rate) => {
    const { writes, pieces, manifests } = day(rate);
    return [
      rate === 0 ? "nothing" : `${bytesText(rate)}/s`,
      writes.toLocaleString("en"),
      bytesText(pieces),
      bytesText(manifests),
      dollarsText(writes * DAYS_A_MONTH / 1e6 * WRITES),
      dollarsText((pieces + manifests) * RETENTION_DAYS / 1e9 * STORAGE),
    ];
  });
  const cells = page.split("\n").filter((line) => /^\| (nothing|\d+ [KM]?B\/s) /.test(line))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assertEquals(cells, rows);
});
