/**
 * Commands that measure a server at work: `stat` and `latency`.
 *
 * @module
 */

import { columns, isTerminal, paint, print } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import type { Client } from "../client.ts";
import type { Command } from "./command.ts";

/** How long a line lasts, in milliseconds, where nothing else is asked for. */
const INTERVAL = 1000;
const HISTORY_INTERVAL = 15_000;
/** A new head stands above every so many lines. */
const HEAD_EVERY = 20;
/** How long `latency` waits between two requests, in milliseconds. */
const BETWEEN_PINGS = 10;

export const stat: Command = {
  takes: "",
  arguments: [0, 0],
  options: ["interval", "count"],
  help: "print a line a second of what the servers do: requests, hits, items, memory, connections",
  examples: ["kvs-client stat", "kvs-client --stat --interval 10s"],
  long: true,
  async run({ client, options, signal }) {
    const { interval = INTERVAL, count = Infinity } = options;
    let before = await figuresOf(client);
    for (let line = 0; line < count; line++) {
      await sleep(interval, signal);
      const now = await figuresOf(client);
      const row = rowOf(before, now);
      before = now;
      if (options.json) {
        await print(JSON.stringify(row) + "\n");
        continue;
      }
      const width = cellWidth(Object.keys(row).length);
      if (line % HEAD_EVERY === 0) {
        await print(paint("bold", cells(Object.keys(row), width)) + "\n");
      }
      const figures = Object.values(row).map((number) => figure(number, width));
      await print(cells(figures, width) + "\n");
    }
    return Exit.ok;
  },
};

/** Figures of all servers together, and when they were taken in milliseconds. */
interface Figures {
  readonly at: number;
  readonly sum: (name: string) => number;
}

async function figuresOf(client: Client): Promise<Figures> {
  const servers = [...(await client.stats()).values()];
  return {
    at: performance.now(),
    sum: (name) => servers.reduce((sum, stats) => sum + Number(stats.get(name) ?? 0), 0),
  };
}

/** What happened between two looks, a second, and what there is now. */
function rowOf(before: Figures, now: Figures): Record<string, number> {
  const seconds = (now.at - before.at) / 1000;
  const since = (name: string) => Math.max(0, now.sum(name) - before.sum(name));
  const gets = since("cmd_get");
  return {
    "gets/s": gets / seconds,
    "sets/s": since("cmd_set") / seconds,
    "hit %": gets === 0 ? 0 : 100 * since("get_hits") / gets,
    "items": now.sum("curr_items"),
    "bytes": now.sum("bytes"),
    "conns": now.sum("curr_connections"),
    "evict/s": since("evictions") / seconds,
    "in B/s": since("bytes_read") / seconds,
    "out B/s": since("bytes_written") / seconds,
  };
}

/** How wide a cell is, so that so many fit beside each other on the terminal. */
function cellWidth(count: number): number {
  return Math.max(8, Math.min(11, Math.floor(columns() / count)));
}

function cells(texts: readonly string[], width: number): string {
  return texts.map((text) => text.padStart(width)).join("");
}

/** A number as it is, or as `1.2M` where the cell is too narrow. */
function figure(number: number, width: number): string {
  const text = number.toLocaleString("en", { maximumFractionDigits: number < 100 ? 1 : 0 });
  if (text.length < width) return text;
  return number.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}

export const latency: Command = {
  takes: "",
  arguments: [0, 0],
  options: ["interval", "count", "history"],
  help: "measure how long the first server takes to answer, and print percentiles in milliseconds",
  examples: ["kvs-client latency", "kvs-client latency --history --interval 15s"],
  long: true,
  async run({ client, options, signal }) {
    const [server] = client.single();
    using first = server!;
    const { history, json, count = Infinity } = options;
    const interval = options.interval ?? (history ? HISTORY_INTERVAL : INTERVAL);
    const overwrites = isTerminal() && !history && !json;
    let samples: number[] = [];
    await first.noop();
    let isOpen = false;
    try {
      for (let line = 0; line < count; line++) {
        if (history || json || line === 0) samples = [];
        const end = performance.now() + interval;
        do {
          const start = performance.now();
          await first.noop();
          samples.push(performance.now() - start);
          await sleep(BETWEEN_PINGS, signal);
        } while (performance.now() < end);
        // Without a history all samples count, of which the last hour is kept.
        if (samples.length > MOST_SAMPLES) samples = samples.slice(-MOST_SAMPLES / 2);
        const row = percentilesOf(samples);
        if (json) await print(JSON.stringify(row) + "\n");
        else {
          const parts = Object.entries(row).map(([name, value]) =>
            `${name} ${name === "samples" ? value : value.toFixed(3)}`
          );
          // A line that wraps could not be written over.
          const room = columns() - 1;
          const wide = parts.join("  ");
          const text = wide.length <= room ? wide : parts.join(" ").slice(0, room);
          await print(overwrites ? `\r\x1b[K${text}` : `${text}\n`);
          isOpen = overwrites;
        }
      }
    } finally {
      // What is said next begins a line.
      if (isOpen) await print("\n");
    }
    return Exit.ok;
  },
};

const MOST_SAMPLES = 360_000;

function percentilesOf(samples: readonly number[]): Record<string, number> {
  const sorted = Float64Array.from(samples).sort();
  const at = (percent: number) =>
    sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * percent / 100) - 1)]!;
  return {
    samples: sorted.length,
    min: sorted[0]!,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    "p99.9": at(99.9),
    max: sorted.at(-1)!,
  };
}

/** Resolves after so many milliseconds, rejects with the signal's reason when that aborts. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
  });
}
