/**
 * What large values cost beside memcached, and how long those who get small ones wait while others set large
 * ones: aims of kvs, and whether they are reached.
 *
 *     deno task bench-large [--sizes 1024,102400] [--memcached /opt/memcached-1.6.45/memcached] …
 *
 * @module
 */

import { duration, integer, list, text as textOption } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { Progress } from "../lib/load/progress.ts";
import type { Beside, BesideTask } from "./beside.ts";
import { runBench } from "./front.ts";
import { chosen, numbers } from "./lists.ts";
import { measure, median, noiseText } from "./measure.ts";
import { denoScript, type Server, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

const STORES = ["memory", "everysec"] as const;
const OPERATIONS = ["get", "set"] as const;

const benchOptions = {
  sizes: list({
    flags: "--sizes",
    default: ["1024", "10240", "102400", "500000", "1000000"],
    help: "bytes of a value",
  }),
  stores: list({ flags: "--stores", default: STORES, help: "which, of those" }),
  connections: integer({ flags: "--connections", min: 1, default: 50, help: "how many are open" }),
  memcached: textOption({
    flags: "--memcached",
    value: "PROGRAM",
    default: "memcached",
    help: "what kvs is compared with",
  }),
  seconds: duration({ flags: "--seconds", min: 100, default: 1000, help: "of one measurement" }),
  rounds: integer({
    flags: "--rounds",
    min: 1,
    default: 3,
    help: "measurements of each server, in turn with the others; the median is shown",
  }),
};

type BenchOptions = Values<typeof benchOptions>;

/** Bytes of all values together, and how many there are at least and at most. */
const BYTES = 200_000_000;
const FEWEST_KEYS = 100;
const MOST_KEYS = 10_000;
/** CPU time of a get and a set, divided by memcached's, at most. */
const AIMS = { get: 1.3, set: 2 } as const;
/** The p99 of others, divided by memcached's beside the same sets, at most. */
const AIM_OF_OTHERS = 1.5;
/** Others: gets of small values on so many connections, a second; and who sets large ones. */
const OTHERS = { connections: 20, perSecond: 2000, valueSize: 100, setters: 2, setSize: 1_000_000 };

/** One figure of a store beside memcached's: medians over the rounds. */
interface Row {
  readonly what: "get" | "set" | "others";
  readonly size: number;
  readonly store: string;
  /** CPU µs an operation; of others, the p99 in milliseconds without waits for a processor. */
  readonly figure: number;
  readonly memcached: number;
  /** The median of those of the rounds. */
  readonly ratio: number;
  readonly aim: number;
  readonly othersShare: number;
}

/** What a server has measured in one round. */
interface Found {
  readonly figure: number;
  readonly othersShare: number;
}

if (import.meta.main) {
  await runBench({
    manual: {
      usage: "deno task bench-large [options]",
      about: "Measures what large values cost, beside memcached, and what others wait for them.",
    },
    options: benchOptions,
    programs: {},
    measure: measureAll,
    text,
  });
}

async function measureAll(options: BenchOptions): Promise<Row[]> {
  const { connections, rounds, memcached } = options;
  const stores = chosen("stores", options.stores, STORES);
  const seconds = options.seconds / 1000;
  const progress = new Progress();
  const rows: Row[] = [];
  const round = async (
    what: Row["what"],
    size: number,
    aim: number,
    one: (server: Server) => Promise<Found>,
  ) => {
    // Anew each time: what the last work has left of a log is not this one's.
    await using stack = new AsyncDisposableStack();
    const directory = await Deno.makeTempDir({ prefix: "kvs-large-" });
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const servers = new Map<string, Server>();
    for (const name of ["memcached", ...stores]) {
      servers.set(
        name,
        stack.use(await startServer((port) => commandOf(name, port, memcached, directory))),
      );
    }
    const found = new Map([...servers.keys()].map((name) => [name, [] as Found[]]));
    // The first round is for code to get warm and memory to be taken.
    for (let i = 0; i <= rounds; i++) {
      for (const [name, server] of servers) {
        progress.show(() => `${what} of ${size} B, round ${i} of ${rounds}: ${name}`);
        const measured = await one(server);
        if (i > 0) found.get(name)!.push(measured);
      }
    }
    const base = found.get("memcached")!;
    const figureOf = (all: readonly Found[]) => median(all.map(({ figure }) => figure));
    for (const store of stores) {
      const own = found.get(store)!;
      rows.push({
        ...{ what, size, store, aim, figure: figureOf(own), memcached: figureOf(base) },
        ratio: median(own.map(({ figure }, i) => figure / base[i]!.figure)),
        othersShare: median([...own, ...base].map(({ othersShare }) => othersShare)),
      });
    }
  };
  for (const operation of OPERATIONS) {
    for (const valueSize of numbers("sizes", options.sizes)) {
      const keys = Math.min(MOST_KEYS, Math.max(FEWEST_KEYS, Math.floor(BYTES / valueSize)));
      await round(operation, valueSize, AIMS[operation], async ({ port, pid }) => {
        const task = { operation, valueSize, connections, keys, pipeline: 1, port, pid, seconds };
        const { serverCpu, operations, othersShare } = await measure(task);
        return { figure: serverCpu / operations * 1e6, othersShare };
      });
    }
  }
  await round("others", OTHERS.setSize, AIM_OF_OTHERS, async ({ port, pid }) => {
    const { ownP99, othersShare } = await beside({ ...OTHERS, port, pid, seconds });
    return { figure: ownP99, othersShare };
  });
  progress.clear();
  return rows;
}

function commandOf(
  name: string,
  port: number,
  memcached: string,
  directory: string,
): [string, ...string[]] {
  const place = ["-p", `${port}`, "-m", "1024", "-t", "1"];
  if (name === "memcached") {
    return [memcached, ...place, "-I", "2m", "-u", "nobody", "-l", "127.0.0.1"];
  }
  if (name === "memory") return denoScript("server.ts", ...place, "--store", "memory");
  const data = ["--store", "disk", "--data-dir", `${directory}/${name}`, "--fsync", name];
  return denoScript("server.ts", ...place, ...data);
}

async function beside(task: BesideTask): Promise<Beside> {
  const [program, ...args] = denoScript("bench/beside.ts", JSON.stringify(task));
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function text(rows: readonly Row[], options: BenchOptions): string {
  const { connections, rounds, seconds } = options;
  const figure = ({ what }: Row, value: number) =>
    what === "others" ? `p99 ${value.toFixed(2)} ms` : `${value.toFixed(1)} µs`;
  return [
    `gets and sets one by one on ${connections} connections, CPU time of the server; others: ` +
    `${OTHERS.perSecond} gets a second of ${OTHERS.valueSize} B on ${OTHERS.connections} ` +
    `connections while ${OTHERS.setters} set values of ${OTHERS.setSize} B without a pause, without ` +
    `waits for a processor; the median of ${rounds} rounds of ${seconds / 1000} s`,
    "",
    textOf([
      ["what", "bytes", "store", "kvs", "memcached", "ratio", "aim", "reached"],
      ...rows.map((row) => [
        ...[row.what, row.size.toLocaleString("en"), row.store],
        ...[figure(row, row.figure), figure(row, row.memcached), row.ratio.toFixed(2)],
        ...[`≤ ${row.aim}`, row.ratio <= row.aim ? "yes" : "no"],
      ]),
    ]),
    "",
    ...noiseText(rows.map((row) => row.othersShare)),
  ].join("\n").trimEnd();
}
