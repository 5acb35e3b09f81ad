/**
 * Live pages that end in every way for as long as you like: are those that are killed, stop to read, or close
 * one half dropped within the bound, does memory stay flat, and how long does a client wait meanwhile?
 *
 *     deno task pages [--duration 1h] [--pages 100]
 *
 * Prints a row a minute. A page that is dropped makes room for another one. Ends with exit code 1 if one was
 * kept for longer than it may be, or one that reads was dropped.
 *
 * @module
 */

import { bytesOf } from "../lib/bytes.ts";
import type { Manual } from "../lib/cli/help.ts";
import { duration, integer } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { Exit } from "../lib/errors.ts";
import { STALLED_AFTER } from "../lib/server/http/gate.ts";
import { PAGE_LIFE } from "../lib/server/http/live.ts";
import { runProgram } from "./front.ts";
import { freePort, kvsScript, residentBytes, type Server, startServer } from "./processes.ts";

const pageOptions = {
  duration: duration({ flags: "--duration", min: 1000, default: 3_600_000, help: "how long" }),
  pages: integer({ flags: "--pages", min: 1, max: 120, default: 100, help: "open at a time" }),
};

const manual: Manual = {
  usage: "deno task pages [options]",
  about: "Kills, stops and half closes live pages, and checks that the server drops them.",
};

/** How pages end. One that reads asks again when it is told to, and is closed by its reader some time later. */
const FATES = ["killed", "stopped", "half closed", "deaf", "read"] as const;
type Fate = typeof FATES[number];

/** Milliseconds that a page reads before its fate, at most. */
const MOST_READ = 40_000;
/**
 * Milliseconds within which the server has dropped a page: it has to ask again after its life, and one that
 * does not is closed as stalled at one of the looks, six in that time. The rest is for a busy machine.
 */
const BOUND = PAGE_LIFE + STALLED_AFTER * 7 / 6 + 5000;
/** Between two looks, two rows, and two requests of a client, in milliseconds. */
const LOOK = 1000;
const ROW = 60_000;
const PAUSE = 50;
const MIB = 2 ** 20;

const ASK = bytesOf("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
/** States of a TCP connection in `/proc/net/tcp` in which the server has it: established, and half closed. */
const HELD = new Set(["01", "08"]);

/** One page. */
interface Page {
  readonly conn: Deno.TcpConn;
  readonly port: number;
  readonly fate: Fate;
  /** When its fate came, by `performance.now()`; `undefined` before that. */
  met: number | undefined;
}

/** Keeps so many pages open, each with a fate. */
class Pages {
  stopped = false;
  opened = 0;
  /** Pages that were kept for too long, and those that read and were dropped. */
  wrong = 0;
  /** Milliseconds until each page was dropped after its fate. */
  readonly dropped = new Map<Fate, number[]>(FATES.map((fate) => [fate, []]));
  readonly #port: number;
  readonly #open = new Set<Page>();

  constructor(port: number) {
    this.#port = port;
  }

  get size(): number {
    return this.#open.size;
  }

  async open(): Promise<void> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    const fate = FATES[this.opened++ % FATES.length]!;
    const page: Page = { conn, port: conn.localAddr.port, fate, met: undefined };
    this.#open.add(page);
    await conn.write(ASK);
    this.#live(page).catch((error) => {
      if (page.met !== undefined || this.stopped) return;
      this.wrong++;
      console.log(`  (a page that reads was dropped: ${error})`);
      page.met = performance.now();
    });
  }

  /** Which pages the server has dropped since the last look. */
  look(): number {
    const now = performance.now();
    const held = heldPorts(this.#port);
    let gone = 0;
    for (const page of this.#open) {
      const { fate, met, port } = page;
      if (met === undefined) continue;
      if (held.has(port)) {
        if (now - met < BOUND) continue;
        this.wrong++;
        console.log(`  (a page that was ${fate} is kept after ${Math.round(now - met)} ms)`);
      }
      this.dropped.get(fate)!.push(now - met);
      this.#forget(page);
      gone++;
    }
    return gone;
  }

  close(): void {
    this.stopped = true;
    for (const page of this.#open) this.#forget(page);
  }

  #forget(page: Page): void {
    this.#open.delete(page);
    try {
      page.conn.close();
    } catch {
      // It was closed.
    }
  }

  async #live(page: Page): Promise<void> {
    const { conn, fate } = page;
    // One that is deaf never reads; one that is only read has to ask again once or twice.
    const reads = fate === "deaf" ? 0 : fate === "read" ? PAGE_LIFE * 1.5 : MOST_READ;
    await read(conn, performance.now() + Math.random() * reads);
    page.met = performance.now();
    if (fate === "killed" || fate === "read") conn.close();
    if (fate === "half closed") await conn.closeWrite();
  }
}

