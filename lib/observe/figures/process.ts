/**
 * Figures of the process, and settings that memcached_exporter shows.
 *
 * @module
 */

import { exporter } from "./families.ts";
import type { Family, Part, Row, Source } from "./row.ts";

/** A setting that memcached_exporter shows where `lru_crawler` is on. */
function setting(name: string, family: Family): Row {
  return {
    read: ({ settings }) => {
      const found = settingOf(settings, name);
      return found === undefined || settingOf(settings, "lru_crawler") !== "yes"
        ? undefined
        : found === "yes"
        ? 1
        : found === "no"
        ? 0
        : Number(found);
    },
    series: { family },
    unit: "",
    across: "same",
    meaning: `${name} of stats settings`,
  };
}

function settingOf(settings: Source["settings"], name: string): string | number | undefined {
  return settings.find(([found]) => found === name)?.[1];
}

/** Whether a full store evicts old items. */
export function evicts({ settings }: Source): boolean {
  return settingOf(settings, "evictions") === "on";
}

function gauge(
  name: string,
  read: Row["read"],
  help: string,
  rest: Partial<Row> & { type?: Family["type"]; labels?: Record<string, string> } = {},
): Row {
  const { type = "gauge", labels, ...row } = rest;
  const family = { name: `kvs_${name}`, type, help };
  const stat = name.replace(/_total$/, "");
  return {
    stat: labels === undefined ? stat : [stat, ...Object.values(labels)].join(":"),
    read,
    series: labels === undefined ? { family } : { family, labels },
    unit: "",
    across: "same",
    meaning: help,
    ...row,
  };
}

/** A figure that is always 1, and says something by its labels. */
function labelled(name: string, help: string, rest: Parameters<typeof gauge>[3]): Row {
  const { stat: _, ...row } = gauge(name, () => 1, help, rest);
  return row;
}

const httpClosed = "Connections to --http closed by the server, by cause.";

/** Which server it is. */
export interface Identity {
  /** The version of memcached whose protocol it speaks. */
  readonly memcached: string;
  readonly version: string;
  readonly store: string;
  readonly deno: string;
  /** The options in force, by the labels `option` and `value`. */
  readonly options: readonly Part[];
}

/** The rows that say which server this is. */
export function identity({ memcached, options, ...labels }: Identity): readonly Row[] {
  return [
    {
      read: () => 1,
      series: { family: exporter.up },
      unit: "",
      across: "same",
      meaning: "always 1",
    },
    {
      read: () => 1,
      series: { family: exporter.version, labels: { version: memcached } },
      unit: "",
      across: "same",
      meaning: "the version, as stats has it",
    },
    labelled("build_info", "1, with the versions of kvs and Deno and the store as labels.", {
      labels,
    }),
    labelled("option_info", "1 for each option in force, but for secrets.", {
      parts: () => options,
    }),
  ];
}

/** The rows. */
export const process: readonly Row[] = [
  {
    read: ({ store }) => store.bytes,
    series: { family: exporter.malloced },
    unit: "bytes",
    across: "same",
    meaning: "total_malloced of stats slabs",
  },
  setting("lru_crawler", exporter.crawlerEnabled),
  setting("lru_crawler_sleep", exporter.crawlerSleep),
  setting("lru_crawler_tocrawl", exporter.crawlerItems),
  setting("lru_maintainer_thread", exporter.maintainer),
  setting("hot_lru_pct", exporter.hotPercent),
  setting("warm_lru_pct", exporter.warmPercent),
  setting("hot_max_factor", exporter.hotFactor),
  setting("warm_max_factor", exporter.warmFactor),
  gauge("resident_memory_bytes", ({ memory }) => memory.resident, "Memory of the process.", {
    unit: "bytes",
  }),
  gauge("heap_bytes", ({ memory }) => memory.heap, "Memory of the JavaScript heap in use.", {
    unit: "bytes",
  }),
  gauge(
    "store_evicts",
    (source) => evicts(source) ? 1 : 0,
    "1 where a full store evicts old items, 0 where it refuses new ones.",
  ),
  gauge(
    "open_to_network",
    ({ settings }) => settingOf(settings, "open_to") === undefined ? 0 : 1,
    "1 where a network reaches a listener at which nobody has to log in.",
  ),
  gauge(
    "tls_certificate_end_seconds",
    ({ tls }) => tls && Math.floor(tls.expires / 1000),
    "When the certificate of the listeners ends, since 1970.",
    { unit: "seconds" },
  ),
  gauge(
    "event_loop_lag_seconds",
    ({ watch }) => watch && Math.max(...watch.loopLag),
    "By how much the event loop was late at most, in the last 10 seconds.",
    {
      parts: ({ watch }) =>
        watch?.loopLag.map((seconds, thread) => [{ thread: String(thread) }, seconds]) ?? [],
      unit: "seconds",
      across: "max",
    },
  ),
  gauge("http_connections", ({ watch }) => watch?.http?.open, "Connections to --http."),
  gauge(
    "http_connections_limit",
    ({ watch }) => watch?.http?.most,
    "Most connections to --http.",
  ),
  gauge("http_pages", ({ watch }) => watch?.http?.pages, "Live pages that are open."),
  gauge("http_pages_limit", ({ watch }) => watch?.http?.mostPages, "Most live pages."),
  gauge(
    "http_pages_refused_total",
    ({ watch }) => watch?.http?.refusedPages,
    "Live pages refused as too many were open.",
    { type: "counter" },
  ),
  gauge(
    "http_denied_total",
    ({ watch }) => watch?.http?.denied,
    "Requests to --http without a user's password.",
    { type: "counter" },
  ),
  gauge("http_closed_total", ({ watch }) => watch?.http?.stalled, httpClosed, {
    type: "counter",
    labels: { cause: "stalled" },
  }),
  gauge("http_closed_total", ({ watch }) => watch?.http?.refused, httpClosed, {
    type: "counter",
    labels: { cause: "too_many" },
  }),
];
