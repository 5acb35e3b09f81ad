import { assert, assertEquals } from "@std/assert";
import { AIMS, isReached } from "../../bench/aims/list.ts";
import type { AimRow } from "../../bench/aims/measure.ts";
import { chartsOf, standalone } from "../../bench/charts.ts";
import type { Comparison } from "../../bench/comparison.ts";
import { withoutPasswords } from "../../bench/contestants.ts";
import { pageOf } from "../../bench/page.ts";
import { aimTable, csvOf, latencyTable, upkeepTable } from "../../bench/tables.ts";
import { outline } from "./xml.ts";

const comparison: Comparison = {
  machine: {
    processor: "2 × a <fast> & small one",
    memory: 4,
    system: "linux 6",
    versions: { kvs: "1", memcached: "2" },
    date: "2026-01-02T03:04:05Z",
  },
  command: "deno task compare",
  valueSize: 100,
  limit: 300,
  contestants: [
    { id: "memcached", label: "memcached", command: "memcached -p 1", note: "the yardstick" },
    { id: "always", label: "kvs disk, fsync always", command: "deno run server.ts", note: "safe" },
  ],
  leftOut: [{ label: "kvs redis", reason: "redis-server is not installed" }],
  calls: (["set", "get", "set one key"] as const).flatMap((kind) => [
    row("memcached", kind, 100, 0.01),
    row("memcached", kind, 1000, 0.1),
    row("always", kind, 100, 0.4),
    { ...row("always", kind, 1000, 3), answered: 750, refused: 2 },
  ]),
  clients: [clients("memcached", 1, 9000), clients("always", 1, 800), clients("always", 100, 5000)],
  ceiling: [clients("echo", 1, 12_000)],
  aims: [aim("cpu", 1.1, 1.3, 0.8), aim("rate", 1.3, 1.3, 1.4)],
  latencies: [{
    ...{ name: "gets", rate: 5000.4, p99Ratio: 1.6, spread: [1, 2], segmentsASecond: 2.5 },
    subject: { server: "everysec", p50: 0.1, p99: 1.6, p999: 21 },
    baseline: { server: "memcached", p50: 0.1, p99: 1, p999: 5 },
    ...{ isReached: false, othersShare: 0.02 },
  }],
  upkeep: [
    { name: "start, 10 keys", now: { seconds: 2, cpu: 1 }, before: { seconds: 4, cpu: 2 } },
    { name: "dump, 1 key", now: { seconds: 1, cpu: 1 }, before: undefined },
  ],
  othersShare: 0.4,
};

function aim(figure: "cpu" | "rate", bound: number, cpuRatio: number, rateRatio: number): AimRow {
  const figures = { protocol: "text", operationsPerSecond: 1000, cpuMicroseconds: 5 } as const;
  return {
    ...{ operation: "mixed", connections: 1000, pipeline: 1, figure, bound, cpuRatio, rateRatio },
    subject: { server: "memory", ...figures },
    baseline: { server: "floor", ...figures },
    spread: [0.5, 1.5],
    isReached: figure === "rate",
    ...figure === "rate" && { floorRatio: 1.25 },
    othersShare: 0,
  };
}

function row(
  contestant: "memcached" | "always",
  kind: "set" | "get" | "set one key",
  calls: number,
  seconds: number,
) {
  return { contestant, kind, calls, answered: calls, refused: 0, seconds };
}

function clients(contestant: "memcached" | "always" | "echo", clients: number, rate: number) {
  return {
    contestant,
    clients,
    requestsPerSecond: rate,
    p50: 0.1,
    p99: 0.5,
    failed: 0,
    generatorLimited: contestant === "memcached",
  };
}

const charts = await chartsOf(comparison);

Deno.test("there is a chart for each kind of call, for throughput and for latency", () => {
  assertEquals(
    charts.map(({ name }) => name),
    ["set", "get", "set-one-key", "throughput", "latency"],
  );
});

for (const { name, title, svg } of charts) {
  Deno.test(`the chart ${name} is well-formed SVG with its title, axes, units and legend`, () => {
    for (const text of [svg, standalone(svg)]) {
      const { root, texts } = outline(text);
      assertEquals(root, "svg");
      const unit = name === "throughput"
        ? "requests a second"
        : name === "latency"
        ? "milliseconds"
        : "seconds";
      const across = ["throughput", "latency"].includes(name) ? "clients" : "calls";
      for (const word of [title, unit, across, "memcached", "kvs disk, fsync always"]) {
        assert(texts.includes(word), `${word} is missing: ${texts}`);
      }
    }
  });
}

