import { assertEquals } from "@std/assert";
import { sourceOf } from "../../lib/commands/stats.ts";
import { oddities } from "../../lib/observe/figures/families.ts";
import { general } from "../../lib/observe/figures/general.ts";
import { items } from "../../lib/observe/figures/items.ts";
import { identity } from "../../lib/observe/figures/process.ts";
import type { Row } from "../../lib/observe/figures/row.ts";
import { table } from "../../lib/observe/figures/table.ts";
import { expose } from "../../lib/observe/prometheus.ts";
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
  ...identity({ memcached: "1.6.45", version: "0.2.0", store: "memory", deno: "2", options: [] }),
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
