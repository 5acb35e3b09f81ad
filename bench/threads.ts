/**
 * Several threads against one, and against memcached: CPU time an operation, in turn on the same machine.
 *
 *     deno task bench-threads [--stores memory,everysec] [--threads 1,2] [--pipelines 1,16] …
 *
 * @module
 */

import { list } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { Progress } from "../lib/load/progress.ts";
import { loadOptions, runBench } from "./front.ts";
import type { Measurement } from "./generator.ts";
import { chosen, numbers } from "./lists.ts";
import { measure, median, noiseText } from "./measure.ts";
import { denoScript, type Server, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

const OPERATIONS = ["get", "set", "mixed"] as const;
type Operation = typeof OPERATIONS[number];

const options = {
  stores: list({
    flags: "--stores",
    default: ["memory"],
    help: "memory, and the disk by its --fsync",
  }),
  threads: list({ flags: "--threads", default: ["1", "2"], help: "how many, the baseline first" }),
  operations: list({
    flags: "--operations",
    default: [...OPERATIONS],
    help: "get, set, mixed: nine gets for a set",
  }),
  connections: list({ flags: "--connections", default: ["50"], help: "how many concurrently" }),
  pipelines: list({ flags: "--pipelines", default: ["1", "16"], help: "requests in one write" }),
  ...loadOptions,
};

type Options = Values<typeof options>;

/** What one server did under one workload: the medians over the rounds. */
interface Row {
  readonly server: string;
  readonly operation: Operation;
  readonly connections: number;
  readonly pipeline: number;
  readonly operationsPerSecond: number;
  readonly cpuMicroseconds: number;
  /** CPU time divided by that of the same store with the first number of threads, round by round. */
  readonly cpuRatio: number;
  readonly rateRatio: number;
  readonly othersShare: number;
}

if (import.meta.main) {
  await runBench({
    manual: {
      usage: "deno task bench-threads [options]",
      about: "Measures what several threads cost.",
    },
    options,
    programs: { memcached: ["memcached", "-V"] },
    measure: measureAll,
    text,
  });
}

async function measureAll(given: Options): Promise<Row[]> {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const threads = numbers("threads", given.threads);
  const groups: (readonly [name: string, server: Server])[][] = [];
  const start = async (name: string, command: (port: number) => [string, ...string[]]) =>
    [name, stack.use(await startServer(command))] as const;
  for (const store of ["memcached", ...given.stores]) {
    groups.push([]);
    for (const count of threads) {
      groups.at(-1)!.push(
        await start(
          `${store} -t ${count}`,
          (port) => commandOf(store, count, port, `${directory}/${store}-${count}`),
        ),
      );
    }
  }
  const rows: Row[] = [];
  for (const operation of chosen("operations", given.operations, [...OPERATIONS])) {
    for (const connections of numbers("connections", given.connections)) {
      for (const pipeline of numbers("pipelines", given.pipelines)) {
        rows.push(...await measureInTurn(groups, { operation, connections, pipeline }, given));
      }
    }
  }
  return rows;
}

function commandOf(
  store: string,
  threads: number,
  port: number,
  directory: string,
): [string, ...string[]] {
  const common = ["-t", `${threads}`, "-m", "1024", "-p", `${port}`];
  if (store === "memcached") return ["memcached", "-u", "nobody", ...common];
  if (store === "memory") return denoScript("server.ts", "--store", "memory", ...common);
  return denoScript("server.ts", "--data-dir", directory, "--fsync", store, ...common);
}

interface Shape {
  readonly operation: Operation;
  readonly connections: number;
  readonly pipeline: number;
}

async function measureInTurn(
  groups: readonly (readonly (readonly [name: string, server: Server])[])[],
  shape: Shape,
  { rounds, seconds, valueSize, keys }: Options,
): Promise<Row[]> {
  const found = new Map<string, Measurement[]>();
  const progress = new Progress();
  for (let round = 1; round <= rounds; round++) {
    for (const [name, { port, pid }] of groups.flat()) {
      const { operation, connections, pipeline } = shape;
      progress.show(() => `${operation} × ${pipeline}, round ${round} of ${rounds}: ${name}`);
      const task = { ...shape, valueSize, keys, port, pid, seconds: seconds / 1000, connections };
      found.getOrInsertComputed(name, () => []).push(await measure(task));
    }
  }
  progress.clear();
  const cpu = (m: Measurement) => m.serverCpu / m.operations;
  const rate = (m: Measurement) => m.operations / m.seconds;
  return groups.flatMap((group) => {
    const baseline = found.get(group[0]![0])!;
    return group.map(([server]) => {
      const measured = found.get(server)!;
      const middle = (of: (m: Measurement) => number) => median(measured.map(of));
      const ratio = (of: (m: Measurement) => number) =>
        median(measured.map((m, round) => of(m) / of(baseline[round]!)));
      return {
        server,
        ...shape,
        operationsPerSecond: middle(rate),
        cpuMicroseconds: middle(cpu) * 1e6,
        cpuRatio: ratio(cpu),
        rateRatio: ratio(rate),
        othersShare: middle((m) => m.othersShare),
      };
    });
  });
}

function text(rows: readonly Row[], { rounds, seconds, valueSize, keys }: Options): string {
  const table = [
    ["server", "op", "conns", "pipeline", "ops/s", "× first", "CPU µs/op", "× first", "others"],
    ...rows.map((row) => [
      ...[row.server, row.operation, `${row.connections}`, `${row.pipeline}`],
      ...[Math.round(row.operationsPerSecond).toLocaleString("en"), row.rateRatio.toFixed(2)],
      ...[row.cpuMicroseconds.toFixed(2), row.cpuRatio.toFixed(2)],
      `${Math.round(row.othersShare * 100)} %`,
    ]),
  ];
  return [
    `${valueSize} B values, ${keys} keys; the median of ${rounds} rounds of ${seconds / 1000} s`,
    "",
    textOf(table),
    "",
    "others: what other processes took of all cores meanwhile.",
    ...noiseText(rows.map((row) => row.othersShare)),
  ].join("\n");
}
