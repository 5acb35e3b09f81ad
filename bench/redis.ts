/**
 * kvs on Redis, by one and by two servers, against redis-benchmark on the same redis-server without
 * pipelining: operations a second, and CPU time an operation of kvs and of Redis.
 *
 *     deno run -A bench/redis.ts [--connections 50] [--seconds 1s] [--rounds 5]
 *
 * @module
 */

import { integer } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import type { Operation } from "./frames.ts";
import { loadOptions, runBench } from "./front.ts";
import { measure, median, NOISE, WARM_UP_SECONDS } from "./measure.ts";
import { cpuSeconds, kvsScript, type Server, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

const benchOptions = {
  connections: integer({ flags: "--connections", min: 1, default: 50, help: "to each server" }),
  ...loadOptions,
};

type BenchOptions = Values<typeof benchOptions>;

/** One measurement, of whatever drives Redis. */
interface Figure {
  readonly operation: Operation;
  readonly driver: string;
  readonly operationsPerSecond: number;
  /** CPU time an operation, in microseconds; kvs's is 0 where there is none. */
  readonly kvsCpu: number;
  readonly redisCpu: number;
  readonly othersShare: number;
}

const BASELINE = "redis-benchmark";
const ONE_SERVER = "1 kvs-server";
const OPERATIONS: readonly Operation[] = ["set", "get"];
/** How many requests redis-benchmark is given for each second wanted: it takes no time. */
const BASELINE_RATE = 80_000;

if (import.meta.main) {
  await runBench({
    manual: {
      usage: "deno run -A bench/redis.ts [options]",
      about: "Measures kvs on Redis against redis-benchmark on this machine.",
    },
    options: benchOptions,
    programs: { redis: ["redis-server", "--version"] },
    measure: measureAll,
    text,
  });
}

async function measureAll(options: BenchOptions): Promise<Figure[]> {
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
      stack.use(
        await startServer((port) => kvsScript(port, ...ofRedis)),
      ),
    );
  }
  const figures: Figure[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const operation of OPERATIONS) {
      const note = (driver: string, figure: Measured) =>
        figures.push({ operation, driver, ...figure });
      note(BASELINE, await baseline(operation, redis, options));
      note(ONE_SERVER, await load(operation, servers.slice(0, 1), redis, options));
      note("2 kvs-servers", await load(operation, servers, redis, options));
    }
  }
  return figures;
}

type Measured = Omit<Figure, "operation" | "driver">;

async function baseline(
  operation: Operation,
  redis: Server,
  { connections, valueSize, keys, seconds }: BenchOptions,
): Promise<Measured> {
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
): Promise<Measured> {
  const before = cpuSeconds(redis.pid);
  const begun = performance.now();
  const workload = { operation, connections, pipeline: 1, valueSize, keys };
  const found = await Promise.all(
    servers.map(({ port, pid }) => measure({ ...workload, port, pid, seconds: seconds / 1000 })),
  );
  const sum = (of: (m: typeof found[number]) => number) =>
    found.reduce((total, m) => total + of(m), 0);
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

function text(figures: readonly Figure[], options: BenchOptions): string {
  const { connections, valueSize, keys, rounds, seconds } = options;
  const middle = (operation: Operation, driver: string, of: (figure: Figure) => number) =>
    median(
      figures.filter((f) => f.operation === operation && f.driver === driver).map(of),
    );
  const drivers = [...new Set(figures.map(({ driver }) => driver))];
  const rows = OPERATIONS.flatMap((operation) =>
    drivers.map((driver) => {
      const rate = middle(operation, driver, (f) => f.operationsPerSecond);
      const kvs = middle(operation, driver, (f) => f.kvsCpu);
      return [
        driver,
        operation,
        Math.round(rate).toLocaleString("en"),
        (rate / middle(operation, BASELINE, (f) => f.operationsPerSecond)).toFixed(2),
        kvs === 0 ? "" : kvs.toFixed(1),
        middle(operation, driver, (f) => f.redisCpu).toFixed(1),
      ];
    })
  );
  // With two servers the other one counts as a stranger.
  const noise = median(
    figures.filter(({ driver }) => driver === ONE_SERVER).map((figure) => figure.othersShare),
  );
  return [
    `${connections} connections to each server, ${valueSize} B values, ${keys} keys; ` +
    `the median of ${rounds} rounds of ${seconds / 1000} s`,
    "",
    textOf([
      ["driven by", "op", "ops/s", `× ${BASELINE}`, "kvs CPU µs/op", "redis CPU µs/op"],
      ...rows,
    ]),
    "",
    `Other processes, Redis among them, took ${Math.round(noise * 100)} % of the cores.`,
    ...(noise >= 3 * NOISE ? ["That is too much: operations a second are too few and vary."] : []),
  ].join("\n");
}
