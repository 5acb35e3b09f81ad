/**
 * What reads of cold values from a slow disk cost those who read what is in the cache: the latency of
 * the latter through a real server, without a cold read and with one for nine of them.
 *
 * @module
 */

import { Histogram } from "../../lib/load/histogram.ts";
import { denoScript, startServer } from "../processes.ts";
import { DELAY } from "./slow_server.ts";

/** What is measured. */
export interface ColdOptions {
  readonly directory: string;
  readonly connections: number;
  /** Gets a second, of all connections. */
  readonly rate: number;
  /** Of each measurement, and how many there are of either kind. */
  readonly seconds: number;
  readonly rounds: number;
}

const HOT = 100;
const COLD = 100_000;
const COLD_BYTES = 1000;
/** Mebibytes of the server's cache, of which the cold values are several times as many. */
const CACHE = "16";
/** Every so many gets one is cold. */
const SHARE = 10;

/** Prints the percentiles of both, and the ratio of the medians. */
export async function measureCold(options: ColdOptions): Promise<void> {
  const { directory, rounds } = options;
  await using server = await startServer((port) =>
    denoScript("bench/disk/slow_server.ts", ...["-p", `${port}`, "-t", "1", "-m", CACHE], ...[
      "--data-dir",
      directory,
    ])
  );
  await fill(server.port);
  const load = new Load(server.port, options);
  await load.run(true);
  const medians: number[] = [];
  const found = [false, true].map((cold) => ({ cold, p99: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { cold, p99 } of round % 2 === 0 ? found : found.toReversed()) {
      p99.push((await load.run(cold)).percentile(99));
    }
  }
  for (const { cold, p99 } of found) {
    const median = p99.toSorted((a, b) => a - b)[p99.length >> 1]!;
    medians.push(median);
    const what = cold ? `a tenth of the gets from a disk of ${DELAY} ms` : "all gets cached";
    console.log(
      `${what}: p99 of cached gets ${median.toFixed(2)} ms (${
        p99.map((one) => one.toFixed(2)).join(" ")
      })`,
    );
  }
  console.log(`ratio of the medians: ${(medians[1]! / medians[0]!).toFixed(2)}`);
}

async function fill(port: number): Promise<void> {
  using connection = await Wire.open(port);
  const value = "v".repeat(COLD_BYTES);
  for (let i = 0; i < COLD; i += 100) {
    let batch = "";
    for (let n = i; n < i + 100; n++) batch += `set cold:${n} 0 0 ${COLD_BYTES}\r\n${value}\r\n`;
    await connection.ask(batch, 100 * "STORED\r\n".length);
  }
  for (let i = 0; i < HOT; i++) await connection.ask(`set hot:${i} 0 0 1\r\nh\r\n`, 8);
}

/** Connections that each ask at their own times, whenever the last reply came. */
class Load {
  readonly #port: number;
  readonly #options: ColdOptions;
  #next = 0;

  constructor(port: number, options: ColdOptions) {
    this.#port = port;
    this.#options = options;
  }

  /** The latencies of cached gets, from when they were due. */
  async run(cold: boolean): Promise<Histogram> {
    const { connections, rate, seconds } = this.#options;
    const latency = new Histogram();
    const pause = connections / rate * 1000;
    const began = performance.now();
    await Promise.all(Array.from({ length: connections }, async (_, n) => {
      using connection = await Wire.open(this.#port);
      let due = began + pause * n / connections;
      for (let i = 0; due < began + seconds * 1000; i++, due += pause) {
        const early = due - performance.now();
        if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
        // That a timer comes late is not the server's doing; that a reply did is.
        const from = early > 0 ? performance.now() : due;
        if (cold && (i + n) % SHARE === 0) {
          const key = `cold:${this.#next++ % COLD}`;
          const head = `VALUE ${key} 0 ${COLD_BYTES}\r\n\r\nEND\r\n`;
          await connection.ask(`get ${key}\r\n`, head.length + COLD_BYTES);
          // A client that waits for a slow disk is late by itself.
          due = Math.max(due, performance.now() - pause);
        } else {
          const key = `hot:${(i * 7 + n) % HOT}`;
          await connection.ask(`get ${key}\r\n`, `VALUE ${key} 0 1\r\nh\r\nEND\r\n`.length);
          latency.record(performance.now() - from);
        }
      }
    }));
    return latency;
  }
}

/** One connection, of which replies are counted by their length. */
class Wire implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #into = new Uint8Array(1 << 16);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<Wire> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new Wire(connection);
  }

  async ask(text: string, replyBytes: number): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    for (let missing = replyBytes; missing > 0;) {
      const count = await this.#connection.read(this.#into);
      if (count === null) throw new Error("the server has closed the connection");
      missing -= count;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
