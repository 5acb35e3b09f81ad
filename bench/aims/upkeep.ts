/**
 * What must not get slower while requests get faster: a start on many keys, a dump, a restore, and sets
 * that compaction has to follow. Another checkout of kvs can be measured beside this one.
 *
 * @module
 */

import type { Progress } from "../../lib/load/progress.ts";
import { framesOf, keyOf } from "../frames.ts";
import { measure } from "../measure.ts";
import { cpuSeconds, denoScript, type Server, startServer } from "../processes.ts";
import { close, connect, Poll, receive, send } from "../sockets.ts";

/** What is measured on how much. */
export interface UpkeepOptions {
  readonly directory: string;
  /** Keys of the store that is started; a dump and a restore have a tenth of them. */
  readonly keys: number;
  readonly valueSize: number;
  /** How long sets go on while compaction follows. */
  readonly seconds: number;
  /** Another checkout of kvs, or none. */
  readonly before: string | undefined;
}

/** What one piece of work took. */
export interface Work {
  readonly seconds: number;
  /** CPU time of the server's process, in seconds. */
  readonly cpu: number;
}

/** The same work on this checkout and on the other one. */
export interface UpkeepRow {
  readonly name: string;
  readonly now: Work;
  readonly before: Work | undefined;
}

/** This checkout. */
const HERE = new URL("../..", import.meta.url).pathname;
/** Values that fill segments fast, in bytes, and how many keys have them. */
const COMPACTED_VALUE = 1000;
const COMPACTED_KEYS = 100_000;

/** Measures each piece of work, on the other checkout first. */
export async function measureUpkeep(
  options: UpkeepOptions,
  progress: Progress,
): Promise<UpkeepRow[]> {
  const before = options.before === undefined
    ? undefined
    : await measureCheckout(options.before, `${options.directory}/before`, options, progress);
  const now = await measureCheckout(HERE, `${options.directory}/now`, options, progress);
  return [...now].map(([name, work]) => ({ name, now: work, before: before?.get(name) }));
}

async function measureCheckout(
  checkout: string,
  directory: string,
  { keys, valueSize, seconds }: UpkeepOptions,
  progress: Progress,
): Promise<Map<string, Work>> {
  const found = new Map<string, Work>();
  await Deno.mkdir(directory);
  const note = async (name: string, work: () => Promise<Work>) => {
    progress.show(() => `${checkout}: ${name}`);
    found.set(name, await work());
  };
  const count = (number: number) => number.toLocaleString("en");

  const large = `${directory}/large`;
  await note(`fill, ${count(keys)} keys`, async () => {
    await using server = await start(checkout, large);
    return await timed(server, () => fill(server, keys, valueSize));
  });
  await note(`start, ${count(keys)} keys`, async () => {
    const began = performance.now();
    await using server = await start(checkout, large);
    return { seconds: (performance.now() - began) / 1000, cpu: cpuSeconds(server.pid) };
  });
  await Deno.remove(large, { recursive: true });

  const some = Math.ceil(keys / 10);
  const file = `${directory}/items.ndjson`;
  {
    await using server = await start(checkout, `${directory}/dumped`);
    fill(server, some, valueSize);
    await note(`dump, ${count(some)} keys`, () => client(checkout, server, ["dump"], file));
  }
  {
    await using server = await start(checkout, `${directory}/restored`);
    await note(`restore, ${count(some)} keys`, () => client(checkout, server, ["restore", file]));
  }

  await using server = await start(checkout, `${directory}/compacted`, "--max-disk", "500m");
  const task = { port: server.port, pid: server.pid, connections: 50, pipeline: 16, seconds };
  const sets = { operation: "set", keys: COMPACTED_KEYS, valueSize: COMPACTED_VALUE } as const;
  await note("a million sets of 1,000 bytes, compacted", async () => {
    const measured = await measure({ ...task, ...sets });
    const share = 1e6 / measured.operations;
    return { seconds: measured.seconds * share, cpu: measured.serverCpu * share };
  });
  return found;
}

async function start(checkout: string, directory: string, ...more: string[]): Promise<Server> {
  const args = ["--store", "disk", "--data-dir", directory, "--fsync", "everysec", "-m", "64"];
  return await startServer((port) => {
    const [program] = denoScript("server.ts");
    const run = ["run", "--no-prompt", "-A", `${checkout}/server.ts`, "-p", `${port}`, "-t", "1"];
    return [program, ...run, ...args, ...more];
  });
}

/** Runs work, and counts what the server took for it. */
async function timed({ pid }: Server, work: () => unknown): Promise<Work> {
  const before = cpuSeconds(pid);
  const began = performance.now();
  await work();
  return { seconds: (performance.now() - began) / 1000, cpu: cpuSeconds(pid) - before };
}

/** Runs a command of that checkout's client; what it prints goes to `file`. */
async function client(
  checkout: string,
  server: Server,
  words: readonly string[],
  file = "/dev/null",
): Promise<Work> {
  const out = await Deno.open(file, { write: true, create: true });
  return await timed(server, async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "-A", `${checkout}/client.ts`],
        ...["-s", `127.0.0.1:${server.port}`, ...words],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const [, said, { success }] = await Promise.all([
      child.stdout.pipeTo(out.writable),
      new Response(child.stderr).text(),
      child.status,
    ]);
    if (!success) throw new Error(`kvs-client ${words[0]} failed: ${said.trim()}`);
  });
}

/** Requests of {@linkcode fill} in one write. */
const BATCH = 500;

/** Sets so many keys on one connection, the requests of a batch made of those of the last. */
function fill({ port }: Server, keys: number, valueSize: number): void {
  const { batches, requestLength, reply } = framesOf({
    ...{ operation: "set", keys: BATCH, valueSize, pipeline: BATCH },
  });
  const batch = batches[0]!;
  const keyEnd = "set ".length + keyOf(0).length;
  const input = new Uint8Array(BATCH * reply.length);
  const socket = connect(port);
  const poll = new Poll([socket]);
  for (let next = 0; next < keys;) {
    const count = Math.min(BATCH, keys - next);
    for (let place = 0; place < count; place++) {
      let rest = next++;
      for (let at = place * requestLength + keyEnd - 1; rest > 0 || batch[at] !== COLON; at--) {
        batch[at] = ZERO + rest % 10;
        rest = Math.floor(rest / 10);
      }
    }
    send(socket, batch.subarray(0, count * requestLength));
    for (let missing = count * reply.length; missing > 0;) {
      poll.wait(-1);
      missing -= receive(socket, input);
    }
  }
  close(socket);
}

const ZERO = "0".charCodeAt(0);
const COLON = ":".charCodeAt(0);
