/**
 * A well-behaved client, in a process of its own: asks for the version now and then, on a connection that
 * stays and on new ones, and says how long that took.
 *
 * Other processes make everybody wait for a processor. Linux tells how long a thread did, so that the time
 * can be said without it: that is what the server made its client wait.
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
  /** The same without the time that server or client waited for a processor. */
  readonly ownP99: number;
  readonly ownLongest: number;
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

/** How long threads of two processes wait for a processor. */
class Processors {
  readonly #paths: readonly string[];
  #before: number[] = [];

  /** @param pid the server's; the other process is this one */
  constructor(pid: number) {
    const threads = (pid: number) =>
      [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => `/proc/${pid}/task/${name}`);
    this.#paths = [...threads(pid), `/proc/${Deno.pid}/task/${Deno.pid}`]
      .map((path) => `${path}/schedstat`);
  }

  begin(): void {
    this.#before = this.#paths.map(waited);
  }

  /** Milliseconds since {@linkcode begin}: of this process, and of the thread of the server that waited longest. */
  end(): number {
    const times = this.#paths.map((path, i) => waited(path) - this.#before[i]!);
    return times.pop()! + Math.max(0, ...times);
  }
}

/** Milliseconds that a thread has waited for a processor so far; 0 where the thread is gone. */
function waited(schedstat: string): number {
  try {
    return Number(Deno.readTextFileSync(schedstat).split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}

async function ask(conn: Deno.Conn, into: Uint8Array): Promise<void> {
  await conn.write(VERSION);
  if (await conn.read(into) === null) throw new Error("the server has closed the connection");
}

async function watch(port: number, milliseconds: number, pid: number): Promise<Seen> {
  const times: number[] = [];
  const own: number[] = [];
  const processors = new Processors(pid);
  const connects: number[] = [];
  const end = performance.now() + milliseconds;
  const staying = async () => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const into = new Uint8Array(256);
    while (performance.now() < end) {
      processors.begin();
      const began = performance.now();
      await ask(conn, into);
      const time = performance.now() - began;
      times.push(time);
      own.push(Math.max(0, time - processors.end()));
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
  own.sort((a, b) => a - b);
  return {
    requests: times.length,
    p50: times[times.length >> 1]!,
    p99: times[Math.floor(times.length * 0.99)]!,
    longest: times.at(-1)!,
    ownP99: own[Math.floor(own.length * 0.99)]!,
    ownLongest: own.at(-1)!,
    longestConnect: Math.max(...connects),
  };
}

if (import.meta.main) {
  const [port, milliseconds, pid] = Deno.args.map(Number);
  console.log(JSON.stringify(await watch(port!, milliseconds!, pid!)));
  Deno.exit(0);
}
