/**
 * What durability costs, kvs beside Redis: sets under each `--fsync`, and under the `appendfsync` of
 * the same name, from the same generator on the same disk. Redis is told them in its own protocol.
 *
 *     deno task bench-fsync [--connections 50] [--dir DIR] …
 *
 * @module
 */

import { integer, text as textOption } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { Exit, ExitError } from "../lib/errors.ts";
import { Progress } from "../lib/load/progress.ts";
import { loadOptions, runBench } from "./front.ts";
import type { Measurement } from "./generator.ts";
import { versionOf } from "./machine.ts";
import { measure, median, noiseText } from "./measure.ts";
import { kvsScript, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

const benchOptions = {
  connections: integer({ flags: "--connections", min: 1, default: 50, help: "how many are open" }),
  dir: textOption({
    flags: "--dir",
    value: "DIR",
    help: "on which disk; the system's temporary directory otherwise",
  }),
  ...loadOptions,
};

type BenchOptions = Values<typeof benchOptions>;

const REDIS = ["redis-server", "--version"] as const;
const POLICIES = ["always", "everysec", "no"] as const;
const SERVERS = ["kvs", "redis"] as const;

/** What one server did under one policy: the medians over the rounds. */
interface Row {
  readonly fsync: typeof POLICIES[number];
  readonly server: typeof SERVERS[number];
  readonly setsPerSecond: number;
  /** CPU time of the server a set, in microseconds. */
  readonly cpuMicroseconds: number;
  /** Sets a second divided by those of Redis under the same policy, the median over the rounds. */
  readonly ofRedis: number;
  readonly othersShare: number;
}

if (import.meta.main) {
  await runBench({
    manual: {
      usage: "deno task bench-fsync [options]",
      about: "Measures what syncs cost kvs, and what they cost Redis on the same disk.",
    },
    options: benchOptions,
    programs: { redis: REDIS },
    measure: measureAll,
    text,
  });
}

async function measureAll(options: BenchOptions): Promise<Row[]> {
  if (await versionOf(REDIS) === undefined) {
    throw new ExitError("redis-server is not installed", Exit.unavailable);
  }
  const { connections, valueSize, keys, seconds, rounds } = options;
  const workload = { operation: "set", connections, pipeline: 1, valueSize, keys } as const;
  const rows: Row[] = [];
  const progress = new Progress();
  for (const fsync of POLICIES) {
    const directory = await Deno.makeTempDir({ prefix: "kvs-fsync-", dir: options.dir });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const kvs = stack.use(await startServer((port) => kvsOn(port, directory, fsync)));
    const redis = stack.use(await startServer((port) => redisOn(port, directory, fsync)));
    const found: Record<Row["server"], Measurement[]> = { kvs: [], redis: [] };
    for (let round = 1; round <= rounds; round++) {
      progress.show(() => `${fsync}, round ${round} of ${rounds}`);
      const task = { ...workload, seconds: seconds / 1000 };
      found.kvs.push(await measure({ ...task, port: kvs.port, pid: kvs.pid }));
      found.redis.push(
        await measure({ ...task, protocol: "redis", port: redis.port, pid: redis.pid }),
      );
    }
    const rate = (m: Measurement) => m.operations / m.seconds;
    for (const server of SERVERS) {
      const measured = found[server];
      rows.push({
        fsync,
        server,
        setsPerSecond: median(measured.map(rate)),
        cpuMicroseconds: median(measured.map((m) => m.serverCpu / m.operations)) * 1e6,
        ofRedis: median(measured.map((m, round) => rate(m) / rate(found.redis[round]!))),
        othersShare: median(measured.map((m) => m.othersShare)),
      });
    }
  }
  progress.clear();
  return rows;
}

function kvsOn(port: number, directory: string, fsync: string): [string, ...string[]] {
  return kvsScript(port, "--data-dir", `${directory}/kvs`, "--fsync", fsync);
}

function redisOn(port: number, directory: string, fsync: string): [string, ...string[]] {
  const place = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory];
  return ["redis-server", ...place, "--save", "", "--appendonly", "yes", "--appendfsync", fsync];
}

function text(rows: readonly Row[], options: BenchOptions): string {
  const { connections, valueSize, keys, rounds, seconds } = options;
  return [
    `sets of ${valueSize} B on ${connections} connections, ${keys} keys; ` +
    `the median of ${rounds} rounds of ${seconds / 1000} s`,
    "",
    textOf([
      ["fsync", "server", "sets/s", "× redis", "CPU µs/set"],
      ...rows.map((row) => [
        ...[row.fsync, row.server, Math.round(row.setsPerSecond).toLocaleString("en")],
        ...[row.ofRedis.toFixed(2), row.cpuMicroseconds.toFixed(1)],
      ]),
    ]),
    "",
    ...noiseText(rows.map((row) => row.othersShare)),
  ].join("\n").trimEnd();
}
