import { assert, assertEquals } from "@std/assert";
import { Histogram } from "../../lib/load/histogram.ts";

Deno.test("percentiles are right within a percent, from a microsecond to minutes", () => {
  for (const scale of [0.001, 0.1, 10, 200]) {
    const histogram = new Histogram();
    for (let i = 1; i <= 1000; i++) histogram.record(i * scale);
    for (const percent of [50, 90, 99, 99.9]) {
      const exact = percent * 10 * scale;
      assert(Math.abs(histogram.percentile(percent) - exact) <= exact / 100 + 0.0001);
    }
    assertEquals(histogram.percentile(100), 1000 * scale);
    assertEquals(histogram.count, 1000);
  }
});

Deno.test("two histograms add up to that of both", () => {
  const [a, b, both] = [new Histogram(), new Histogram(), new Histogram()];
  for (let i = 0; i < 100; i++) {
    (i % 3 === 0 ? a : b).record(i);
    both.record(i);
  }
  a.add(b);
  assertEquals(a.counts, both.counts);
  assertEquals(a.max, 99);
});

Deno.test("an empty histogram has no latencies", () => {
  assertEquals(new Histogram().percentile(99), 0);
});
