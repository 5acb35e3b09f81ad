/**
 * The stores compared on this machine: the calls of the comparison that the project began with,
 * concurrent clients, and the aims that kvs sets itself; a report with charts.
 *
 *     deno task compare [--full] [--stores memory,everysec] [--bucket NAME] …
 *     deno task compare --parts aims,upkeep [--before DIR] [--quick]
 *
 * @module
 */

import { ensureDir } from "@std/fs";
import type { Manual } from "../lib/cli/help.ts";
import { duration, flag, integer, list, text } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { Exit, ExitError } from "../lib/errors.ts";
import { GENERATOR_LIMIT } from "../lib/load/load.ts";
import { Progress } from "../lib/load/progress.ts";
import { AIMS } from "./aims/list.ts";
import { measureLatencies } from "./aims/latency.ts";
import { measureAims } from "./aims/measure.ts";
import { measureUpkeep } from "./aims/upkeep.ts";
import { chartsOf, prepareCharts, standalone } from "./charts.ts";
import {
  type CallKind,
  type CallRow,
  type ClientRow,
  type Comparison,
  fill,
  measureCalls,
  measureClients,
} from "./comparison.ts";
import {
  type ContestantId,
  CONTESTANTS,
  startContestants,
  withoutPasswords,
} from "./contestants.ts";
import { keyOf } from "./frames.ts";
import { runProgram } from "./front.ts";
import { chosen, numbers } from "./lists.ts";
import { describeMachine } from "./machine.ts";
import { ceilingText, limitTexts, othersText, pageOf } from "./page.ts";
import { echoScript, startServer, watchOthers } from "./processes.ts";
import {
  aimTable,
  callTable,
  clientTable,
  csvOf,
  latencyTable,
  latencyText,
  rateText,
  type Table,
  textOf,
  upkeepTable,
} from "./tables.ts";

const ids = Object.keys(CONTESTANTS) as ContestantId[];
const subjects = [...new Set(AIMS.map(({ subject }) => subject.server))];
const PARTS = ["calls", "clients", "aims", "latencies", "upkeep"] as const;
const CALL_KINDS: readonly CallKind[] = ["set", "get", "set one key"];
/** How many different keys the aims are measured with. */
const AIM_KEYS = 10_000;

