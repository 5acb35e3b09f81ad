import { assert, assertEquals } from "@std/assert";
import { sourceOf } from "../../lib/commands/stats.ts";
import { oddities } from "../../lib/observe/figures/families.ts";
import { general } from "../../lib/observe/figures/general.ts";
import { items } from "../../lib/observe/figures/items.ts";
import { identity } from "../../lib/observe/figures/process.ts";
import type { Row } from "../../lib/observe/figures/row.ts";
import { ownRows, ownWords } from "../../lib/observe/figures/store.ts";
import { ResultCounts } from "../../lib/storage/exchanges.ts";
import { table } from "../../lib/observe/figures/table.ts";
import { expose } from "../../lib/observe/prometheus.ts";
import { openDiskStore } from "../../lib/storage/disk/mod.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { Harness } from "../server/harness.ts";
import { settingsOf } from "../../lib/server/settings.ts";
import { liveSettings } from "../../lib/server/settings.ts";
import { configure } from "../../lib/server/configuration.ts";
import { parseOptions } from "../../lib/cli/parse.ts";
import { serverOptions } from "../../lib/server/options.ts";
import { PrefixCounts } from "../../lib/observe/prefixes.ts";
import { exporterNames } from "./exporter_names.ts";
import { readExposition } from "./exposition.ts";

const rows: readonly Row[] = [
  ...identity({ memcached: "1.6.45", version: "0.2.0", store: "memory", deno: "2" }),
  ...table,
];

/** A harness whose settings are those of a server without options, and that has done something. */
async function used(): Promise<Harness> {
  const configuration = configure(parseOptions(serverOptions, ["--store", "memory"]).options);
  const settings = settingsOf(
    configuration,
    liveSettings(configuration),
    new PrefixCounts(":", false),
  );
  const harness = new Harness({ context: { settings } });
  await harness.exchange([
    "set a 0 0 1\r\nx\r\nset b 0 0 1\r\nx\r\ncas a 0 0 1 1\r\nx\r\nget a b c\r\ndelete b\r\n" +
    "touch a 0\r\nincr none 1\r\nflush_all 1000\r\n",
  ]);
  return harness;
}

Deno.test("figures: Prometheus sees memcached_exporter's names with its types", async () => {
  await using harness = await used();
  const { types } = readExposition(expose(rows, sourceOf(harness.context)));
  const found = [...types].filter(([name]) => name.startsWith("memcached_"));
  assertEquals(
    Object.fromEntries(found.sort()),
    Object.fromEntries(Object.entries(exporterNames).sort()),
  );
});

Deno.test("figures: the names that break Prometheus's rules are memcached_exporter's alone", () => {
  assertEquals(oddities.filter((name) => exporterNames[name] !== "counter"), []);
});

Deno.test("figures: stats and Prometheus agree about every figure of the table", async () => {
  await using harness = await used();
  const source = sourceOf(harness.context);
  const { values } = readExposition(expose(rows, source));
  const replies = await harness.exchange(["stats\r\nstats items\r\n"]);
  // What reading the figures itself changes.
  const moving = new Set(["bytes_read", "bytes_written", "rusage_user", "rusage_system"]);
  let compared = 0;
  for (const { stat, series } of [...general, ...items]) {
    if (stat === undefined || series === undefined || moving.has(stat)) continue;
    const { family, labels = {}, of } = series;
    const inItems = "slab" in labels ? `items:1:${stat}` : stat;
    const line = new RegExp(`^STAT ${inItems} (\\S+)\r$`, "m").exec(replies);
    if (line === null) continue;
    const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join(",");
    const value = values.get(pairs === "" ? family.name : `${family.name}{${pairs}}`);
    const told = Number(line[1]);
    assertEquals([stat, value], [stat, of === undefined ? told : of(told, source)]);
    compared++;
  }
  assert(compared > 60, `only ${compared} figures`);
});

Deno.test("figures: a figure that stats shows stands in the table once", () => {
  for (const part of [general, items]) {
    const names = part.map(({ stat }) => stat);
    assertEquals(names.length, new Set(names).size);
  }
});

Deno.test("figures: of one family there is one type and one meaning", () => {
  const families = new Map<string, string>();
  for (const { series } of rows) {
    if (series === undefined) continue;
    const { name, type, help } = series.family;
    assertEquals([name, families.get(name) ?? `${type} ${help}`], [name, `${type} ${help}`]);
    families.set(name, `${type} ${help}`);
  }
});

Deno.test("figures: each figure of the disk store has a row, or is a word", async () => {
  const directory = await Deno.makeTempDir();
  const store = await openDiskStore({
    clock: new AdjustableClock(),
    log: () => {},
    directory,
    memoryLimit: 2 ** 20,
    fsync: "no",
    maxDisk: 0,
    evict: false,
  });
  try {
    const known = new Set([...ownRows.map(({ own }) => own), ...ownWords]);
    assertEquals(store.info().own.map(([name]) => `disk ${name}`).filter((n) => !known.has(n)), []);
  } finally {
    await store.close();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("figures: the figures of other stores that the source names have rows", async () => {
  const known = new Set([...ownRows.map(({ own }) => own), ...ownWords]);
  for (const store of ["redis", "gcs"]) {
    const text = await Deno.readTextFile(`lib/storage/${store}/mod.ts`);
    const own = text.slice(text.search(/\bown(: \[string, string \| number\]\[\] = |: )\[/));
    const names = [...own.matchAll(/\[\s*"([a-z_]+)",/g)].map(([, name]) => `${store} ${name}`);
    assert(names.length > 10);
    const results = new ResultCounts().figures("results_");
    if (store === "gcs") names.push(...results.map(([name]) => `gcs ${name}`));
    assertEquals(names.filter((name) => !known.has(name)), []);
  }
});
