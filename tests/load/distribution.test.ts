import { assert, assertEquals } from "@std/assert";
import { parseSizes, zipf } from "../../lib/load/distribution.ts";
import { Random } from "../../lib/load/random.ts";

Deno.test("sizes are one, a range, or many small and few great", () => {
  const random = new Random(1);
  for (const [text, min, max] of [["100", 100, 100], ["10-1000", 10, 1000], ["zipf", 1, 10_000]]) {
    const sizes = parseSizes(text as string)!;
    const picked = Array.from({ length: 20_000 }, () => sizes.pick(random));
    assertEquals([sizes.min, sizes.max], [min, max]);
    assert(
      picked.every((size) => Number.isInteger(size) && size >= sizes.min && size <= sizes.max),
    );
  }
});

Deno.test("what is no size is refused", () => {
  for (const text of ["", "x", "-1", "10-", "10-1", "zipf:", "zipf:5", "zipf:0-9", "1 - 2"]) {
    assertEquals(parseSizes(text), undefined, text);
  }
});

Deno.test("zipf asks for the first key about as often as its law has it, and for all sometimes", () => {
  const count = 1000;
  const picker = zipf(count);
  const random = new Random(1);
  const drawn = new Array(count).fill(0);
  const draws = 200_000;
  for (let i = 0; i < draws; i++) drawn[picker.pick(random)]++;
  const weights = drawn.map((_, k) => (k + 1) ** -0.99);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (const k of [0, 1, 9, 99]) {
    const expected = draws * weights[k]! / total;
    assert(Math.abs(drawn[k] - expected) < 6 * Math.sqrt(expected), `place ${k}: ${drawn[k]}`);
  }
  assert(drawn.every((times) => times > 0));
});

Deno.test("the same seed and stream make the same numbers, others make others", () => {
  const first = (seed: number, stream: number) => {
    const random = new Random(seed, stream);
    return Array.from({ length: 4 }, () => random.next()).join();
  };
  assertEquals(first(7, 1), first(7, 1));
  assertEquals(new Set([first(7, 1), first(8, 1), first(7, 2), first(7 + 2 ** 40, 1)]).size, 4);
});
