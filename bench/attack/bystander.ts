/**
 * A well-behaved client, in a process of its own: asks for the version now and then, on a connection that
 * stays and on new ones, and says how long that took.
 *
 * @module
 */

import { bytesOf } from "../../lib/bytes.ts";

/** What the client saw, in milliseconds. */
export interface Seen {
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** The longest time until a new connection was answered. */
  readonly longestConnect: number;
}

const VERSION = bytesOf("version\r\n");
/** Between two requests, and between two connections, in milliseconds. */
const PAUSE = 5;
const CONNECT_PAUSE = 50;

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function ask(conn: Deno.Conn, into: Uint8Array): Promise<void> {
  await conn.write(VERSION);
  if (await conn.read(into) === null) throw new Error("the server has closed the connection");
}

async function watch(port: number, milliseconds: number): Promise<Seen> {
  const times: number[] = [];
  const connects: number[] = [];
  const end = performance.now() + milliseconds;
  const staying = async () => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const into = new Uint8Array(256);
    while (performance.now() < end) {
      const began = performance.now();
      await ask(conn, into);
      times.push(performance.now() - began);
      await pause(PAUSE);
    }
  };
  const coming = async () => {
    const into = new Uint8Array(256);
    while (performance.now() < end) {
      const began = performance.now();
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await ask(conn, into);
      connects.push(performance.now() - began);
      await pause(CONNECT_PAUSE);
    }
  };
  await Promise.all([staying(), coming()]);
  times.sort((a, b) => a - b);
  return {
    requests: times.length,
    p50: times[times.length >> 1]!,
    p99: times[Math.floor(times.length * 0.99)]!,
    longest: times.at(-1)!,
    longestConnect: Math.max(...connects),
  };
}

if (import.meta.main) {
  const [port, milliseconds] = Deno.args.map(Number);
  console.log(JSON.stringify(await watch(port!, milliseconds!)));
  Deno.exit(0);
}
