/**
 * The figures of a comparison in rows and columns.
 *
 * @module
 */

import { type Latencies, P999_BOUND, P99_BOUND } from "./aims/latency.ts";
import { type Figures, shapeText } from "./aims/measure.ts";
import type { Work } from "./aims/upkeep.ts";
import {
  type CallKind,
  type ClientRow,
  type Comparison,
  ONE_KEY_CONNECTIONS,
} from "./comparison.ts";

/** A table: the first row names the columns. */
export type Table = readonly (readonly string[])[];

/** A table as text: its first column to the left, the others to the right. */
export function textOf(table: Table): string {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  ).join("\n");
}

/** One figure with its unit, as a line under others. */
export function figureText(name: string, figure: string): string {
  return `${name.padEnd(46)} ${figure}`;
}

/** Seconds by contestant and number of calls. */
export function callTable({ contestants, calls }: Comparison, kind: CallKind): Table {
  const rows = calls.filter((row) => row.kind === kind);
  const counts = [...new Set(rows.map((row) => row.calls))].sort((a, b) => a - b);
  return [
    [
      "",
      ...counts.map((count) =>
        count === 1 ? "1 call, s" : `${count.toLocaleString("en")} calls, s`
      ),
    ],
    ...contestants.map(({ id, label }) => [
      label,
      ...counts.map((count) => {
        const row = rows.find(({ contestant, calls }) => contestant === id && calls === count);
        if (row === undefined) return "";
        const { answered, refused, seconds } = row;
        return seconds.toFixed(3) +
          (answered < count ? ` (${answered.toLocaleString("en")} answered)` : "") +
          (refused > 0 ? ` (${refused.toLocaleString("en")} refused)` : "");
      }),
    ]),
  ];
}

/** A figure by contestant and number of clients. */
export function clientTable(
  { contestants, clients, ceiling }: Comparison,
  show: (row: ClientRow) => string,
): Table {
  const rows = [...clients, ...ceiling];
  const counts = [...new Set(rows.map((row) => row.clients))].sort((a, b) => a - b);
  const labels = [...contestants, { id: "echo", label: "the generator's ceiling" }];
  return [
    [
      "",
      ...counts.map((count) => count === 1 ? "1 client" : `${count.toLocaleString("en")} clients`),
    ],
    ...labels.map(({ id, label }) => [
      label,
      ...counts.map((count) => {
        const row = rows.find(({ contestant, clients }) => contestant === id && clients === count);
        return row === undefined ? "" : show(row) + (row.generatorLimited ? " *" : "") +
          (row.failed > 0 ? ` (${row.failed.toLocaleString("en")} failed)` : "");
      }),
    ]),
  ];
}

/** A request rate as a table shows it. */
export function rateText({ requestsPerSecond }: ClientRow): string {
  return Math.round(requestsPerSecond).toLocaleString("en");
}

/** A 99th percentile as a table shows it. */
export function latencyText({ p99 }: ClientRow): string {
  return p99.toFixed(p99 < 10 ? 3 : 1);
}

/** Where each aim stands. */
export function aimTable({ aims }: Comparison): Table {
  const name = ({ server, protocol }: Figures) =>
    protocol === "text" || protocol === "redis" ? server : `${server}, ${protocol}`;
  const figures = ({ cpuMicroseconds, operationsPerSecond }: Figures) =>
    `${cpuMicroseconds.toFixed(2)} µs, ${Math.round(operationsPerSecond / 1000)} k/s`;
  return [
    [
      ...["aim", "against", "its CPU, rate", "the other's", "CPU ratio", "rate ratio"],
      ...["from … to", "aim", "reached", "a bare loop's", "others"],
    ],
    ...aims.map((aim) => {
      const { subject, baseline, cpuRatio, rateRatio, spread, figure, bound, floorRatio } = aim;
      const sign = figure === "cpu" ? "≤" : "≥";
      return [
        `${shapeText(aim)}: ${name(subject)}`,
        ...[name(baseline), figures(subject), figures(baseline)],
        ...[ratioText(cpuRatio), ratioText(rateRatio)],
        spread.map(ratioText).join(" … "),
        `${figure === "cpu" ? "CPU" : "rate"} ${sign} ${bound}`,
        aim.isReached ? "yes" : "no",
        floorRatio === undefined ? "" : ratioText(floorRatio),
        `${Math.round(aim.othersShare * 100)} %`,
      ];
    }),
  ];
}

