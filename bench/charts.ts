/**
 * A comparison as charts, each an SVG text.
 *
 * Colours are Okabe and Ito's, which the colour-blind tell apart, two of them darker so that all have
 * a contrast of about 3 on white and on black. Bars have patterns and lines have marks and dashes besides, for
 * prints without colour. Text and axes have the colour of the text around them, light or dark.
 *
 * @module
 */

import type { CallKind, Comparison } from "./comparison.ts";
import type { ContestantId } from "./contestants.ts";
import type { Drawing } from "./echarts/drawing.ts";

/** A chart and what it is called. */
export interface Chart {
  /** Of its file, without `.svg`. */
  readonly name: string;
  readonly title: string;
  readonly svg: string;
  /** The same for a page of a phone's width, so that its text is not made smaller. */
  readonly narrow: string;
}

/** How large a chart is, in pixels, and how it sets its text. */
interface Format {
  readonly width: number;
  readonly height: number;
  readonly titleSize: number;
  readonly grid: { left: number; right: number; top: number; bottom: number };
  readonly nameGap: number;
}

const WIDE: Format = {
  width: 860,
  height: 460,
  titleSize: 16,
  grid: { left: 96, right: 32, top: 70, bottom: 104 },
  nameGap: 62,
};
const NARROW: Format = {
  width: 360,
  height: 576,
  titleSize: 14,
  grid: { left: 74, right: 12, top: 104, bottom: 226 },
  nameGap: 54,
};

interface Look {
  readonly color: string;
  readonly symbol: string;
  readonly dash: "solid" | "dashed" | "dotted";
}

const LOOKS: Record<ContestantId | "echo", Look> = {
  memcached: { color: "#7f7f7f", symbol: "circle", dash: "dashed" },
  memory: { color: "#c98500", symbol: "rect", dash: "solid" },
  no: { color: "#3a9bd9", symbol: "triangle", dash: "solid" },
  everysec: { color: "#0072b2", symbol: "diamond", dash: "solid" },
  always: {
    color: "#009e73",
    symbol: "path://M0,2L2,0L5,3L8,0L10,2L7,5L10,8L8,10L5,7L2,10L0,8L3,5Z",
    dash: "solid",
  },
  redis: { color: "#d55e00", symbol: "path://M0,0L10,0L5,9Z", dash: "solid" },
  gcs: { color: "#cc79a7", symbol: "path://M0,3H3V0H6V3H9V6H6V9H3V6H0Z", dash: "solid" },
  echo: { color: "#7f7f7f", symbol: "rect", dash: "dotted" },
};

/** All charts of a comparison that there are figures for. */
export async function chartsOf(comparison: Comparison): Promise<Chart[]> {
  const charts: Plan[] = [];
  const kinds: [kind: CallKind, name: string, title: string][] = [
    ["set", "set", "SET on one connection, each after the answer to the one before"],
    ["get", "get", "GET on one connection, each after the answer to the one before"],
    ["set one key", "set-one-key", "SET of one and the same key on 100 connections"],
  ];
  for (const [kind, name, title] of kinds) {
    if (comparison.calls.some((row) => row.kind === kind)) {
      charts.push(chart(name, title, (format) => bars(comparison, kind, title, format)));
    }
  }
  if (comparison.clients.length > 0) {
    const half = "half of the requests gets, half sets";
    const throughput = `Throughput of concurrent clients, ${half}`;
    charts.push(
      chart("throughput", throughput, (format) =>
        lines(
          comparison,
          "requestsPerSecond",
          { title: throughput, unit: "requests a second" },
          format,
        )),
    );
    const latency = `99th percentile latency of concurrent clients, ${half}`;
    charts.push(
      chart(
        "latency",
        latency,
        (format) => lines(comparison, "p99", { title: latency, unit: "milliseconds" }, format),
      ),
    );
  }
  const drawn = await draw(charts.flatMap(({ wide, narrow }) => [wide, narrow]));
  return charts.map(({ name, title }, index) => ({
    name,
    title,
    svg: drawn[2 * index]!,
    narrow: drawn[2 * index + 1]!,
  }));
}

/** A chart that is not yet drawn. */
interface Plan {
  readonly name: string;
  readonly title: string;
  readonly wide: Drawing;
  readonly narrow: Drawing;
}

function chart(name: string, title: string, plan: (format: Format) => Drawing): Plan {
  return { name, title, wide: plan(WIDE), narrow: plan(NARROW) };
}

/**
 * Gets what draws, where it is not there yet: a long measurement is not to end at a download that fails.
 *
 * @throws {Error} where it cannot be had
 */
export async function prepareCharts(): Promise<void> {
  await draw([]);
}