const compareOptions = {
  parts: list({ flags: "--parts", default: PARTS, help: "what is measured, of those" }),
  stores: list({ flags: "--stores", default: ids, help: "which, of those" }),
  calls: list({ flags: "--calls", default: ["100", "1000", "10000"], help: "on one connection" }),
  full: flag({ flags: "--full", help: "100,000 calls on one connection as well" }),
  clients: list({
    flags: "--clients",
    default: ["1", "10", "50", "100"],
    help: "how many connect concurrently",
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
    help: "how long each number of calls may take; what has been answered by then is reported",
  }),
  valueSize: integer({
    flags: "--value-size",
    max: 1_000_000,
    default: 100,
    help: "bytes of a value",
  }),
  rounds: integer({
    flags: "--rounds",
    min: 1,
    default: 3,
    help: "aims, latencies: measurements of each server, in turn with the others",
  }),
  upkeepKeys: integer({
    flags: "--upkeep-keys",
    min: 1,
    default: 10_000_000,
    help: "upkeep: keys of the start; dump and restore have a tenth of them",
  }),
  upkeepSeconds: duration({
    flags: "--upkeep-seconds",
    min: 100,
    default: 10_000,
    help: "upkeep: how long sets go on while compaction follows",
  }),
  before: text({
    flags: "--before",
    value: "DIR",
    help: "upkeep: another checkout of kvs, measured as well",
  }),
  memcached: list({
    flags: "--memcached",
    default: ["memcached"],
    help: "aims: the program, or two of different versions",
  }),
  aims: list({
    flags: "--aims",
    default: subjects,
    help: "aims: those of these servers, of those",
  }),
  quick: flag({
    flags: "--quick",
    help: "aims, latencies, upkeep: one short round, and few keys, to see that all works",
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
};

const manual: Manual = {
  usage: "deno task compare [options]",
  about: "Compares the stores of kvs with each other and with memcached, and writes a report.",
  notes: `Stores: ${ids.join(", ")} (no, everysec and always are the disk's --fsync).`,
};

type StoresCompared = Pick<
  Comparison,
  "contestants" | "leftOut" | "calls" | "clients" | "ceiling" | "othersShare"
>;

const NO_STORES: StoresCompared = {
  ...{ contestants: [], leftOut: [], calls: [], clients: [], ceiling: [] },
  othersShare: 0,
};

if (import.meta.main) await runProgram("compare", manual, compareOptions, main);

async function main(options: Values<typeof compareOptions>): Promise<number> {
  const command = withoutPasswords(["deno task compare", ...Deno.args].join(" "));
  await prepareCharts();
  const comparison = await compare(options, command);
  await write(options.out, comparison);
  console.log(summary(comparison));
  console.log(`\n${options.out}/index.html`);
  return Exit.ok;
}

async function compare(
  options: Values<typeof compareOptions>,
  command: string,
): Promise<Comparison> {
  const parts = chosen("parts", options.parts, PARTS);
  const plan = planOf(options);
  const machine = await describeMachine({
    memcached: [options.memcached[0] ?? "memcached", "-V"],
    ...(options.memcached.length > 1 ? { "other memcached": [options.memcached[1]!, "-V"] } : {}),
    redis: ["redis-server", "--version"],
  });
  const directory = await Deno.makeTempDir({ prefix: "kvs-compare-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  // Parts start servers of the same names, none of which is to find what another has stored.
  const directoryOf = (part: typeof PARTS[number]) => {
    const path = `${directory}/${part}`;
    Deno.mkdirSync(path);
    return path;
  };
  const progress = new Progress();
  stack.defer(() => progress.clear());
  const kinds = parts.includes("calls") ? CALL_KINDS : [];
  const clientCounts = parts.includes("clients") ? plan.clientCounts : [];
  const compared = kinds.length + clientCounts.length === 0 ? NO_STORES : await compareStores(
    options,
    { ...plan, kinds, clientCounts },
    directoryOf("calls"),
    progress,
  );

  const { valueSize, memcached } = options;
  const { aims, leftOut } = parts.includes("aims")
    ? await measureAims(
      { directory: directoryOf("aims"), memcached, keys: AIM_KEYS, valueSize },
      chosen("aims", options.aims, subjects),
      options.quick ? { rounds: 1, seconds: 0.3 } : { rounds: options.rounds, seconds: 1 },
      progress,
    )
    : { aims: [], leftOut: [] };
  const { latencies, leftOut: withoutLatencies } = parts.includes("latencies")
    ? await measureLatencies(
      { directory: directoryOf("latencies"), memcached, keys: AIM_KEYS, valueSize },
      options.quick ? { rounds: 1, seconds: 0.5 } : { rounds: options.rounds, seconds: 4 },
      progress,
    )
    : { latencies: [], leftOut: [] };
  const upkeep = parts.includes("upkeep")
    ? await measureUpkeep(
      { directory: directoryOf("upkeep"), valueSize, ...upkeepOf(options) },
      progress,
    )
    : [];
  return {
    ...{ machine, command, valueSize, aims, latencies, upkeep },
    limit: options.limit / 1000,
    ...compared,
    leftOut: [...compared.leftOut, ...leftOut, ...withoutLatencies],
    othersShare: Math.max(
      compared.othersShare,
      ...[...aims, ...latencies].map((row) => row.othersShare),
    ),
  };
}

/** What the numbers and names among the options say. */
function planOf({ stores, calls, full, clients, before }: Values<typeof compareOptions>) {
  if (before !== undefined && !exists(`${before}/server.ts`)) {
    throw new ExitError(`--before takes a checkout of kvs, received '${before}'`, Exit.usage);
  }
  return {
    stores: chosen("stores", stores, ids),
    counts: numbers("calls", [...calls, ...(full ? ["100000"] : [])]),
    clientCounts: numbers("clients", clients),
  };
}

function upkeepOf({ quick, upkeepKeys, upkeepSeconds, before }: Values<typeof compareOptions>) {
  return quick
    ? { keys: 100_000, seconds: 1, before }
    : { keys: upkeepKeys, seconds: upkeepSeconds / 1000, before };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What is measured of the stores. */
interface StoresPlan extends ReturnType<typeof planOf> {
  readonly kinds: readonly CallKind[];
}

async function compareStores(
  options: Values<typeof compareOptions>,
  { stores, counts, clientCounts, kinds }: StoresPlan,
  directory: string,
  progress: Progress,
): Promise<StoresCompared> {
  const { valueSize, limit, seconds } = options;
  await using stack = new AsyncDisposableStack();
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
  const calls: CallRow[] = [];
  for (const count of counts) {
    for (const kind of kinds) {
      for (const target of targets) {
        const row = await measureCalls(target, {
          ...{ kind, calls: count, valueSize, limit, stored: storedBy(target.id, calls) },
          advance: (answered) =>
            progress.show(() => `${target.label}: ${kind}, ${answered} of ${count} calls`),
        });
        calls.push(row);
      }
    }
  }

  if (clientCounts.length > 0) {
    for (const target of targets) await fill(target, valueSize);
  }
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
    contestants: contestants.map(({ id, label, command, note }) => ({ id, label, command, note })),
    leftOut,
    calls,
    clients: clients.map((row) => markLimited(row, ceiling)),
    ceiling,
    othersShare: others(),
  };
}

/** How many keys a server has: as many as the longest row of its sets. */
function storedBy(id: ContestantId, calls: readonly CallRow[]): number {
  const sets = calls.filter(({ contestant, kind }) => contestant === id && kind === "set");
  return Math.max(1, ...sets.map(({ answered, refused }) => answered - refused));
}

/** Nobody gets more out of a server than the generator gets out of the one that does nothing. */
function markLimited(row: ClientRow, ceiling: readonly ClientRow[]): ClientRow {
  const most = ceiling.find(({ clients }) => clients === row.clients)!.requestsPerSecond;
  const limited = row.generatorLimited || row.requestsPerSecond >= GENERATOR_LIMIT * most;
  return { ...row, generatorLimited: limited };
}

async function write(directory: string, comparison: Comparison): Promise<void> {
  await ensureDir(directory);
  const charts = await chartsOf(comparison);
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
  const { leftOut, calls, clients, aims, latencies, upkeep } = comparison;
  const titled = (title: string, [head, ...rows]: Table) =>
    textOf([[title, ...head!.slice(1)], ...rows]);
  return [
    ...(calls.length === 0
      ? []
      : CALL_KINDS.map((kind) => titled(kind, callTable(comparison, kind)))),
    ...(clients.length === 0 ? [] : [
      titled("requests a second", clientTable(comparison, rateText)),
      titled("99th percentile, ms", clientTable(comparison, latencyText)),
    ]),
    ...(aims.length === 0 ? [] : [textOf(aimTable(comparison))]),
    ...(latencies.length === 0 ? [] : [textOf(latencyTable(comparison))]),
    ...(upkeep.length === 0 ? [] : [textOf(upkeepTable(comparison))]),
    ...leftOut.map(({ label, reason }) => `${label} is left out: ${reason}`),
    ...limitTexts(comparison),
    ...(clients.length === 0 ? [] : [ceilingText(comparison)]),
    ...(calls.length + clients.length + aims.length + latencies.length === 0
      ? []
      : [othersText(comparison)]),
  ].join("\n\n");
}
