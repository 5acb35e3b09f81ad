/**
 * kvs against memcached with one thread, in turn on the same machine: operations a second and CPU
 * time an operation, for every combination of operation, connections and pipeline.
 *
 *     deno task bench [--stores memory,everysec] [--connections 50] [--pipelines 1] …
 *
 * @module
 */

import { helpText, type Manual } from "../lib/cli/help.ts";
import { duration, flag, integer, list } from "../lib/cli/option.ts";
import { parseOptions, type Values } from "../lib/cli/parse.ts";
import { run } from "../lib/cli/run.ts";
import { Exit, messageOf } from "../lib/errors.ts";
import { keyOf, type Operation } from "./frames.ts";
import { Progress } from "../lib/load/progress.ts";
import type { Measurement, Task } from "./generator.ts";
import { chosen, numbers } from "./lists.ts";
import { describeMachine, type Machine, machineText } from "./machine.ts";
import { denoScript, echoScript, type Server, startServer } from "./processes.ts";

/** The store, or for the disk its `--fsync`. */
const STORES = ["memory", "everysec", "always", "no"];

const benchOptions = {
  stores: list({ flags: "--stores", default: STORES, help: "memory, and the disk by its --fsync" }),
  operations: list({ flags: "--operations", default: ["get", "set"], help: "get, set" }),
  connections: list({ flags: "--connections", default: ["1", "50"], help: "how many at once" }),
  pipelines: list({ flags: "--pipelines", default: ["1", "16"], help: "requests in one write" }),
  valueSize: integer({ flags: "--value-size", min: 1, default: 100, help: "bytes of a value" }),
  keys: integer({ flags: "--keys", min: 1, default: 10_000, help: "how many different keys" }),
  seconds: duration({ flags: "--seconds", min: 100, default: 1000, help: "of one measurement" }),
  rounds: integer({
    flags: "--rounds",
    min: 1,
    default: 3,
    help: "measurements of each server, in turn with the others; the median is shown",
  }),
  json: flag({ flags: "--json", help: "print JSON" }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
};

type BenchOptions = Values<typeof benchOptions>;

const manual: Manual = {
  usage: "deno task bench [options]",
  about: "Measures kvs against memcached -t 1 on this machine.",
};

/** What one server did under one workload: the medians over the rounds. */
interface Row {
  readonly operation: Operation;
  readonly connections: number;
  readonly pipeline: number;
  readonly server: string;
  readonly operationsPerSecond: number;
  /** CPU time of the server an operation, in microseconds. */
  readonly cpuMicroseconds: number;
  /** These two divided by memcached's, the medians over the rounds; undefined without memcached. */
  readonly throughputRatio: number | undefined;
  readonly cpuRatio: number | undefined;
  /** How much of the time the generator had something to do, 0 to 1: from 0.9 on, it was the limit. */
  readonly generatorBusy: number;
  /** How much of all cores' time went to other processes, 0 to 1. */
  readonly othersShare: number;
}

const BASELINE = "memcached";
/** The generator's own ceiling is what it gets out of this. */
const ECHO = "echo";
/** From this share of the time on the generator counts as the limit. */
const LIMIT = 0.9;
/** From this share of the machine on other processes make throughput doubtful. */
const NOISE = 0.1;
const WARM_UP_SECONDS = 0.4;

if (import.meta.main) await run("bench", main);

async function main(args: readonly string[]): Promise<number> {
  const { options } = parseOptions(benchOptions, args);
  if (options.help) {
    console.log(helpText(manual, benchOptions).trimEnd());
    return Exit.ok;
  }
  const machine = await describeMachine({ memcached: ["memcached", "-V"] });
  const rows = await measureAll(options);
  if (options.json) console.log(JSON.stringify({ machine, options, rows }, null, 2));
  else console.log(table(options, machine, rows));
  return Exit.ok;
}

async function measureAll(options: BenchOptions): Promise<Row[]> {
  const directory = await Deno.makeTempDir({ prefix: "kvs-bench-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const servers = new Map<string, Server>();
  for (const [name, command] of commandsOf(options, directory)) {
    try {
      servers.set(name, stack.use(await startServer(command)));
    } catch (error) {
      console.error(`${name} is left out: ${messageOf(error)}`);
    }
  }
  const rows: Row[] = [];
  for (const operation of chosen("operations", options.operations, ["get", "set"])) {
    for (const connections of numbers("connections", options.connections)) {
      for (const pipeline of numbers("pipelines", options.pipelines)) {
        const { valueSize, keys } = options;
        const shape = { operation, connections, pipeline, valueSize, keys } as const;
        rows.push(...await measureInTurn(servers, shape, options));
      }
    }
  }
  return rows;
}

type Shape = Omit<Task, "port" | "pid" | "warmUpSeconds" | "seconds">;

function commandsOf(
  { stores, valueSize }: BenchOptions,
  directory: string,
): Map<string, (port: number) => [string, ...string[]]> {
  const kvs = (port: number, ...args: string[]) =>
    denoScript("server.ts", "-p", `${port}`, ...args);
  return new Map([
    [
      ECHO,
      (port) => echoScript(port, keyOf(0), valueSize),
    ],
    [BASELINE, (port) => ["memcached", "-t", "1", "-u", "nobody", "-m", "1024", "-p", `${port}`]],
    ...chosen("stores", stores, STORES).map((
      store,
    ): [string, (port: number) => [string, ...string[]]] =>
      store === "memory"
        ? ["kvs memory", (port) => kvs(port, "--store", "memory", "-m", "1024")]
        : [
          `kvs disk ${store}`,
          (port) =>
            kvs(port, "--store", "disk", "--data-dir", `${directory}/${store}`, "--fsync", store),
        ]
    ),
  ]);
}

/** Round after round, each server once a round, so that what else the machine does hits all alike. */
async function measureInTurn(
  servers: Map<string, Server>,
  shape: Shape,
  { rounds, seconds }: BenchOptions,
): Promise<Row[]> {
  const found = new Map<string, Measurement[]>();
  const progress = new Progress();
  for (let round = 1; round <= rounds; round++) {
    for (const [name, { port, pid }] of servers) {
      progress.show(() => `${shapeText(shape)}, round ${round} of ${rounds}: ${name}`);
      const task: Task = {
        ...shape,
        port,
        pid,
        warmUpSeconds: WARM_UP_SECONDS,
        seconds: seconds / 1000,
      };
      found.getOrInsertComputed(name, () => []).push(await measure(task));
    }
  }
  progress.clear();
  const rate = (m: Measurement) => m.operations / m.seconds;
  const cpu = (m: Measurement) => m.serverCpu / m.operations;
  const baseline = found.get(BASELINE);
  return [...found].map(([server, measured]) => {
    const middle = (of: (m: Measurement) => number) => median(measured.map(of));
    // Round by round, as neighbours in time have met the same machine.
    const ratio = (of: (m: Measurement) => number) =>
      baseline && median(measured.map((m, round) => of(m) / of(baseline[round]!)));
    return {
      ...{ operation: shape.operation, connections: shape.connections, pipeline: shape.pipeline },
      server,
      operationsPerSecond: middle(rate),
      cpuMicroseconds: middle(cpu) * 1e6,
      throughputRatio: ratio(rate),
      cpuRatio: ratio(cpu),
      generatorBusy: middle((m) => m.generatorBusy / m.seconds),
      othersShare: middle((m) => m.othersShare),
    };
  });
}

async function measure(task: Task): Promise<Measurement> {
  const [program, ...args] = denoScript("bench/generator.ts", JSON.stringify(task));
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function table(options: BenchOptions, machine: Machine, rows: readonly Row[]): string {
  const { rounds, seconds, valueSize, keys } = options;
  const lines = [
    machineText(machine),
    `${valueSize} B values, ${keys} keys; the median of ${rounds} rounds of ${seconds / 1000} s`,
    "",
    [
      "op ",
      "conns",
      "pipeline",
      "server".padEnd(18),
      "    ops/s",
      "× memcached",
      "CPU µs/op",
      "× memcached",
      "generator",
    ].join("  "),
  ];
  for (const row of rows) {
    lines.push([
      row.operation,
      String(row.connections).padStart(5),
      String(row.pipeline).padStart(8),
      row.server.padEnd(18),
      Math.round(row.operationsPerSecond).toLocaleString("en").padStart(9),
      (row.throughputRatio?.toFixed(2) ?? "").padStart(11),
      row.cpuMicroseconds.toFixed(2).padStart(9),
      (row.cpuRatio?.toFixed(2) ?? "").padStart(11),
      `${Math.round(row.generatorBusy * 100)} %`.padStart(6) +
      (row.generatorBusy >= LIMIT ? " *" : ""),
    ].join("  "));
  }
  lines.push(
    "",
    `${ECHO} counts bytes and answers with the same ones: what the generator can do at most.`,
    "generator: how much of the time it was busy; * it, and not the server, was the limit.",
  );
  const noise = median(rows.map((row) => row.othersShare));
  if (noise >= NOISE) {
    lines.push(
      `Other processes took ${
        Math.round(noise * 100)
      } % of this machine: operations a second are ` +
        "too few and vary; CPU time an operation holds.",
    );
  }
  return lines.join("\n");
}

function shapeText({ operation, connections, pipeline }: Shape): string {
  return `${operation}, ${connections} connections, pipeline ${pipeline}`;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