/** How long requests took that became due at random moments. */
export function latencyTable({ latencies }: Comparison): Table {
  const figures = ({ p50, p99, p999 }: Latencies) =>
    [p50, p99, p999].map((ms) => ms.toFixed(ms < 10 ? 2 : 1)).join(", ");
  return [
    [
      ...["p50, p99, p99.9 in ms", "a second", "its own", "memcached's", "p99 ratio", "from … to"],
      ...["segments a second", "aim", "reached", "others"],
    ],
    ...latencies.map((row) => [
      `${row.name}: ${row.subject.server}`,
      Math.round(row.rate).toLocaleString("en"),
      ...[figures(row.subject), figures(row.baseline), ratioText(row.p99Ratio)],
      row.spread.map(ratioText).join(" … "),
      row.segmentsASecond.toFixed(1),
      `p99 ≤ ${P99_BOUND}, p99.9 < ${P999_BOUND} ms`,
      row.isReached ? "yes" : "no",
      `${Math.round(row.othersShare * 100)} %`,
    ]),
  ];
}

/** A ratio, where the clock has counted anything for what it is divided by. */
function ratioText(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "–";
}

/** What must not get slower. */
export function upkeepTable({ upkeep }: Comparison): Table {
  const work = ({ seconds, cpu }: Work) => [seconds.toFixed(2), cpu.toFixed(2)];
  const ratio = (now: number, before: number | undefined) =>
    before === undefined ? "" : (now / before).toFixed(2);
  const head = ["upkeep", "s", "CPU s"];
  // Where there is no other checkout it has no columns.
  if (upkeep.every(({ before }) => before === undefined)) {
    return [head, ...upkeep.map(({ name, now }) => [name, ...work(now)])];
  }
  return [
    [...head, "before, s", "CPU s", "ratio", "of CPU"],
    ...upkeep.map(({ name, now, before }) => [
      ...[name, ...work(now), ...(before === undefined ? ["", ""] : work(before))],
      ...[ratio(now.seconds, before?.seconds), ratio(now.cpu, before?.cpu)],
    ]),
  ];
}

/** All figures as comma-separated values, a figure a line (RFC 4180). */
export function csvOf({ calls, clients, ceiling, aims }: Comparison): string {
  const lines = [
    "store,workload,calls,answered,refused,clients,seconds,requests_per_second,p50_ms,p99_ms,failed",
  ];
  for (const row of calls) {
    const { contestant, kind, calls, answered, refused, seconds } = row;
    const clients = kind === "set one key" ? ONE_KEY_CONNECTIONS : 1;
    const figures = [contestant, kind, calls, answered, refused, clients, seconds];
    lines.push([...figures, answered / seconds].join() + ",,,");
  }
  for (const row of [...clients, ...ceiling]) {
    const { contestant, clients, requestsPerSecond, p50, p99, failed } = row;
    lines.push(
      [
        contestant,
        "concurrent clients",
        "",
        "",
        "",
        clients,
        "",
        requestsPerSecond,
        p50,
        p99,
        failed,
      ]
        .join(),
    );
  }
  for (const aim of aims) {
    for (const { server, protocol, operationsPerSecond } of [aim.subject, aim.baseline]) {
      const { operation, connections, pipeline } = aim;
      const workload = `${protocol} ${operation} × ${pipeline}`;
      lines.push(
        [server, workload, "", "", "", connections, "", operationsPerSecond].join() + ",,,",
      );
    }
  }
  return lines.join("\r\n") + "\r\n";
}
