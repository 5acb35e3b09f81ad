/**
 * What a figure is. Every figure of the server stands once, as a row of a table in this folder; `stats`,
 * `/metrics`, the live page and `docs/metrics.md` are made from the rows.
 *
 * @module
 */

import type { CopyFigures } from "./copies.ts";
import type { Counters } from "../counters.ts";
import type { Histogram } from "../histogram.ts";
import type { Watchers } from "../watch.ts";

/** A figure's name and value, as `stats` shows it. */
export type Named = readonly [name: string, value: string | number];

/** How many connections came by one listener and speak one protocol. */
export interface ConnectionCount {
  /** `tcp:127.0.0.1:11211`, `unix:/run/kvs.sock`. */
  readonly listener: string;
  /** `text`, which meta commands are part of, `binary`, or `none` as long as nothing has come. */
  readonly protocol: string;
  readonly count: number;
}

/** What `--http` counts. */
export interface HttpCounts {
  /** Connections that are open, and how many may be. */
  readonly open: number;
  readonly most: number;
  /** Live pages that are open, and how many may be. */
  readonly pages: number;
  readonly mostPages: number;
  /** Connections closed as stalled and those refused as too many; pages refused as too many. */
  readonly stalled: number;
  readonly refused: number;
  readonly refusedPages: number;
  /** Requests without a user's password. */
  readonly denied: number;
}

/** What figures are read from: one state of a running server. */
export interface Source {
  readonly counters: Counters;
  readonly watchers: Watchers;
  /** What the store tells of itself; counts are since the last `stats reset`. */
  readonly store: {
    readonly items: number;
    readonly bytes: number;
    readonly limit: number;
    readonly evictions: number;
    readonly reclaimed: number;
    readonly flushedReads: number;
    readonly index?: { readonly places: number; readonly bytes: number };
    /** The figures of this kind of store, by its own names. */
    readonly own: readonly Named[];
  };
  /** `disk`, `gcs`, `redis` or `memory`. */
  readonly storeName: string;
  readonly version: string;
  /** Both in milliseconds since 1970. */
  readonly now: number;
  readonly started: number;
  /** Time of the processor, in seconds. */
  readonly cpu: { readonly user: number; readonly system: number };
  readonly accepting: {
    readonly now: boolean;
    readonly disabled: { readonly count: number; readonly time: number };
  };
  /** Threads that serve. */
  readonly threads: number;
  readonly connections: number;
  /** Open connections by the listener that they came by and the protocol that they speak. */
  readonly connectionsBy: readonly ConnectionCount[];
  /** The lines of `stats limits`. */
  readonly limits: readonly Named[];
  readonly maxConnections: number;
  /** Whether idle connections are closed. */
  readonly closesIdle: boolean;
  /** Of the listeners' TLS, where there is any: the certificate's end, in ms since 1970, and age in s. */
  readonly tls?: { readonly expires: number; readonly age: number } | undefined;
  /** Of the copies of the store, where there are any. */
  readonly copies?: CopyFigures | undefined;
  readonly isCrawling: boolean;
  /** The lines of `stats settings`. */
  readonly settings: readonly Named[];
  /** Bytes of memory of the process, and of its JavaScript heap. */
  readonly memory: { readonly resident: number; readonly heap: number };
  /** What is known where `--http` watches the process. */
  readonly watch?: Watch | undefined;
}

/** What is known where `--http` or OpenTelemetry watches the process. */
export interface Watch {
  /** The longest time of the last seconds by which the event loop of each thread was late, in seconds. */
  readonly loopLag: readonly number[];
  readonly http: HttpCounts | undefined;
}

/** How the figures of several threads become one. */
export type Across = "sum" | "max" | "same";

/** The unit of a figure; a count has none. */
export type Unit = "bytes" | "seconds" | "microseconds" | "";

/** What Prometheus sees of one or more rows, under one name. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
}

/** One series of a family. */
export interface Series {
  readonly family: Family;
  readonly labels?: Readonly<Record<string, string>>;
  /** What Prometheus is told, in base units, where that is not the figure as it is. */
  readonly of?: (value: number, source: Source) => number;
}

/** A part of a figure, by labels. */
export type Part = readonly [labels: Readonly<Record<string, string>>, value: number];

/** A figure. */
export interface Row {
  /** Its name in `stats`, `stats items` or `stats settings`; without one it is in none of them. */
  readonly stat?: string;
  /** The figure now; `undefined` where this server does not have it. */
  readonly read: (source: Source) => number | string | undefined;
  /** How `stats` writes it, where not as it is. */
  readonly shown?: (value: number) => string;
  /** What Prometheus sees of it, if anything. */
  readonly series?: Series;
  /** Its parts, where there are any number of them: more labels, and the part's value. */
  readonly parts?: (source: Source) => readonly Part[];
  readonly unit: Unit;
  readonly across: Across;
  readonly meaning: string;
  /** memcached leaves the figure out where this setting is `no`. */
  readonly unless?: string;
}

/** A histogram that Prometheus sees, with its labels. */
export interface HistogramFamily {
  readonly name: string;
  readonly help: string;
  /** One histogram a set of labels. */
  readonly series: ReadonlyArray<{
    readonly labels: Readonly<Record<string, string>>;
    readonly histogram: Histogram;
  }>;
}

/** The lines of `stats` that rows make, in their order. */
export function statsOf(rows: readonly Row[], source: Source): Named[] {
  const off = new Set<string>();
  for (const [name, value] of source.settings) if (value === "no") off.add(name);
  const lines: Named[] = [];
  for (const { stat, read, shown, unless, parts } of rows) {
    if (stat === undefined || unless !== undefined && off.has(unless)) continue;
    if (parts !== undefined) {
      for (const [labels, value] of parts(source)) lines.push([partName(stat, labels), value]);
      continue;
    }
    const value = read(source);
    if (value === undefined) continue;
    lines.push([stat, shown === undefined ? value : shown(value as number)]);
  }
  return lines;
}

/** The name of a part in `stats`: `connections:tcp:127.0.0.1:11211:text`. */
export function partName(stat: string, labels: Part[0]): string {
  return [stat, ...Object.values(labels)].join(":").replaceAll(/[\s\0]/g, "_");
}

/** What Prometheus sees of a row now: the labels and the value, in base units, of each of its series. */
export function seriesOf({ read, series, parts }: Row, source: Source): Part[] {
  if (series === undefined) return [];
  const { labels = {}, of } = series;
  if (parts !== undefined) {
    return parts(source).map(([more, value]) => [{ ...labels, ...more }, value]);
  }
  const found = read(source);
  if (found === undefined) return [];
  const value = of === undefined ? Number(found) : of(Number(found), source);
  return Number.isNaN(value) ? [] : [[labels, value]];
}
