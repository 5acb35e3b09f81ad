/**
 * What compaction costs those who do not wait for it: the latency of gets and sets through a real
 * server while nothing is compacted, and while the same load overwrites the same keys for ever.
 *
 * @module
 */

import { Client } from "../../lib/client/client.ts";
import { Histogram } from "../../lib/load/histogram.ts";
import { Lines } from "../../lib/load/lines.ts";
import { runLoad } from "../../lib/load/load.ts";
import type { Plan } from "../../lib/load/runner.ts";
import { keyOf } from "../frames.ts";
import { kvsScript, startServer } from "../processes.ts";

/** What is measured. */
export interface CompactionOptions {
  readonly directory: string;
  readonly keys: number;
  readonly valueSize: number;
  /** Requests a second where it is not as many as can be. */
  readonly rate: number;
  readonly connections: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** The server's `--max-disk`, which makes its segments small; none for 0. */
  readonly maxDisk: number;
}

/** Segments that are given up before compaction counts as going on. */
const UNDER_WAY = 3;

/** Prints the table. */
export async function measureCompaction(options: CompactionOptions): Promise<void> {
  const { directory, keys, valueSize, rate, connections, seconds, maxDisk } = options;
  const bound = maxDisk === 0 ? [] : ["--max-disk", String(maxDisk)];
  await using server = await startServer((port) =>
    kvsScript(port, "--store", "disk", "--data-dir", directory, ...bound)
  );
  const servers = [`127.0.0.1:${server.port}`];
  using client = new Client({ servers });
  const plan: Omit<Plan, "thread"> = {
    threads: 1,
    servers,
    timeout: 30_000,
    clients: connections,
    pipeline: 1,
    requests: Infinity,
    duration: seconds * 1000,
    getRatio: 0.5,
    keys: Lines.make(keys, (out, index) => out.ascii(keyOf(index))).shared,
    keyDistribution: "uniform",
    valueSizes: String(valueSize),
    seed: 1,
  };
  const load = new Measured(client, plan);
  await fill(client, keys, valueSize);
  row(["", "a second", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "given up", "log/live", "errors"]);
  // For the code to get warm; nearly all gets, so that there is nothing to be compacted.
  await runLoad({ ...plan, getRatio: 0.9 });
  const before = await load.run(`${rate} a second, no compaction`, { rate });
  const beforeFull = await load.run("flat out, no compaction", {
    duration: Math.min(plan.duration, 1500),
  });
  while (await load.own("compactions") < UNDER_WAY) {
    await runLoad({ ...plan, getRatio: 0, duration: 1000 });
  }
  const after = await load.run(`${rate} a second, compaction`, { rate });
  const afterFull = await load.run("flat out, compaction", {});
  console.log(
    `p99 with compaction, divided by p99 without: ${(after / before).toFixed(2)} at the rate, ` +
      `${(afterFull / beforeFull).toFixed(2)} flat out`,
  );
}

/** One load after another on the same server, each a line of the table. */
class Measured {
  readonly #client: Client;
  readonly #plan: Omit<Plan, "thread">;

  constructor(client: Client, plan: Omit<Plan, "thread">) {
    this.#client = client;
    this.#plan = plan;
  }

  /** A figure of `stats disk`. */
  async own(name: string): Promise<number> {
    const [figures] = (await this.#client.stats("disk")).values();
    return Number(figures!.get(name));
  }

  /** Returns the 99th percentile in milliseconds. */
  async run(name: string, load: Partial<Plan>): Promise<number> {
    const before = await this.own("compactions");
    const { tally, seconds } = await runLoad({ ...this.#plan, ...load });
    const latency = new Histogram();
    latency.add(tally.commands.get.latency);
    latency.add(tally.commands.set.latency);
    const p99 = latency.percentile(99);
    row([
      name,
      (tally.requests / seconds).toFixed(0),
      ...[latency.percentile(50), p99, latency.percentile(99.9), latency.max].map((one) =>
        one.toFixed(2)
      ),
      String(await this.own("compactions") - before),
      (await this.own("log_bytes") / await this.own("live_bytes")).toFixed(2),
      String(tally.errorCount + tally.wrongCount),
    ]);
    return p99;
  }
}

async function fill(client: Client, keys: number, valueSize: number): Promise<void> {
  const value = new Uint8Array(valueSize);
  for (let next = 0; next < keys;) {
    const batch = Array.from({ length: Math.min(1000, keys - next) }, () => keyOf(next++));
    await Promise.all(batch.map((key) => client.set(key, value)));
  }
}

function row(cells: readonly string[]): void {
  const [first, ...others] = cells;
  console.log(first!.padEnd(34) + others.map((cell) => cell.padStart(11)).join(""));
}
