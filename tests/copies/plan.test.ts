import { assert, assertEquals } from "@std/assert";
import { nextPiece, tierOf } from "../../lib/copies/plan.ts";
import { Random } from "../storage/disk/faulty_files.ts";

const SEGMENT = 64 << 20;

/** Lets a segment grow by these steps, and sends each; the pieces, and all bytes that were sent. */
function grow(steps: Iterable<number>): { pieces: number[]; sent: number; most: number } {
  const pieces: number[] = [];
  let [to, sent, most] = [0, 0, 0];
  for (const step of steps) {
    to += step;
    const { kept, from } = nextPiece(pieces, to, false);
    pieces.length = kept;
    assertEquals(pieces.reduce((sum, length) => sum + length, 0), from);
    pieces.push(to - from);
    sent += to - from;
    most = Math.max(most, pieces.length);
  }
  return { pieces, sent, most };
}

function* steps(next: () => number): Generator<number> {
  for (let left = SEGMENT; left > 0;) {
    const step = Math.min(left, next());
    left -= step;
    yield step;
  }
}

Deno.test("parts: tiers go up by factors of 8 from 32 KiB on", () => {
  const kib = (n: number) => n * 1024;
  const lengths = [1, kib(32) - 1, kib(32), kib(256) - 1, kib(256), kib(2048), kib(16384)];
  assertEquals(lengths.map(tierOf), [0, 0, 1, 1, 2, 3, 4]);
});

Deno.test("parts: a tail that grows slowly has some 35 of them and not thousands, each byte sent some six times", () => {
  for (const bytes of [1024, 10_000, 100_000, 1_000_000, 10_000_000]) {
    const { sent, most } = grow(steps(() => bytes));
    assert(most <= 36, `${most} parts of ${bytes} bytes`);
    assert(sent <= 7 * SEGMENT, `${sent / SEGMENT} times by steps of ${bytes} bytes`);
  }
});

Deno.test("parts: neither do steps of any sizes make more of them, or tiers that rise", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const { pieces, sent, most } = grow(steps(() => 64 << random.below(20)));
    assert(most <= 36, `seed ${seed}: ${most} parts`);
    assert(sent <= 9 * SEGMENT, `seed ${seed}: ${sent / SEGMENT} times`);
    const tiers = pieces.map(tierOf);
    assertEquals(tiers, tiers.toSorted((a, b) => b - a), `seed ${seed}`);
  }
});

Deno.test("parts: a sealed segment with more than 8 of them becomes one piece", () => {
  const small = Array.from({ length: 7 }, () => 100);
  assertEquals(nextPiece([SEGMENT / 2, ...small], SEGMENT, true), { kept: 0, from: 0 });
  assertEquals(nextPiece([1 << 20, 1 << 20], 3 << 20, true), { kept: 2, from: 2 << 20 });
  // One that is there whole is sent again only if it has too many.
  assertEquals(nextPiece([1 << 20, 1 << 20], 2 << 20, true), { kept: 2, from: 2 << 20 });
  assertEquals(nextPiece(small, 700, false), { kept: 7, from: 700 });
  const many = Array.from({ length: 9 }, () => 1 << 20);
  assertEquals(nextPiece(many, 9 << 20, true), { kept: 0, from: 0 });
});
