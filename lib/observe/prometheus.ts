/**
 * Figures as Prometheus reads them: its text format, version 0.0.4.
 *
 * @module
 */

import { bounds } from "./histogram.ts";
import { type HistogramFamily, type Row, seriesOf, type Source } from "./figures/row.ts";

/** The type of what {@linkcode expose} returns. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** A family as it is written: its head, and its series. */
interface Written {
  readonly head: string;
  lines: string;
}

/** The figures of the rows, and the histograms, each family once. */
export function expose(
  rows: readonly Row[],
  source: Source,
  histograms: readonly HistogramFamily[] = [],
): string {
  const families = new Map<string, Written>();
  for (const row of rows) {
    const parts = seriesOf(row, source);
    if (parts.length === 0) continue;
    const { name, type, help } = row.series!.family;
    let family = families.get(name);
    if (family === undefined) {
      families.set(name, family = { head: head(name, type, help), lines: "" });
    }
    for (const [labels, value] of parts) {
      family.lines += `${name}${labelText(labels)} ${value}\n`;
    }
  }
  let text = "";
  for (const { head, lines } of families.values()) text += head + lines;
  for (const histogram of histograms) text += exposeHistogram(histogram);
  return text;
}

function exposeHistogram({ name, help, series }: HistogramFamily): string {
  let text = head(name, "histogram", help);
  for (const { labels, histogram: { counts, sum } } of series) {
    let count = 0;
    bounds.forEach((bound, i) => {
      count += counts[i]!;
      text += `${name}_bucket${labelText({ ...labels, le: String(bound) })} ${count}\n`;
    });
    count += counts[bounds.length]!;
    text += `${name}_bucket${labelText({ ...labels, le: "+Inf" })} ${count}\n`;
    text += `${name}_sum${labelText(labels)} ${sum}\n${name}_count${labelText(labels)} ${count}\n`;
  }
  return text;
}

function head(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n` +
    `# TYPE ${name} ${type}\n`;
}

function labelText(labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
