/**
 * The Google Cloud Storage store against the emulator, which runs in a process of its own and is as
 * slow as the service: operations a second and the store's CPU time an operation.
 *
 *     deno run -A bench/gcs.ts [--connections 64,256,512] [--seconds 3] …
 *
 * @module
 */

import process from "node:process";
import { bytesOf } from "../lib/bytes.ts";
import { systemClock } from "../lib/clock.ts";
import { duration, integer, list } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { crc32c } from "../lib/crc32c.ts";
import { openGcsStore } from "../lib/storage/gcs/mod.ts";
import { Batch, type Store } from "../lib/storage/contract.ts";
import { runBench } from "./front.ts";
import { itemOf } from "./item.ts";
import { denoScript, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

const benchOptions = {
  connections: list({
    flags: "--connections",
    default: ["64", "256", "512"],
    help: "how many are in flight",
  }),
  seconds: duration({ flags: "--seconds", min: 100, default: 3000, help: "of one measurement" }),
  valueSize: integer({ flags: "--value-size", min: 0, default: 100, help: "bytes of a value" }),
  readLatency: list({
    flags: "--read-latency",
    default: ["25", "50"],
    help: "quantiles of the service's answers to reads, in milliseconds; 0 for none",
  }),
  writeLatency: list({
    flags: "--write-latency",
    default: ["45", "90"],
    help: "the same of writes",
  }),
};

/** What one measurement returned. */
interface Row {
  readonly operation: string;
  readonly connections: number;
  readonly operationsPerSecond: number;
  /** That, divided by what the service's latency lets so many connections do at most. */
  readonly ofCeiling: number;
  /** CPU time of the store an operation, in microseconds. */
  readonly cpuMicroseconds: number;
  /** Milliseconds that an operation took: the median, and what 99 of 100 stayed under. */
  readonly median: number;
  readonly p99: number;
}

/** How many keys a `get 100` asks for. */
const MULTIGET = 100;

async function measure(
  operation: string,
  connections: number,
  milliseconds: number,
  latency: number,
  work: (round: number) => Promise<unknown>,
): Promise<Row> {
  const times: number[] = [];
  const cpu = process.cpuUsage();
  const began = performance.now();
  let round = 0;
  await Promise.all(Array.from({ length: connections }, async () => {
    while (performance.now() < began + milliseconds) {
      const start = performance.now();
      await work(round++);
      times.push(performance.now() - start);
    }
  }));
  const took = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const operationsPerSecond = times.length / took * 1000;
  return {
    operation,
    connections,
    operationsPerSecond: Math.round(operationsPerSecond),
    ofCeiling: Math.round(operationsPerSecond * latency / connections / 10) / 100,
    cpuMicroseconds: Math.round((user + system) / times.length),
    median: Math.round(times[times.length >> 1]),
    p99: Math.round(times[Math.floor(times.length * 0.99)]),
  };
}

/** The mean of a distribution that evenly spaced quantiles describe. */
function meanOf(quantiles: readonly string[]): number {
  const points = quantiles.map(Number);
  const ends = (points[0]! + points.at(-1)!) / 2;
  if (points.length === 1) return ends;
  const sum = points.reduce((sum, point) => sum + point, 0);
  return (sum - ends) / (points.length - 1);
}

async function measureAll(store: Store, options: Values<typeof benchOptions>): Promise<Row[]> {
  const item = itemOf(new Uint8Array(options.valueSize).fill(120));
  const batch = new Batch();
  const rows: Row[] = [];
  const reads = meanOf(options.readLatency);
  const writes = meanOf(options.writeLatency);
  let stored = 0;
  for (const connections of options.connections.map(Number)) {
    const set = () => Promise.resolve(store.swap(bytesOf(`key:${stored++}`), "any", item, batch));
    rows.push(await measure("set", connections, options.seconds, writes, set));
    const get = async (round: number) => await store.read(bytesOf(`key:${round % stored}`), batch);
    rows.push(await measure("get", connections, options.seconds, reads, get));
  }
  const getMany = (round: number) =>
    Promise.all(
      Array.from({ length: MULTIGET }, (_, i) =>
        store.read(bytesOf(`key:${(round * MULTIGET + i) % stored}`), batch)),
    );
  // It takes as long as the slowest of so many.
  const slowest = Number(options.readLatency.at(-1));
  rows.push(await measure(`get ${MULTIGET}`, 1, options.seconds, slowest, getMany));
  // What every value costs once when it is written and once when it is read.
  const random = crypto.getRandomValues(new Uint8Array(1 << 16));
  const large = new Uint8Array(1 << 20).map((_, at) => random[at % random.length]);
  const check = () => Promise.resolve(crc32c(large));
  rows.push(await measure("CRC of 1 MiB", 1, options.seconds, 0, check));
  return rows;
}

async function measureEmulated(options: Values<typeof benchOptions>): Promise<Row[]> {
  await using emulator = await startServer((port) =>
    denoScript(
      "tests/storage/gcs/emulator/main.ts",
      ...["--port", `${port}`, "--bucket", "bench"],
      ...["--read-latency", options.readLatency.join()],
      ...["--write-latency", options.writeLatency.join()],
    )
  );
  const store = await openGcsStore({
    clock: systemClock,
    log: console.error,
    bucket: "bench",
    endpoint: `http://127.0.0.1:${emulator.port}`,
    concurrency: Math.max(...options.connections.map(Number)),
  });
  const rows = await measureAll(store, options);
  await store.close();
  return rows;
}

function text(rows: readonly Row[]): string {
  return textOf([
    ["op", "conns", "ops/s", "of ceiling", "CPU µs/op", "median, ms", "p99, ms"],
    ...rows.map((row) => Object.values(row).map(String)),
  ]);
}

if (import.meta.main) {
  await runBench({
    manual: {
      usage: "deno run -A bench/gcs.ts [options]",
      about: "Measures the Google Cloud Storage store against the emulator on this machine.",
    },
    options: benchOptions,
    programs: {},
    measure: measureEmulated,
    text,
  });
}
