/**
 * kvs on Redis, by one and by two servers, against redis-benchmark on the same redis-server without
 * pipelining: operations a second, and CPU time an operation of kvs and of Redis.
 *
 *     deno run -A bench/redis.ts [--connections 50] [--seconds 1s] [--rounds 5]
 *
 * @module
 */

import { helpText, type Manual } from "../lib/cli/help.ts";
import { duration, flag, integer } from "../lib/cli/option.ts";
import { parseOptions, type Values } from "../lib/cli/parse.ts";
import { run } from "../lib/cli/run.ts";
import { Exit } from "../lib/errors.ts";
import type { Operation } from "./frames.ts";
import type { Measurement, Task } from "./generator.ts";
import { describeMachine, machineText } from "./machine.ts";
import { cpuSeconds, denoScript, type Server, startServer } from "./processes.ts";

const benchOptions = {
  connections: integer({ flags: "--connections", min: 1, default: 50, help: "to each server" }),
  valueSize: integer({ flags: "--value-size", min: 1, default: 100, help: "bytes of a value" }),
  keys: integer({ flags: "--keys", min: 1, default: 10_000, help: "how many different keys" }),
  seconds: duration({ flags: "--seconds", min: 100, default: 1000, help: "of one measurement" }),
  rounds: integer({
    flags: "--rounds",
    min: 1,
    default: 5,
    help: "the median of so many is shown",
  }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
};

type BenchOptions = Values<typeof benchOptions>;

const manual: Manual = {
  usage: "deno run -A bench/redis.ts [options]",
  about: "Measures kvs on Redis against redis-benchmark on this machine.",
};

/** One measurement, of whatever drives Redis. */
interface Figure {
  readonly operationsPerSecond: number;
  /** CPU time an operation, in microseconds; kvs's is 0 where there is none. */
  readonly kvsCpu: number;
  readonly redisCpu: number;
  readonly othersShare: number;
}

const BASELINE = "redis-benchmark";
const OPERATIONS: readonly Operation[] = ["set", "get"];
const WARM_UP_SECONDS = 0.4;
/** How many requests redis-benchmark is given for each second wanted: it takes no time. */
const BASELINE_RATE = 80_000;
/** From this share of the machine on other processes make throughput doubtful. */
const NOISE = 0.1;

if (import.meta.main) await run("bench", main);

async function main(args: readonly string[]): Promise<number> {
  const { options } = parseOptions(benchOptions, args);
  if (options.help) {
    console.log(helpText(manual, benchOptions).trimEnd());
    return Exit.ok;
  }
  const machine = await describeMachine({ redis: ["redis-server", "--version"] });
  console.log(`${machineText(machine)}\n\n${table(options, await measureAll(options))}`);
  return Exit.ok;
}

async function measureAll(options: BenchOptions): Promise<Map<string, Figure[]>> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(
    await startServer((port) => {
      const place = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", "/tmp"];
      return ["redis-server", ...place, "--save", "", "--appendonly", "no"];
    }),
  );
  const servers: Server[] = [];
  for (let i = 0; i < 2; i++) {
    const url = `redis://127.0.0.1:${redis.port}`;
    const ofRedis = ["--store", "redis", "--redis-url", url, "--prefix", "bench:"];
    servers.push(
      stack.use(await startServer((port) => denoScript("server.ts", "-p", `${port}`, ...ofRedis))),
    );
  }
  const figures = new Map<string, Figure[]>();
  for (let round = 0; round < options.rounds; round++) {
    for (const operation of OPERATIONS) {
      const note = (name: string, figure: Figure) =>
        figures.getOrInsertComputed(`${operation} ${name}`, () => []).push(figure);
      note(BASELINE, await baseline(operation, redis, options));
      note("1 kvs-server", await load(operation, servers.slice(0, 1), redis, options));
      note("2 kvs-servers", await load(operation, servers, redis, options));
    }
  }
  return figures;
}

