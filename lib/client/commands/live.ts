/**
 * Commands that show a server at work: `stat`, `latency`, `watch`.
 *
 * @module
 */

import { isTerminal, paint, print, shown } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { Client } from "../client.ts";
import { watchServer } from "../watch.ts";
import type { Call, Command } from "./command.ts";

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
      if (line % HEAD_EVERY === 0) await print(paint("bold", cells(Object.keys(row))) + "\n");
      await print(cells(Object.values(row).map(figure)) + "\n");
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
    "evicted/s": since("evictions") / seconds,
    "in B/s": since("bytes_read") / seconds,
    "out B/s": since("bytes_written") / seconds,
  };
}

function cells(texts: readonly string[]): string {
  return texts.map((text) => text.padStart(11)).join("");
}

function figure(number: number): string {
  return number.toLocaleString("en", { maximumFractionDigits: number < 100 ? 1 : 0 });
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
        const text = Object.entries(row).map(([name, value]) =>
          `${name} ${name === "samples" ? value : value.toFixed(3)}`
        ).join("  ");
        await print(overwrites ? `\r\x1b[K${text}` : `${text}\n`);
      }
    }
    if (overwrites) await print("\n");
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

const STREAMS = [
  "fetchers",
  "mutations",
  "evictions",
  "deletions",
  "connevents",
  "sysevents",
  "rawcmds",
];

const COLOURS: Readonly<Record<string, Parameters<typeof paint>[0]>> = {
  item_get: "green",
  item_store: "yellow",
  eviction: "red",
  deleted: "magenta",
  conn_new: "blue",
  conn_close: "blue",
};

export const watch: Command = {
  takes: "[STREAM…]",
  arguments: [0, STREAMS.length],
  options: [],
  help: "print what the first server does as it happens; STREAM is fetchers, mutations, …",
  details: `Streams are ${STREAMS.join(", ")}; without any, fetchers and mutations.`,
  examples: ["kvs-client watch", "kvs-client watch evictions connevents"],
  long: true,
  async run(call) {
    const { args, client, options } = call;
    for (const stream of args) {
      if (!STREAMS.includes(stream)) {
        throw new ExitError(
          `watch: STREAM takes one of ${STREAMS.join(", ")}, received '${stream}'`,
          Exit.usage,
        );
      }
    }
    const streams = args.length > 0 ? args : ["fetchers", "mutations"];
    for await (const line of watched(call, client, streams)) {
      if (options.json) await print(JSON.stringify(fieldsOf(line)) + "\n");
      else {
        const { type = "" } = fieldsOf(line);
        const colour = COLOURS[type];
        const text = shown(line);
        await print((colour === undefined ? text : paint(colour, text)) + "\n");
      }
    }
    return Exit.ok;
  },
};

function watched(call: Call, client: Client, streams: readonly string[]): AsyncGenerator<string> {
  return watchServer(client.servers[0]!, { ...client.connection, signal: call.signal }, streams);
}

/** `ts=1.5 type=item_get key=a%20b` as an object. */
function fieldsOf(line: string): Record<string, string> {
  return Object.fromEntries(
    line.trim().split(" ").map((word) => {
      const equals = word.indexOf("=");
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
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
