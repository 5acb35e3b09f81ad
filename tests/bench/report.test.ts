import { assert, assertEquals } from "@std/assert";
import { chartsOf, standalone } from "../../bench/charts.ts";
import type { Comparison } from "../../bench/comparison.ts";
import { withoutPasswords } from "../../bench/contestants.ts";
import { pageOf } from "../../bench/page.ts";
import { csvOf } from "../../bench/tables.ts";
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
  othersShare: 0.4,
};

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

const charts = chartsOf(comparison);

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
    ]
  ) assert(page.includes(part), part);
});

Deno.test("the comma-separated values have a line a figure, all with as many fields", () => {
  const lines = csvOf(comparison).trimEnd().split("\r\n");
  assertEquals(lines.length, 1 + comparison.calls.length + 3 + 1);
  assertEquals(new Set(lines.map((line) => line.split(",").length)), new Set([11]));
});

Deno.test("a report keeps passwords to itself", () => {
  assertEquals(
    withoutPasswords("--redis-url redis://:p@ss@a:1,rediss://u:pw@b/2 --out x"),
    "--redis-url redis://:…@a:1,rediss://u:…@b/2 --out x",
  );
  assertEquals(withoutPasswords("redis://127.0.0.1:6379"), "redis://127.0.0.1:6379");
});
