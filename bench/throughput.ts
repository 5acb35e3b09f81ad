/**
 * kvs against memcached with one thread, in turn on the same machine: operations a second and CPU
 * time an operation, for every combination of operation, connections and pipeline.
 *
 *     deno task bench [--stores memory,everysec] [--connections 50] [--pipelines 1] …
 *
 * @module
 */

import { list } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { messageOf } from "../lib/errors.ts";
import { Progress } from "../lib/load/progress.ts";
import { keyOf, type Operation, type Protocol, protocols } from "./frames.ts";
import { loadOptions, runBench } from "./front.ts";
import type { Measurement, Task } from "./generator.ts";
import { chosen, numbers } from "./lists.ts";
import { measure, median, noiseText } from "./measure.ts";
import { echoScript, kvsScript, type Server, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

/** The store, or for the disk its `--fsync`. */
const STORES = ["memory", "everysec", "always", "no"];

const benchOptions = {
  stores: list({ flags: "--stores", default: STORES, help: "memory, and the disk by its --fsync" }),
  protocols: list({
    flags: "--protocols",
    default: [...protocols],
    help: "text, meta, binary",
  }),
  operations: list({ flags: "--operations", default: ["get", "set"], help: "get, set" }),
  connections: list({ flags: "--connections", default: ["1", "50"], help: "how many are open" }),
  pipelines: list({ flags: "--pipelines", default: ["1", "16"], help: "requests in one write" }),
  ...loadOptions,
};

type BenchOptions = Values<typeof benchOptions>;

/** What one server did under one workload: the medians over the rounds. */
interface Row {
  readonly protocol: Protocol;
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
  /** CPU time divided by that of the same server over the text protocol. */
  readonly cpuToText: number | undefined;
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

if (import.meta.main) {
  await runBench({
    manual: {
      usage: "deno task bench [options]",
      about: "Measures kvs against memcached -t 1 on this machine.",
    },
    options: benchOptions,
    programs: { memcached: ["memcached", "-V"] },
    measure: measureAll,
    text,
  });
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
  const { valueSize, keys } = options;
  for (const operation of chosen("operations", options.operations, ["get", "set"])) {
    for (const connections of numbers("connections", options.connections)) {
      for (const pipeline of numbers("pipelines", options.pipelines)) {
        const shapes = chosen("protocols", options.protocols, [...protocols]).map((protocol) => ({
          ...{ protocol, operation, connections, pipeline, valueSize, keys },
        }));
        rows.push(...await measureInTurn(servers, shapes, options));
      }
    }
  }
  return rows;
}

type Shape = Omit<Task, "port" | "pid" | "warmUpSeconds" | "seconds"> & {
  readonly protocol: Protocol;
  readonly operation: Operation;
};

function commandsOf(
  { stores, valueSize }: BenchOptions,
  directory: string,
): Map<string, (port: number) => [string, ...string[]]> {
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
        ? ["kvs memory", (port) => kvsScript(port, "--store", "memory", "-m", "1024")]
        : [
          `kvs disk ${store}`,
          (port) =>
            kvsScript(
              port,
              "--store",
              "disk",
              "--data-dir",
              `${directory}/${store}`,
              "--fsync",
              store,
            ),
        ]
    ),
  ]);
}

/**
 * Round after round, each server and protocol once a round, so that what else the machine does hits all
 * alike.
 */
async function measureInTurn(
  servers: Map<string, Server>,
  shapes: readonly Shape[],
  { rounds, seconds }: BenchOptions,
): Promise<Row[]> {
  const found = new Map<Shape, Map<string, Measurement[]>>();
  const progress = new Progress();
  for (let round = 1; round <= rounds; round++) {
    for (const shape of shapes) {
      const ofShape = found.getOrInsertComputed(shape, () => new Map());
      for (const [name, { port, pid }] of servers) {
        // The echo tells requests apart by their first byte, which all frames have in common.
        if (name === ECHO && shape.protocol !== "text") continue;
        progress.show(() => `${shapeText(shape)}, round ${round} of ${rounds}: ${name}`);
        const task = { ...shape, port, pid, seconds: seconds / 1000 };
        ofShape.getOrInsertComputed(name, () => []).push(await measure(task));
      }
    }
  }
  progress.clear();
  const text = shapes.find(({ protocol }) => protocol === "text");
  return shapes.flatMap((shape) => rowsOf(shape, found.get(shape)!, text && found.get(text)));
}

/** @param inText what the same servers did over the text protocol */
function rowsOf(
  shape: Shape,
  found: Map<string, Measurement[]>,
  inText: Map<string, Measurement[]> | undefined,
): Row[] {
  const rate = (m: Measurement) => m.operations / m.seconds;
  const cpu = (m: Measurement) => m.serverCpu / m.operations;
  const baseline = found.get(BASELINE);
  return [...found].map(([server, measured]) => {
    const middle = (of: (m: Measurement) => number) => median(measured.map(of));
    // Round by round, as neighbours in time have met the same machine.
    const ratio = (of: (m: Measurement) => number, others: Measurement[] | undefined) =>
      others && median(measured.map((m, round) => of(m) / of(others[round]!)));
    const { protocol, operation, connections, pipeline } = shape;
    return {
      ...{ protocol, operation, connections, pipeline },
      server,
      operationsPerSecond: middle(rate),
      cpuMicroseconds: middle(cpu) * 1e6,
      throughputRatio: ratio(rate, baseline),
      cpuRatio: ratio(cpu, baseline),
      cpuToText: ratio(cpu, inText?.get(server)),
      generatorBusy: middle((m) => m.generatorBusy / m.seconds),
      othersShare: middle((m) => m.othersShare),
    };
  });
}

function text(rows: readonly Row[], options: BenchOptions): string {
  const { rounds, seconds, valueSize, keys } = options;
  const number = (figure: number | undefined) => figure?.toFixed(2) ?? "";
  const table = [
    [
      ...["server", "protocol", "op", "conns", "pipeline", "ops/s", "× memcached"],
      ...["CPU µs/op", "× memcached", "× text", "generator"],
    ],
    ...rows.map((row) => [
      ...[row.server, row.protocol, row.operation, `${row.connections}`, `${row.pipeline}`],
      ...[Math.round(row.operationsPerSecond).toLocaleString("en"), number(row.throughputRatio)],
      ...[row.cpuMicroseconds.toFixed(2), number(row.cpuRatio), number(row.cpuToText)],
      `${row.generatorBusy >= LIMIT ? "* " : ""}${Math.round(row.generatorBusy * 100)} %`,
    ]),
  ];
  return [
    `${valueSize} B values, ${keys} keys; the median of ${rounds} rounds of ${seconds / 1000} s`,
    "",
    textOf(table),
    "",
    `${ECHO} counts bytes and answers with the same ones: what the generator can do at most.`,
    "generator: how much of the time it was busy; * it, and not the server, was the limit.",
    ...noiseText(rows.map((row) => row.othersShare)),
  ].join("\n");
}

function shapeText({ protocol, operation, connections, pipeline }: Shape): string {
  return `${protocol} ${operation}, ${connections} connections, pipeline ${pipeline}`;
}