Deno.test("on a page of 400 pixels no text of a chart is smaller than 11, and none is left out", () => {
  for (const { svg, narrow } of charts) {
    const [, width] = /<svg width="(\d+)"/.exec(narrow)!;
    assert(Number(width) <= 400 - 2 * 16);
    const sizes = [...narrow.matchAll(/font-size:(\d+)px/g)].map(([, size]) => Number(size));
    assert(sizes.length > 0 && sizes.every((size) => size >= 11), String(sizes));
    const words = (text: string) => outline(text).texts.join(" ").split(" ");
    assertEquals(words(svg).filter((word) => !words(narrow).includes(word)), []);
  }
});

Deno.test("what disturbed the run stands above the first chart", () => {
  const page = pageOf(comparison, charts);
  const top = page.slice(0, page.indexOf("<figure"));
  for (
    const part of [
      "Other processes took 40 % of the machine meanwhile",
      "In 1 of 3 measurements",
      "No number of calls was given more than 300 s",
    ]
  ) assert(top.includes(part), part);
});

Deno.test("a chart takes its text's colour from the page, and alone from the system's light or dark", () => {
  for (const { svg } of charts) {
    assert(!/<text[^>]*fill="(?!currentColor)/.test(svg));
    assert(standalone(svg).includes("prefers-color-scheme:dark"));
  }
});

Deno.test("the page is whole by itself and shows every row, what was left out and how far to trust it", () => {
  const page = pageOf(comparison, charts);
  assert(!/(src|href)="(?!#)/.test(page.replaceAll(/xmlns[^"]*"[^"]*"/g, "")));
  for (
    const part of [
      "2 × a &lt;fast&gt; &amp; small one",
      "kvs 1, memcached 2",
      "3.000 (750 answered) (2 refused)",
      "more than 300 s (--limit)",
      "9,000 *",
      "12,000 a second with 1",
      "Left out: kvs redis, for redis-server is not installed.",
      "Other processes took 40 % of the machine meanwhile: the figures are worse",
      "<code>deno task compare</code>",
      "mixed, 1,000 connections: memory",
      "CPU ≤ 1.1",
      "rate ≥ 1.3",
      "start, 10 keys",
    ]
  ) assert(page.includes(part), part);
});

Deno.test("an aim shows both ratios, how far they vary, whether it is reached, and a bare loop's ratio", () => {
  const [, cpu, rate] = aimTable(comparison);
  assertEquals(cpu!.slice(4), ["1.30", "0.80", "0.50 … 1.50", "CPU ≤ 1.1", "no", "", "0 %"]);
  assertEquals(rate!.slice(4), ["1.30", "1.40", "0.50 … 1.50", "rate ≥ 1.3", "yes", "1.25", "0 %"]);
});

Deno.test("a latency shows its percentiles, memcached's, and what else went on", () => {
  const [, row] = latencyTable(comparison);
  assertEquals(row!.slice(0, 4), [
    ...["gets: everysec", "5,000", "0.10, 1.60, 21.0", "0.10, 1.00, 5.00"],
  ]);
  assertEquals(row!.slice(4), [
    ...["1.60", "1.00 … 2.00", "2.5", "p99 ≤ 1.5, p99.9 < 20 ms", "no", "2 %"],
  ]);
});

Deno.test("upkeep is divided by that of the other checkout, where there is one", () => {
  const [, start, dump] = upkeepTable(comparison);
  assertEquals(start, ["start, 10 keys", "2.00", "1.00", "4.00", "2.00", "0.50", "0.50"]);
  assertEquals(dump, ["dump, 1 key", "1.00", "1.00", "", "", "", ""]);
  const alone = comparison.upkeep.map((row) => ({ ...row, before: undefined }));
  assertEquals(upkeepTable({ ...comparison, upkeep: alone }), [
    ["upkeep", "s", "CPU s"],
    ["start, 10 keys", "2.00", "1.00"],
    ["dump, 1 key", "1.00", "1.00"],
  ]);
});

Deno.test("an aim on CPU time is a most, one on a rate a least", () => {
  const aim = AIMS.find(({ figure }) => figure === "cpu")!;
  assertEquals([isReached(aim, aim.bound), isReached(aim, aim.bound + 0.01)], [true, false]);
  const other = AIMS.find(({ figure }) => figure === "rate")!;
  assertEquals([isReached(other, other.bound), isReached(other, other.bound - 0.01)], [
    true,
    false,
  ]);
});

Deno.test("the comma-separated values have a line a figure, all with as many fields", () => {
  const lines = csvOf(comparison).trimEnd().split("\r\n");
  assertEquals(lines.length, 1 + comparison.calls.length + 3 + 1 + 2 * 2);
  assertEquals(new Set(lines.map((line) => line.split(",").length)), new Set([11]));
});

Deno.test("a report keeps passwords to itself", () => {
  assertEquals(
    withoutPasswords("--redis-url redis://:p@ss@a:1,rediss://u:pw@b/2 --out x"),
    "--redis-url redis://:…@a:1,rediss://u:…@b/2 --out x",
  );
  assertEquals(withoutPasswords("redis://127.0.0.1:6379"), "redis://127.0.0.1:6379");
});
