/**
 * The stores compared on this machine: the calls of the comparison that the project began with, and
 * clients at once; a report with charts.
 *
 *     deno task compare [--full] [--stores memory,everysec] [--bucket NAME] …
 *
 * @module
 */

import { ensureDir } from "@std/fs";
import { helpText, type Manual } from "../lib/cli/help.ts";
import { duration, flag, integer, list, text } from "../lib/cli/option.ts";
import { parseOptions, type Values } from "../lib/cli/parse.ts";
import { run } from "../lib/cli/run.ts";
import { Exit, ExitError } from "../lib/errors.ts";
import { Progress } from "../lib/load/progress.ts";
import { chartsOf, standalone } from "./charts.ts";
import {
  type CallKind,
  type ClientRow,
  type Comparison,
  fill,
  measureCalls,
  measureClients,
} from "./comparison.ts";
import { type ContestantId, CONTESTANTS, startContestants } from "./contestants.ts";
import { keyOf } from "./frames.ts";
import { chosen, numbers } from "./lists.ts";
import { describeMachine } from "./machine.ts";
import { ceilingText, othersText, pageOf } from "./page.ts";
import { echoScript, startServer, watchOthers } from "./processes.ts";
import { callTable, clientTable, csvOf, latencyText, rateText, type Table } from "./tables.ts";

const ids = Object.keys(CONTESTANTS) as ContestantId[];

const compareOptions = {
  stores: list({ flags: "--stores", default: ids, help: "which, of those" }),
  calls: list({ flags: "--calls", default: ["100", "1000", "10000"], help: "on one connection" }),
  full: flag({ flags: "--full", help: "100,000 calls on one connection as well" }),
  clients: list({
    flags: "--clients",
    default: ["1", "10", "50", "100"],
    help: "how many at once",
  }),
  seconds: duration({
    flags: "--seconds",
    min: 10,
    default: 3000,
    help: "how long each number of clients works",
  }),
  limit: duration({
    flags: "--limit",
    min: 10,
    default: 300_000,
    help: "how long a number of calls may take; what has been answered by then is reported",
  }),
  valueSize: integer({
    flags: "--value-size",
    max: 1_000_000,
    default: 100,
    help: "bytes of a value",
  }),
  redisUrl: text({
    flags: "--redis-url",
    value: "URL",
    help: "the Redis behind kvs redis; without it, a redis-server is started if there is one",
  }),
  bucket: text({
    flags: "--bucket",
    value: "NAME",
    help: "the bucket behind kvs gcs; without it, an emulator is started",
  }),
  gcsEndpoint: text({
    flags: "--gcs-endpoint",
    value: "URL",
    help: "where --bucket is, if not at Google",
  }),
  out: text({
    flags: "-o, --out",
    value: "DIR",
    default: "comparison",
    help: "where the report goes: index.html, *.svg, comparison.csv, comparison.json",
  }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
};

const manual: Manual = {
  usage: "deno task compare [options]",
  about: "Compares the stores of kvs with each other and with memcached, and writes a report.",
  notes: `Stores: ${ids.join(", ")} (no, everysec and always are the disk's --fsync).`,
};

if (import.meta.main) await run("compare", main);

async function main(args: readonly string[]): Promise<number> {
  const { options } = parseOptions(compareOptions, args);
  if (options.help) {
    console.log(helpText(manual, compareOptions).trimEnd());
    return Exit.ok;
  }
  const comparison = await compare(options, ["deno task compare", ...args].join(" "));
  await write(options.out, comparison);
  console.log(summary(comparison));
  console.log(`\n${options.out}/index.html`);
  return Exit.ok;
}

async function compare(
  options: Values<typeof compareOptions>,
  command: string,
): Promise<Comparison> {
  const { valueSize, limit, seconds } = options;
  const stores = chosen("stores", options.stores, ids);
  const counts = numbers("calls", [...options.calls, ...(options.full ? ["100000"] : [])]);
  const clientCounts = numbers("clients", options.clients);
  const machine = await describeMachine({
    memcached: ["memcached", "-V"],
    redis: ["redis-server", "--version"],
  });
  const directory = await Deno.makeTempDir({ prefix: "kvs-compare-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const progress = new Progress();
  stack.defer(() => progress.clear());
  const { contestants, leftOut, processes } = await startContestants(
    stores,
    options,
    directory,
    stack,
  );
  const echoServer = stack.use(await startServer((port) => echoScript(port, keyOf(0), valueSize)));
  if (contestants.length === 0) {
    const reasons = leftOut.map(({ label, reason }) => `${label}: ${reason}`).join("; ");
    throw new ExitError(`no store can be reached: ${reasons}`, Exit.unavailable);
  }
  const targets = contestants.map(({ id, label, server: { port } }) => ({ id, label, port }));

  const echo = { id: "echo", label: "echo", port: echoServer.port } as const;
  const others = watchOthers([...processes, echoServer].map(({ pid }) => pid));

  // Store after store within a number of calls, so that what else the machine does hits all alike.
  const calls = [];
  for (const count of counts) {
    for (const kind of ["set", "get", "set one key"] satisfies CallKind[]) {
      for (const target of targets) {
        progress.show(() => `${target.label}: ${kind}, ${count} calls`);
        calls.push(await measureCalls(target, kind, count, valueSize, limit));
      }
    }
  }

  for (const target of targets) await fill(target, valueSize);
  const clients: ClientRow[] = [];
  const ceiling: ClientRow[] = [];
  for (const count of clientCounts) {
    for (const target of [...targets, echo]) {
      progress.show(() => `${target.label}: ${count} clients`);
      const row = await measureClients(target, count, valueSize, seconds);
      (target.id === "echo" ? ceiling : clients).push(row);
    }
  }
  return {
    machine,
    command,
    valueSize,
    contestants: contestants.map(({ id, label, command, note }) => ({ id, label, command, note })),
    leftOut,
    calls,
    clients,
    ceiling,
    othersShare: others(),
  };
}

async function write(directory: string, comparison: Comparison): Promise<void> {
  await ensureDir(directory);
  const charts = chartsOf(comparison);
  const files = {
    "index.html": pageOf(comparison, charts),
    "comparison.csv": csvOf(comparison),
    "comparison.json": JSON.stringify(comparison, null, 2) + "\n",
    ...Object.fromEntries(charts.map(({ name, svg }) => [`${name}.svg`, standalone(svg)])),
  };
  for (const [name, content] of Object.entries(files)) {
    await Deno.writeTextFile(`${directory}/${name}`, content);
  }
}

/** The tables, for the terminal. */
function summary(comparison: Comparison): string {
  const { leftOut } = comparison;
  return [
    ...(["set", "get", "set one key"] satisfies CallKind[]).map((kind) =>
      textOf(kind, callTable(comparison, kind))
    ),
    textOf("requests a second", clientTable(comparison, rateText)),
    textOf("99th percentile, ms", clientTable(comparison, latencyText)),
    ...leftOut.map(({ label, reason }) => `${label} is left out: ${reason}`),
    ceilingText(comparison),
    othersText(comparison),
  ].join("\n\n");
}

function textOf(title: string, [head, ...rows]: Table): string {
  const table = [[title, ...head!.slice(1)], ...rows];
  const widths = head!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  ).join("\n");
}
