/**
 * A comparison as one HTML page that needs nothing else.
 *
 * @module
 */

import type { Chart } from "./charts.ts";
import type { CallKind, Comparison } from "./comparison.ts";
import { NOISE } from "./measure.ts";
import {
  aimTable,
  callTable,
  clientTable,
  latencyTable,
  latencyText,
  rateText,
  type Table,
  upkeepTable,
} from "./tables.ts";

const STYLE = `
:root { color-scheme: light dark; --text: #1f2328; --back: #fff; --line: #d0d7de; --faint: #59636e }
@media screen and (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --back: #0d1117; --line: #30363d; --faint: #9198a1 }
}
body { color: var(--text); background: var(--back); max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin-bottom: .3rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
.faint, figcaption { color: var(--faint) }
figure { margin: 2.5rem 0 1rem; break-inside: avoid } figure svg { width: 100%; height: auto }
.narrow { display: none }
@media (max-width: 640px) { .narrow { display: block } .wide-chart { display: none } }
table { border-collapse: collapse; font-size: .875rem; margin: .8rem 0 }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left }
.figures td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.figures thead th:not(:first-child) { text-align: right }
.figures tbody th { min-width: 7rem } .broad .figures tbody th { min-width: 11rem }
.broad { width: min(80rem, 100vw - 2rem); margin-left: calc(50% - min(40rem, 50vw - 1rem)) }
.wide td:last-child:not(.figures td) { font: .8rem ui-monospace, monospace }
.wide { overflow-x: auto } .warning { border-left: 4px solid #c98500; padding-left: .8rem } code { font-size: .85em; overflow-wrap: anywhere }
summary { cursor: pointer; color: var(--faint) }
@media print {
  .broad { width: auto; margin-left: 0 }
  body { max-width: none; margin: 0; padding: 0; font-size: 10.5pt } .faint, figcaption { color: #444 }
  figure { margin: .6rem 0 } figure svg { max-height: 6.6cm } table, figcaption { font-size: 8.5pt } th, td { padding: .1rem .7rem } summary { display: none }
  h1, h2 { break-after: avoid } tr { break-inside: avoid }
}
`;

const NOTES: Record<string, string> = {
  "set":
    "The workload that the project began with: one connection, one call at a time. Most of it is the way to the " +
    "server and back; a store shows where it waits for a disk or a network.",
  "get": "The same keys, read back.",
  "set-one-key":
    "All calls together, each connection one at a time. Cloud Storage takes about one write a second to one object: kvs gathers the sets of a key that wait, " +
    "acknowledges each when a value as new as its own lies there, and refuses none.",
  "throughput":
    "Each client has its own connection and sends the next request when it has the answer to the last.",
  "latency":
    "From the request to its answer as the client sees it, the generator's own part included.",
};

const KINDS: Record<string, CallKind> = {
  "set": "set",
  "get": "get",
  "set-one-key": "set one key",
};

