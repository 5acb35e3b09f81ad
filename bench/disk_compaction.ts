/**
 * What compaction costs those who do not wait for it: the latency of gets and sets through a real
 * server while nothing is compacted, and while the same load overwrites the same keys for ever.
 *
 *     deno run -A bench/disk_compaction.ts [--rate 20000] [--keys 400000] [--value 1000] …
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { Client } from "../lib/client/client.ts";
import { Histogram } from "../lib/load/histogram.ts";
import { Lines } from "../lib/load/lines.ts";
import { runLoad } from "../lib/load/load.ts";
import type { Plan } from "../lib/load/runner.ts";
import { denoScript, startServer } from "./processes.ts";

const args = parseArgs(Deno.args, {
  string: ["dir"],
  default: { rate: 20_000, keys: 400_000, value: 1000, seconds: 20, connections: 20 },
});
const KEYS = Number(args.keys);
const directory = args.dir ?? await Deno.makeTempDir({ prefix: "kvs-compaction-" });

await using stack = new AsyncDisposableStack();
if (args.dir === undefined) stack.defer(() => Deno.remove(directory, { recursive: true }));
const server = stack.use(
  await startServer((port) =>
    denoScript("server.ts", "-p", `${port}`, "--store", "disk", "--data-dir", directory)
  ),
);
const client = stack.use(new Client({ servers: [`127.0.0.1:${server.port}`] }));
stack.defer(() => client.close());

const plan: Omit<Plan, "thread"> = {
  threads: 1,
  servers: [`127.0.0.1:${server.port}`],
  timeout: 30_000,
  clients: Number(args.connections),
  pipeline: 1,
  requests: Infinity,
  duration: Number(args.seconds) * 1000,
  getRatio: 0.5,
  keys: Lines.make(KEYS, (out, index) => out.ascii(keyOf(index))).shared,
  keyDistribution: "uniform",
  valueSizes: String(args.value),
  seed: 1,
};

function keyOf(index: number): string {
  return `key:${String(index).padStart(10, "0")}`;
}

async function own(name: string): Promise<number> {
  const [figures] = (await client.stats("disk")).values();
  return Number(figures!.get(name));
}

async function fill(): Promise<void> {
  const value = new Uint8Array(Number(args.value));
  for (let next = 0; next < KEYS;) {
    const batch = Array.from({ length: Math.min(1000, KEYS - next) }, () => keyOf(next++));
    await Promise.all(batch.map((key) => client.set(key, value)));
  }
}

function row(cells: readonly string[]): void {
  const [first, ...others] = cells;
  console.log(first!.padEnd(34) + others.map((cell) => cell.padStart(11)).join(""));
}

/** One line of the table; gives the 99th percentile in milliseconds. */
async function measure(name: string, load: Partial<Plan>): Promise<number> {
  const before = await own("compactions");
  const { tally, seconds } = await runLoad({ ...plan, ...load });
  const latency = new Histogram();
  latency.add(tally.commands.get.latency);
  latency.add(tally.commands.set.latency);
  const milliseconds = (of: number) => of.toFixed(2);
  const p99 = latency.percentile(99);
  row([
    name,
    (tally.requests / seconds).toFixed(0),
    milliseconds(latency.percentile(50)),
    milliseconds(p99),
    milliseconds(latency.percentile(99.9)),
    milliseconds(latency.max),
    String(await own("compactions") - before),
    (await own("log_bytes") / await own("live_bytes")).toFixed(2),
    String(tally.errorCount + tally.wrongCount),
  ]);
  return p99;
}

await fill();
row(["", "a second", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "compacted", "log/live", "errors"]);
// For the code to get warm; gets alone, so that nothing is there to be compacted.
await runLoad({ ...plan, duration: 2000, getRatio: 0.9 });
const rate = Number(args.rate);
const quiet = await measure(`${rate} a second, no compaction`, { rate });
const quietFull = await measure("flat out, no compaction", { duration: 1500 });
while (await own("compactions") < 3) await runLoad({ ...plan, getRatio: 0, duration: 1000 });
const busy = await measure(`${rate} a second, compaction`, { rate });
const busyFull = await measure("flat out, compaction", {});
console.log(
  `p99 with compaction, divided by p99 without: ${(busy / quiet).toFixed(2)} at the rate, ` +
    `${(busyFull / quietFull).toFixed(2)} flat out`,
);
