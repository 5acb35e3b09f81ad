/**
 * The emulator as a program of its own: to try the store, and to measure it without paying for this.
 *
 *     deno task emulator --port 4443 --bucket bucket --mutation-interval 1000 \
 *       --read-latency 25,50 --write-latency 45,90
 *
 * It prints its endpoint when it is ready, and ends with SIGTERM or SIGINT.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { Emulator } from "./mod.ts";

const args = parseArgs(Deno.args, {
  string: [
    "port",
    "bucket",
    "mutation-interval",
    "read-latency",
    "write-latency",
    "reads-per-second",
    "writes-per-second",
  ],
});

const emulator = await Emulator.start({
  port: Number(args.port ?? 0),
  buckets: (args.bucket ?? "bucket").split(","),
  mutationInterval: Number(args["mutation-interval"] ?? 1000),
  readLatency: quantiles(args["read-latency"]),
  writeLatency: quantiles(args["write-latency"]),
  readsPerSecond: Number(args["reads-per-second"] ?? Infinity),
  writesPerSecond: Number(args["writes-per-second"] ?? Infinity),
});
console.log(emulator.endpoint);
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.addSignalListener(signal, () => Deno.exit(0));
}

function quantiles(text: string | undefined): number[] {
  return text === undefined ? [] : text.split(",").map(Number);
}