/** Reads a page's events until a moment, and asks for more whenever a stream ends. */
async function read(conn: Deno.TcpConn, until: number): Promise<void> {
  const bytes = new Uint8Array(64 * 1024);
  const decoder = new TextDecoder();
  let tail = "";
  while (performance.now() < until) {
    const count = await conn.read(bytes);
    if (count === null) throw new Error("the connection ended");
    tail = tail.slice(-32) + decoder.decode(bytes.subarray(0, count), { stream: true });
    // The end of a body in chunks.
    if (!tail.endsWith("\r\n0\r\n\r\n")) continue;
    tail = "";
    await conn.write(ASK);
  }
}

/** The ports of the clients whose connections to a port of this machine the listening end has not closed. */
function heldPorts(port: number): Set<number> {
  const held = new Set<number>();
  for (const line of Deno.readTextFileSync("/proc/net/tcp").split("\n").slice(1)) {
    const [, local, remote, state] = line.trim().split(/\s+/);
    if (local === undefined || !HELD.has(state!) || portOf(local) !== port) continue;
    held.add(portOf(remote!));
  }
  return held;
}

/** The port of an address in `/proc/net/tcp`. */
function portOf(address: string): number {
  return parseInt(address.slice(address.indexOf(":") + 1), 16);
}

/** A client of memcached's port that asks now and then, and notes how long it waits. */
class Client {
  stopped = false;
  waits: number[] = [];

  async run(port: number): Promise<void> {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const ask = bytesOf(`set key 0 0 100\r\n${"x".repeat(100)}\r\n`);
    const into = new Uint8Array(256);
    while (!this.stopped) {
      const began = performance.now();
      await conn.write(ask);
      if (await conn.read(into) === null) throw new Error("the server has closed the connection");
      this.waits.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

const COLUMNS = ["seconds", "open", "opened", "rss MB", "p50 ms", "max ms", ...FATES, "wrong"];

function printRow(cells: readonly string[]): void {
  console.log(cells.map((cell) => cell.padStart(12)).join(""));
}

/** What has come since the last row; of each fate how many were dropped, and the longest time until then. */
function report(seconds: number, pages: Pages, client: Client, resident: number): void {
  const waits = client.waits.toSorted((a, b) => a - b);
  client.waits = [];
  printRow([
    seconds.toFixed(0),
    String(pages.size),
    String(pages.opened),
    (resident / 1e6).toFixed(0),
    (waits[waits.length >> 1] ?? 0).toFixed(2),
    (waits.at(-1) ?? 0).toFixed(1),
    ...FATES.map((fate) => {
      const times = pages.dropped.get(fate)!;
      return times.length === 0
        ? "-"
        : `${times.length} <${Math.ceil(Math.max(...times) / 1000)} s`;
    }),
    String(pages.wrong),
  ]);
}

async function soak(server: Server, http: number, options: Values<typeof pageOptions>) {
  const pages = new Pages(http);
  const client = new Client();
  const asking = client.run(server.port);
  for (let i = 0; i < options.pages; i++) await pages.open();
  printRow(COLUMNS);
  const began = performance.now();
  const resident: number[] = [];
  for (let now = began, row = began; now - began < options.duration; now = performance.now()) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK, options.duration)));
    for (let gone = pages.look(); gone > 0; gone--) await pages.open();
    resident.push(residentBytes(server.pid));
    if (performance.now() - row < ROW) continue;
    row = performance.now();
    report((row - began) / 1000, pages, client, resident.at(-1)!);
  }
  report((performance.now() - began) / 1000, pages, client, resident.at(-1)!);
  client.stopped = true;
  await asking;
  pages.close();
  const tenth = Math.ceil(resident.length / 10);
  const most = (of: readonly number[]) => (Math.max(...of) / MIB).toFixed(0);
  console.log(
    `memory at most, MiB: ${most(resident.slice(tenth, 2 * tenth))} in the second tenth, ` +
      `${most(resident.slice(-tenth))} in the last one`,
  );
  const bound = `within ${(BOUND / 1000).toFixed(0)} s`;
  console.log(
    pages.wrong === 0
      ? `every page that was gone was dropped ${bound}, and none that read`
      : `${pages.wrong} pages were not dropped ${bound}, or were dropped while they read`,
  );
  return pages.wrong === 0 ? Exit.ok : Exit.no;
}

async function main(options: Values<typeof pageOptions>): Promise<number> {
  const http = freePort();
  await using server = await startServer((port) =>
    kvsScript(port, "--http", `${http}`, "--store", "memory")
  );
  return await soak(server, http, options);
}

if (import.meta.main) await runProgram("pages", manual, pageOptions, main);