/** The SVG texts of drawings, by a process that has ECharts. */
async function draw(drawings: readonly Drawing[]): Promise<string[]> {
  const script = new URL("echarts/render.ts", import.meta.url).pathname;
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--frozen", "--quiet", "--no-prompt", "--allow-env=NODE_ENV", script],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const [, { success, stdout }] = await Promise.all([
    new Response(JSON.stringify(drawings)).body!.pipeTo(child.stdin),
    child.output(),
  ]);
  if (!success) throw new Error("Cannot draw the charts: see above");
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** An SVG as a file of its own, which has no page around it to take its colours from. */
export function standalone(svg: string): string {
  const style = "<style>:root{color:#1f2328;background:#fff}" +
    "@media screen and (prefers-color-scheme:dark){:root{color:#e6edf3;background:#0d1117}}</style>";
  return svg.replace(/^<svg [^>]*>/, (start) => start + style) + "\n";
}

/** Seconds by number of calls. */
function bars(
  { contestants, calls, machine }: Comparison,
  kind: CallKind,
  title: string,
  format: Format,
): Drawing {
  const rows = calls.filter((row) => row.kind === kind && row.answered === row.calls);
  const counts = [...new Set(rows.map((row) => row.calls))].sort((a, b) => a - b);
  const series = contestants.map(({ id, label }) => ({
    type: "bar",
    name: label,
    // There are six patterns; the yardstick goes without, so that each is there once.
    itemStyle: { color: LOOKS[id].color, ...(id === "memcached" && { decal: { symbol: "none" } }) },
    barGap: "8%",
    barCategoryGap: "18%",
    data: counts.map((count) =>
      rows.find((row) => row.contestant === id && row.calls === count)?.seconds ?? null
    ),
  }));
  return drawing(title, machine, format, {
    xAxis: {
      ...axis("calls", format),
      type: "category",
      data: counts.map((n) => n.toLocaleString("en")),
    },
    yAxis: { ...axis("seconds", format), ...logarithmic(rows.map((row) => row.seconds)) },
    series,
  });
}

/** A figure over the number of clients. */
function lines(
  { contestants, clients, ceiling, machine }: Comparison,
  figure: "requestsPerSecond" | "p99",
  { title, unit }: { title: string; unit: string },
  format: Format,
): Drawing {
  const shown = figure === "requestsPerSecond" ? [...clients, ...ceiling] : clients;
  const counts = [...new Set(shown.map((row) => row.clients))].sort((a, b) => a - b);
  const named = [
    ...contestants,
    ...(figure === "requestsPerSecond" && ceiling.length > 0
      ? [{ id: "echo", label: "the generator's ceiling" } as const]
      : []),
  ];
  const series = named.map(({ id, label }) => ({
    type: "line",
    name: label,
    color: LOOKS[id].color,
    symbol: LOOKS[id].symbol,
    symbolSize: id === "echo" ? [9, 2] : 9,
    lineStyle: { width: 2, type: LOOKS[id].dash },
    data: counts.map((count) =>
      shown.find((row) => row.contestant === id && row.clients === count)?.[figure] ?? null
    ),
  }));
  return drawing(title, machine, format, {
    xAxis: {
      ...axis("clients", format),
      type: "category",
      data: counts.map((n) => n.toLocaleString("en")),
    },
    yAxis: { ...axis(unit, format), ...logarithmic(shown.map((row) => row[figure])) },
    series,
  });
}

function axis(name: string, { nameGap }: Format) {
  return {
    name,
    nameLocation: "middle",
    nameGap: name === "calls" || name === "clients" ? 30 : nameGap,
    nameTextStyle: { color: "currentColor", fontSize: 13 },
    axisLabel: { color: "currentColor", fontSize: 12 },
    axisLine: { show: true, lineStyle: { color: "currentColor" } },
    splitLine: { lineStyle: { color: "currentColor", opacity: 0.18 } },
  } as const;
}

/** A logarithmic axis from the power of ten below all figures to the one above. */
function logarithmic(figures: readonly number[]) {
  const exponents = figures.filter((figure) => figure > 0).map((figure) => Math.log10(figure));
  const lowest = Math.floor(Math.min(...exponents));
  return {
    type: "log",
    min: 10 ** lowest,
    // Without it bars would hang from 1.
    startValue: 10 ** lowest,
    max: 10 ** Math.max(lowest + 1, Math.ceil(Math.max(...exponents))),
  } as const;
}

function drawing(
  title: string,
  { date, processor }: Comparison["machine"],
  { width, height, titleSize, grid }: Format,
  option: Drawing["option"],
): Drawing {
  return {
    width,
    height,
    option: {
      animation: false,
      backgroundColor: "transparent",
      textStyle: { color: "currentColor", fontFamily: "system-ui, sans-serif" },
      aria: { enabled: true, decal: { show: true } },
      title: {
        text: title,
        subtext: `logarithmic scale; ${processor}, ${date.slice(0, 10)}`,
        left: "center",
        textStyle: {
          color: "currentColor",
          fontSize: titleSize,
          lineHeight: titleSize + 6,
          width: width - 16,
          overflow: "break",
        },
        subtextStyle: {
          color: "currentColor",
          fontSize: 12,
          lineHeight: 16,
          width: width - 16,
          overflow: "break",
        },
      },
      legend: {
        bottom: 6,
        itemGap: 18,
        itemWidth: 30,
        itemHeight: 14,
        textStyle: { color: "currentColor", fontSize: 12 },
      },
      grid,
      ...option,
    },
  };
}
