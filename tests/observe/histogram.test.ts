import { assertEquals } from "@std/assert";
import { bounds, Histogram } from "../../lib/observe/histogram.ts";
import { expose } from "../../lib/observe/prometheus.ts";
import { Timing } from "../../lib/observe/timing.ts";
import { Harness, ScriptedSocket } from "../server/harness.ts";
import { readExposition } from "./exposition.ts";

Deno.test("histogram: a time falls into the first bucket whose bound it does not exceed", () => {
  const histogram = new Histogram();
  histogram.add(0.001);
  histogram.add(0.0011, 2);
  histogram.add(99);
  assertEquals(histogram.counts[bounds.indexOf(0.001)], 1);
  assertEquals(histogram.counts[bounds.indexOf(0.0025)], 2);
  assertEquals(histogram.counts.at(-1), 1);
  assertEquals(histogram.count, 4);
});

Deno.test("histogram: Prometheus sees buckets that add up, and their sum", async () => {
  await using harness = new Harness();
  const { sourceOf } = await import("../../lib/commands/stats.ts");
  const histogram = new Histogram();
  histogram.add(0.5, 2);
  histogram.add(20);
  const family = {
    name: "t_seconds",
    help: "T.",
    series: [{ labels: { command: "get" }, histogram }],
  };
  const { values } = readExposition(expose([], sourceOf(harness.context), [family]));
  assertEquals(values.get('t_seconds_bucket{command="get",le="0.25"}'), 0);
  assertEquals(values.get('t_seconds_bucket{command="get",le="0.5"}'), 2);
  assertEquals(values.get('t_seconds_bucket{command="get",le="10"}'), 2);
  assertEquals(values.get('t_seconds_bucket{command="get",le="+Inf"}'), 3);
  assertEquals(values.get('t_seconds_count{command="get"}'), 3);
  assertEquals(values.get('t_seconds_sum{command="get"}'), 21);
});

Deno.test("histogram: quantiles lie between the bounds of their bucket", () => {
  const histogram = new Histogram();
  assertEquals(histogram.quantile(0.99), 0);
  for (let i = 0; i < 100; i++) histogram.add(0.04);
  assertEquals(histogram.quantile(0.5) > 0.025 && histogram.quantile(0.5) <= 0.05, true);
});

Deno.test("timing: each request of a batch that is timed counts under its command", async () => {
  const timing = new Timing();
  await using harness = new Harness({ context: { timing } });
  await harness.exchange(["set a 0 0 1\r\nx\r\nget a b\r\n"]);
  assertEquals([...timing.requests].map(([op, histogram]) => [op, histogram.count]), [
    ["store", 1],
    ["get", 2],
  ]);
});

Deno.test("timing: a request whose client does not take the reply counts, too", async () => {
  const timing = new Timing(0);
  await using harness = new Harness({ context: { timing } });
  class Leaving extends ScriptedSocket {
    override write(): Promise<number> {
      return Promise.reject(new Deno.errors.BrokenPipe("the client is gone"));
    }
  }
  await harness.serve(new Leaving(["get a\r\n"]));
  assertEquals(timing.requests.get("get")?.count, 1);
  assertEquals(timing.slow.list().map(({ key }) => key), ["a"]);
});

Deno.test("timing: a batch that is timed stands for those that are not", () => {
  let now = 0;
  const timing = new Timing(Infinity, () => now);
  const get = { op: "get", bytes: new Uint8Array(1), keyStart: 0, keyEnd: 1 };
  const seconds = 20;
  let timed = 0;
  for (let i = 0; i < seconds * 100_000; i++) {
    now += 0.01;
    const batch = timing.begin();
    if (batch === undefined) continue;
    if (i >= 100_000) timed++;
    batch.note(get);
    now += 0.0001;
    timing.end(batch, 1);
  }
  const { count } = timing.requests.get("get")!;
  assertEquals(Math.abs(count - seconds * 100_000) < 2000, true);
  assertEquals(timed < seconds * 250, true);
  assertEquals(timing.hot.top(1)[0]?.count, count);
});

Deno.test("timing: of a burst after a rest few batches are timed, and they stand for all", () => {
  let now = 0;
  const timing = new Timing(Infinity, () => now);
  const get = { op: "get", bytes: new Uint8Array(1), keyStart: 0, keyEnd: 1 };
  let timed = 0;
  for (let burst = 0; burst < 20; burst++) {
    now += 10_000;
    for (let i = 0; i < 20_000; i++) {
      now += 0.01;
      const batch = timing.begin();
      if (batch === undefined) continue;
      timed++;
      batch.note(get);
      timing.end(batch, 1);
    }
  }
  // Each is 200 ms long.
  assertEquals(timed < 20 * 250, true, `${timed}`);
  const { count } = timing.requests.get("get")!;
  assertEquals(Math.abs(count / 400_000 - 1) < 0.02, true, `${count}`);
});