/** The page. */
export function pageOf(comparison: Comparison, charts: readonly Chart[]): string {
  const { machine, valueSize, command, contestants, leftOut } = comparison;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>kvs: the stores compared, ${machine.date.slice(0, 10)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>kvs: the stores compared</h1>
<p class="faint">${escape(machine.date)} · ${escape(machine.processor)}, ${machine.memory} GiB,
${escape(machine.system)} · ${escape(versions.join(", "))} · values of ${valueSize} bytes</p>
${disturbance(comparison)}${figures(comparison, charts)}${aims(comparison)}
<h2>What was measured</h2>
<div class="wide">${
    tableOf([
      ["", "what stands behind it", "started as"],
      ...contestants.map(({ label, note, command }) => [label, note, command]),
    ])
  }</div>
${
    leftOut.map(({ label, reason }) => `<p>Left out: ${escape(label)}, for ${escape(reason)}.</p>`)
      .join("\n")
  }
<p>Client and server ran on this machine and shared its cores. Made by <code>${
    escape(command)
  }</code>.</p>
<h2>How far the figures can be trusted</h2>
${limitTexts(comparison).map((text) => `<p>${escape(text)}</p>`).join("\n")}
<p>${escape(ceilingText(comparison))}</p>
<p>${escape(othersText(comparison))}</p>
</body>
</html>
`;
}

function figures(comparison: Comparison, charts: readonly Chart[]): string {
  return charts.map(({ name, title, svg, narrow }) => {
    const kind = KINDS[name];
    const table = kind !== undefined
      ? callTable(comparison, kind)
      : clientTable(comparison, name === "throughput" ? rateText : latencyText);
    return `<figure role="group" aria-label="${escape(title)}">
<div class="wide-chart">${svg}</div><div class="narrow">${narrow}</div>
<figcaption>${escape(NOTES[name]!)}</figcaption>
<details open><summary>The figures</summary><div class="wide">${
      tableOf(table, "figures")
    }</div></details>
</figure>`;
  }).join("\n");
}

/** The aims and the upkeep, where they were measured. */
function aims(comparison: Comparison): string {
  const section = (title: string, note: string, table: Table) =>
    `<h2>${title}</h2>
<p class="faint">${note}</p>
<div class="wide${table[0]!.length > 8 ? " broad" : ""}">${tableOf(table, "figures")}</div>
`;
  return [
    comparison.aims.length === 0 ? "" : section(
      "Aims",
      "Each server in turn with the other, round after round; ratios of neighbours in time, and the " +
        "median of these. On a busy machine CPU time holds where operations a second do not.",
      aimTable(comparison),
    ),
    comparison.latencies.length === 0 ? "" : section(
      "Latencies",
      "Requests become due at random moments, at half of the highest rate, while compaction follows " +
        "sets; in turn with memcached.",
      latencyTable(comparison),
    ),
    comparison.upkeep.length === 0
      ? ""
      : section("Upkeep", "What must not get slower.", upkeepTable(comparison)),
  ].join("");
}

/** What the time limit has cut short, where it has. */
export function limitTexts({ calls, limit }: Comparison): string[] {
  const cut = calls.filter((row) => row.answered < row.calls).length;
  if (cut === 0) return [];
  return [
    `No number of calls was given more than ${limit} s (--limit). Where fewer were answered than asked for ` +
    `(${cut} of ${calls.length}), the table says how many, and the chart shows no bar.`,
  ];
}

/** What the load generator can do by itself, and where that was the limit. */
export function ceilingText({ ceiling, clients }: Comparison): string {
  if (ceiling.length === 0) return "No concurrent clients were measured.";
  const most = ceiling.map((row) => `${rateText(row)} a second with ${row.clients}`).join(", ");
  const limited = clients.filter((row) => row.generatorLimited).length;
  return "Against a server that only counts bytes and answers with the same ones, the load generator gets " +
    `${most} clients: its own ceiling. A figure near it says what the generator can do, not the server. ` +
    (limited === 0
      ? "In no measurement was the generator the limit."
      : `In the measurements with a * (${limited}) the generator was the limit: the server can do more.`);
}

/** What makes the figures worse than they are elsewhere, for the top of the page. */
function disturbance(comparison: Comparison): string {
  const limited = comparison.clients.filter((row) => row.generatorLimited).length;
  const texts = [
    ...(comparison.othersShare >= NOISE ? [othersText(comparison)] : []),
    ...(limited > 0
      ? [
        `In ${limited} of ${comparison.clients.length} measurements of concurrent clients the load ` +
        "generator was the limit, not the server: they have a *.",
      ]
      : []),
    ...limitTexts(comparison),
  ];
  return texts.map((text) => `<p class="warning">${escape(text)}</p>\n`).join("");
}

/** What else the machine did meanwhile. */
export function othersText({ othersShare }: Comparison): string {
  const share = `${Math.round(othersShare * 100)} %`;
  return `Other processes took ${share} of the machine meanwhile` +
    (othersShare < NOISE ? "." : ": the figures are worse than it can do, and vary.");
}

function tableOf([head, ...rows]: Table, name?: string): string {
  const cells = (row: readonly string[], tag: string) =>
    row.map((cell, index) =>
      index === 0 ? `<th scope="row">${escape(cell)}</th>` : `<${tag}>${escape(cell)}</${tag}>`
    ).join("");
  return `<table${name === undefined ? "" : ` class="${name}"`}><thead><tr>${
    cells(head!, "th")
  }</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("\n")}</tbody></table>`;
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replace(/[&<>"]/g, (character) => entities[character]!);
}
