/**
 * The table of figures as a page for people: the tables of `docs/metrics.md`.
 *
 * @module
 */

import { budgetRows } from "./budgets.ts";
import { copyRows } from "./copies.ts";
import { oddities } from "./families.ts";
import { general } from "./general.ts";
import { items } from "./items.ts";
import { limitRows } from "./limits.ts";
import { identity, process } from "./process.ts";
import type { Row } from "./row.ts";
import { ownRows, storeRows } from "./store.ts";
import { traffic } from "./traffic.ts";

/** A table of Markdown for each part of the figures, by its heading. */
export function figureTables(): ReadonlyMap<string, string> {
  const who = identity({ memcached: "…", version: "…", store: "…", deno: "…", options: [] });
  const stats = process.filter(({ stat }) => stat !== undefined);
  const others = process.filter(({ stat }) => stat === undefined);
  return new Map([
    ["Figures of `stats`", tableOf(general, ({ stat }) => stat)],
    ["Figures of `stats`, with `--copy-to`", tableOf(copyRows, ({ stat }) => stat)],
    ["Figures of `stats traffic`", tableOf(traffic, ({ stat }) => stat)],
    [
      "Figures of `stats limits`",
      tableOf(limitRows, (row) => (row as typeof limitRows[number]).limit),
    ],
    ["Figures of `stats items`", tableOf(items, ({ stat }) => `items:1:${stat}`)],
    ["Figures of `stats process`", tableOf([...stats, ...budgetRows], ({ stat }) => stat)],
    ["Figures of settings", tableOf([...who, ...others], () => undefined)],
    ["Figures of the store", tableOf(storeRows, () => undefined)],
    [
      "Figures of one kind of store",
      tableOf(ownRows, (row) => `stats ${(row as typeof ownRows[number]).own}`),
    ],
    ["Names that break Prometheus's rules", oddities.map((name) => `- \`${name}\`\n`).join("")],
  ]);
}

function tableOf(rows: readonly Row[], nameOf: (row: Row) => string | undefined): string {
  const named = rows.map((row) => [nameOf(row), row] as const);
  const lines = named
    .filter(([, { stat, meaning }]) => stat === undefined || meaning !== "always 0")
    .map(([name, { series, unit, across, meaning }]) => {
      const labels = Object.entries(series?.labels ?? {}).map(([l, v]) => `${l}="${v}"`).join(",");
      const metric = series === undefined
        ? ""
        : `\`${series.family.name}${labels === "" ? "" : `{${labels}}`}\``;
      const type = series?.family.type ?? "";
      const shown = name === undefined ? "" : `\`${name}\``;
      return `| ${shown} | ${metric} | ${type} | ${unit} | ${across} | ${meaning} |\n`;
    });
  const zeros = named.filter(([, { stat, meaning }]) =>
    stat !== undefined && meaning === "always 0"
  )
    .map(([name]) => `\`${name}\``);
  return "| figure | Prometheus | type | unit | threads | meaning |\n" +
    "| --- | --- | --- | --- | --- | --- |\n" + lines.join("") +
    (zeros.length === 0 ? "" : `\nAlways 0, as kvs has nothing to count: ${zeros.join(", ")}.\n`);
}
