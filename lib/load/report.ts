/**
 * An outcome as a table for people and as an object for programs.
 *
 * @module
 */

import { Exit } from "../errors.ts";
import type { Histogram } from "./histogram.ts";
import { GENERATOR_LIMIT, type Outcome } from "./load.ts";
import { type Command, COMMANDS } from "./tally.ts";

const LATENCIES = ["p50", "p90", "p99", "p99.9", "max"] as const;

/** Latencies in milliseconds. */
export type Latencies = Record<typeof LATENCIES[number], number>;

/** What `--json` prints. */
export interface Report {
  readonly clients: number;
  readonly threads: number;
  readonly seconds: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Requests that `--rate` made due and that could not be sent before the end. */
  readonly unsent: number;
  readonly commands: Partial<Record<Command, CommandReport>>;
  /** How many requests failed, by kind. */
  readonly errors: Readonly<Record<string, number>>;
  /** How many answers were wrong, by kind, each with one in words. */
  readonly wrong: Readonly<Record<string, { readonly count: number; readonly example: string }>>;
  readonly generator: {
    /** Of the cores that its threads could use, 0 to 1. */
    readonly busy: number;
    /** Whether the generator, not the server, was the limit. */
    readonly limited: boolean;
  };
}

/** What is reported of one command. */
export interface CommandReport {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Those that got no reply; the latencies leave them out. */
  readonly failed: number;
  /** Of gets only. */
  readonly hits?: number;
  readonly misses?: number;
  readonly latencyMs: Latencies;
}

/** Sums up. */
export function reportOf({ tally, clients, threads, seconds, generatorBusy }: Outcome): Report {
  const commands: Report["commands"] = {};
  for (const command of COMMANDS) {
    const { requests, failed, hits, misses, latency } = tally.commands[command];
    if (requests === 0) continue;
    commands[command] = {
      requests,
      requestsPerSecond: requests / seconds,
      failed,
      ...(command === "get" ? { hits, misses } : {}),
      latencyMs: latenciesOf(latency),
    };
  }
  return {
    clients,
    threads,
    seconds,
    requests: tally.requests,
    requestsPerSecond: tally.requests / seconds,
    unsent: tally.unsent,
    commands,
    errors: Object.fromEntries(tally.errors),
    wrong: Object.fromEntries(tally.wrong),
    generator: { busy: generatorBusy, limited: generatorBusy >= GENERATOR_LIMIT },
  };
}

function latenciesOf(latency: Histogram): Latencies {
  const of = (percent: number) => toMicroseconds(latency.percentile(percent));
  return {
    p50: of(50),
    p90: of(90),
    p99: of(99),
    "p99.9": of(99.9),
    max: toMicroseconds(latency.max),
  };
}

/** Milliseconds without the digits that mean nothing. */
function toMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

/** The table, without a line end behind it. */
export function reportText(report: Report, verified: boolean): string {
  const { clients, threads, seconds, requests, commands, errors, wrong, generator } = report;
  const head = ["", "requests", "per s", "failed", "hits", "misses", ...LATENCIES];
  const rows = Object.entries(commands).map(([command, of]) => [
    command,
    count(of.requests),
    count(of.requestsPerSecond),
    count(of.failed),
    of.hits === undefined ? "" : count(of.hits),
    of.misses === undefined ? "" : count(of.misses),
    ...Object.values(of.latencyMs).map(milliseconds),
  ]);
  const [headLine, ...rowLines] = aligned([head, ...rows]);
  const lines = [
    `${count(clients)} clients${threads > 1 ? ` on ${threads} threads` : ""}, ` +
    `${count(requests)} requests in ${seconds.toFixed(3)} s: ` +
    `${count(report.requestsPerSecond)} a second`,
    "",
    `${headLine} ms`,
    ...rowLines,
    "",
  ];
  if (report.unsent > 0) {
    lines.push(`not sent: ${count(report.unsent)} requests that --rate made due before the end`);
  }
  for (const [kind, times] of Object.entries(errors)) {
    lines.push(`error: ${count(times)} × ${kind}`);
  }
  for (const [kind, { count: times, example }] of Object.entries(wrong)) {
    lines.push(`WRONG: ${count(times)} × ${kind}, the first: ${example}`);
  }
  if (Object.keys(errors).length === 0) lines.push("no errors");
  if (Object.keys(wrong).length === 0) {
    lines.push(verified ? "every value that was read is right" : "no wrong answers");
  }
  const busy = `the generator used ${Math.round(generator.busy * 100)} % of what CPU it could`;
  lines.push(
    generator.limited ? `${busy}: it was the limit, and not the server (see --threads)` : busy,
  );
  return lines.join("\n");
}

/** 1 for any wrong answer, 70 for errors, 0 for neither. */
export function exitCodeOf({ errors, wrong }: Report): number {
  if (Object.keys(wrong).length > 0) return Exit.no;
  return Object.keys(errors).length > 0 ? Exit.software : Exit.ok;
}

/** Lines of a table, its columns no wider than they must be: a terminal has 80. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  );
}

function count(number: number): string {
  return Math.round(number).toLocaleString("en");
}

function milliseconds(number: number): string {
  return number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(3);
}
