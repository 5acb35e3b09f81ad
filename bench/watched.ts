/**
 * What it costs a server to be watched: histograms of request times, hot keys and the live page's samples
 * (`--http`), and slow requests (`--slow-ms`), against the same server without.
 *
 *     deno task bench-watched [--rounds 60]
 *
 * Short measurements take turns. On a machine that does other work most of them are too long, by caches that
 * others have emptied: the lowest tenths of both are compared.
 *
 * @module
 */

import { bytesOf } from "../lib/bytes.ts";
import { integer } from "../lib/cli/option.ts";
import { runBench } from "./front.ts";
import { freePort, kvsScript, type Server, startServer, threadSeconds } from "./processes.ts";
import { textOf } from "./tables.ts";

const CONNECTIONS = 20;
const PIPELINES = [1, 16] as const;
const VALUE = "v".repeat(100);
const REPLY = `VALUE key 0 100\r\n${VALUE}\r\nEND\r\n`.length;

/** CPU of a get in microseconds: the lowest tenth of its measurements is below that. */
interface Row {
  readonly watched: string;
  readonly pipeline: number;
  readonly cpuMicroseconds: number;
  readonly load: number;
}

await runBench({
  manual: {
    usage: "deno task bench-watched [options]",
    about: `Measures the CPU of gets with and without what watches them; ${CONNECTIONS} clients.`,
  },
  options: {
    rounds: integer({ flags: "--rounds", min: 1, default: 60, help: "measurements of each" }),
    batches: integer({
      flags: "--batches",
      min: CONNECTIONS,
      default: 20_000,
      help: "batches of requests of one measurement",
    }),
  },
  programs: {},
  measure: measureAll,
  text: (rows) =>
    `load ${rows[0]!.load.toFixed(1)}\n\n` + textOf([
      ["", "pipeline of", "CPU us a get", "more"],
      ...rows.map(({ watched, pipeline, cpuMicroseconds }) => [
        watched,
        `${pipeline}`,
        cpuMicroseconds.toFixed(3),
        shareOf(cpuMicroseconds, rows.find((row) => row.pipeline === pipeline)!),
      ]),
    ]),
});

/** By how much it is more than without. */
function shareOf(cpu: number, { cpuMicroseconds }: Row): string {
  return `${((cpu / cpuMicroseconds - 1) * 100).toFixed(1)} %`;
}

async function measureAll(
  { rounds, batches }: { rounds: number; batches: number },
): Promise<Row[]> {
  const each = Math.floor(batches / CONNECTIONS);
  await using servers = new AsyncDisposableStack();
  const running: { watched: string; server: Server }[] = [];
  for (
    const [watched, ...options] of [
      ["not watched"],
      ["--http", "--http", `${freePort()}`],
      ["--http --slow-ms 100", "--http", `${freePort()}`, "--slow-ms", "100"],
    ]
  ) {
    const server = servers.use(
      await startServer((port) => kvsScript(port, "--store", "memory", ...options)),
    );
    await exchange(server.port, bytesOf(`set key 0 0 100\r\n${VALUE}\r\n`), "STORED\r\n".length, 1);
    running.push({ watched: watched!, server });
  }
  const rows: Row[] = [];
  for (const pipeline of PIPELINES) {
    const found = running.map((): number[] => []);
    for (let round = 0; round <= rounds; round++) {
      for (const [i, { server }] of running.entries()) {
        const before = threadSeconds(server.pid);
        await load(server.port, pipeline, each);
        const requests = each * CONNECTIONS * pipeline;
        const cpu = (threadSeconds(server.pid) - before) / requests * 1e6;
        // The first warms it up.
        if (round > 0) found[i]!.push(cpu);
      }
    }
    const [load1] = Deno.loadavg();
    for (const [i, { watched }] of running.entries()) {
      const cpuMicroseconds = found[i]!.sort((a, b) => a - b)[Math.floor(rounds / 10)]!;
      rows.push({ watched, pipeline, cpuMicroseconds, load: load1! });
    }
  }
  return rows;
}

/** Gets one key over all connections, in so many batches each. */
async function load(port: number, pipeline: number, each: number): Promise<void> {
  const request = bytesOf("get key\r\n".repeat(pipeline));
  await Promise.all(
    Array.from(
      { length: CONNECTIONS },
      () => exchange(port, request, REPLY * pipeline, each),
    ),
  );
}

/** Sends a request so many times, each when the last one is answered. */
async function exchange(
  port: number,
  request: Uint8Array<ArrayBuffer>,
  length: number,
  times: number,
): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const into = new Uint8Array(64 * 1024);
  for (let i = 0; i < times; i++) {
    await conn.write(request);
    for (let got = 0; got < length;) {
      const count = await conn.read(into);
      if (count === null) throw new Error("the server has closed the connection");
      got += count;
    }
  }
}