async function baseline(
  operation: Operation,
  redis: Server,
  { connections, valueSize, keys, seconds }: BenchOptions,
): Promise<Figure> {
  const requests = Math.round(BASELINE_RATE * seconds / 1000);
  const before = cpuSeconds(redis.pid);
  const { stdout } = await new Deno.Command("redis-benchmark", {
    args: [
      ...["-p", `${redis.port}`, "-c", `${connections}`, "-n", `${requests}`, "-P", "1"],
      ...["-d", `${valueSize}`, "-r", `${keys}`, "-t", operation, "--csv"],
    ],
  }).output();
  const rate = /^"[A-Z]+","([\d.]+)"/m.exec(new TextDecoder().decode(stdout));
  if (rate === null) throw new Error("redis-benchmark says nothing");
  return {
    operationsPerSecond: Number(rate[1]),
    kvsCpu: 0,
    redisCpu: (cpuSeconds(redis.pid) - before) / requests * 1e6,
    othersShare: 0,
  };
}

/** Each server gets its generator, all at the same time. */
async function load(
  operation: Operation,
  servers: readonly Server[],
  redis: Server,
  { connections, valueSize, keys, seconds }: BenchOptions,
): Promise<Figure> {
  const before = cpuSeconds(redis.pid);
  const begun = performance.now();
  const found = await Promise.all(servers.map(async ({ port, pid }): Promise<Measurement> => {
    const task: Task = {
      ...{ operation, port, pid, connections, pipeline: 1, valueSize, keys },
      ...{ warmUpSeconds: WARM_UP_SECONDS, seconds: seconds / 1000 },
    };
    const [program, ...args] = denoScript("bench/generator.ts", JSON.stringify(task));
    const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  }));
  const sum = (of: (m: Measurement) => number) => found.reduce((total, m) => total + of(m), 0);
  const operations = sum((m) => m.operations);
  const operationsPerSecond = sum((m) => m.operations / m.seconds);
  // Redis also served the warm-up, at the same rate; little else of that time was its.
  const served = operationsPerSecond *
    Math.min(seconds / 1000 + WARM_UP_SECONDS, (performance.now() - begun) / 1000);
  return {
    operationsPerSecond,
    kvsCpu: sum((m) => m.serverCpu) / operations * 1e6,
    redisCpu: (cpuSeconds(redis.pid) - before) / served * 1e6,
    othersShare: Math.max(...found.map((m) => m.othersShare)),
  };
}

function table(options: BenchOptions, figures: Map<string, Figure[]>): string {
  const { connections, valueSize, keys, rounds, seconds } = options;
  const lines = [
    `${connections} connections to each server, ${valueSize} B values, ${keys} keys; ` +
    `the median of ${rounds} rounds of ${seconds / 1000} s`,
    "",
    "op   driven by            ops/s  × redis-benchmark  kvs CPU µs/op  redis CPU µs/op",
  ];
  for (const [name, all] of figures) {
    const [operation] = name.split(" ", 1);
    const of = (pick: (figure: Figure) => number) => median(all.map(pick));
    const base = median(
      figures.get(`${operation} ${BASELINE}`)!.map((figure) => figure.operationsPerSecond),
    );
    const rate = of((figure) => figure.operationsPerSecond);
    const kvs = of((figure) => figure.kvsCpu);
    lines.push([
      operation,
      name.slice(operation!.length + 1).padEnd(16),
      Math.round(rate).toLocaleString("en").padStart(9),
      (rate / base).toFixed(2).padStart(17),
      (kvs === 0 ? "" : kvs.toFixed(1)).padStart(13),
      of((figure) => figure.redisCpu).toFixed(1).padStart(15),
    ].join("  "));
  }
  // With two servers the other one counts as a stranger.
  const single = [...figures].filter(([name]) => name.endsWith("1 kvs-server"));
  const noise = median(single.flatMap(([, all]) => all.map((figure) => figure.othersShare)));
  lines.push(
    "",
    `Other processes, Redis among them, took ${Math.round(noise * 100)} % of the cores.`,
  );
  if (noise >= 3 * NOISE) lines.push("That is too much: operations a second are too few and vary.");
  return lines.join("\n");
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
