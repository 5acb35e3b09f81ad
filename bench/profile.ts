/**
 * Where each microsecond of a server goes: its CPU time an operation, divided among its parts by V8's
 * profiler. Another checkout of kvs can be measured beside this one.
 *
 *     deno run -A bench/profile.ts [--store memory] [--connections 50] [--before DIR] …
 *
 * @module
 */

import { integer, text as textOption } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { loadOptions, runBench } from "./front.ts";
import type { Task } from "./generator.ts";
import { chosen } from "./lists.ts";
import { measure, noiseText } from "./measure.ts";
import { denoScript, type Server, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

const STORES = ["memory", "everysec", "always", "redis"] as const;

const options = {
  store: textOption({ flags: "--store", default: "memory", help: STORES.join(", ") }),
  operation: textOption({ flags: "--operation", default: "get", help: "get, set, mixed" }),
  connections: integer({ flags: "--connections", min: 1, default: 50, help: "how many are open" }),
  pipeline: integer({ flags: "--pipeline", min: 1, default: 1, help: "requests in one write" }),
  before: textOption({ flags: "--before", value: "DIR", help: "another checkout of kvs" }),
  valueSize: loadOptions.valueSize,
  keys: loadOptions.keys,
  seconds: { ...loadOptions.seconds, default: 5000 },
};

type Options = Values<typeof options>;

/** One part of one checkout. */
interface Row {
  readonly checkout: "now" | "before";
  readonly part: string;
  /** CPU time an operation. */
  readonly microseconds: number;
  readonly othersShare: number;
}

async function measureAll(given: Options): Promise<Row[]> {
  const here = new URL("..", import.meta.url).pathname;
  return [
    ...(given.before === undefined ? [] : await profile("before", given.before, given)),
    ...await profile("now", here, given),
  ];
}

/** Profiles the server of a checkout under one load. */
async function profile(
  checkout: Row["checkout"],
  root: string,
  { store, operation, connections, pipeline, valueSize, keys, seconds }: Options,
): Promise<Row[]> {
  const directory = await Deno.makeTempDir({ prefix: "kvs-profile-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const args = await argumentsOf(chosen("store", [store], STORES)[0]!, directory, stack);
  const [deno] = denoScript("server.ts");
  const run = ["run", "--no-prompt", "-A", "--cpu-prof", `--cpu-prof-dir=${directory}/profile`];
  const task = {
    ...{ connections, pipeline, valueSize, keys, seconds: seconds / 1000 },
    operation: chosen("operation", [operation], ["get", "set", "mixed"])[0]!,
  } satisfies Partial<Task>;
  const { serverCpu, operations, othersShare } = await (async () => {
    await using server = await startServer((port) =>
      [deno, ...run, `${root}/server.ts`, "-p", `${port}`, "-t", "1", ...args] as [
        string,
        ...string[],
      ]
    );
    return await measure({ ...task, port: server.port, pid: server.pid });
  })();
  const microseconds = serverCpu / operations * 1e6;
  const shares = await sharesOf(`${directory}/profile`);
  return [...shares].map(([part, share]) => ({
    ...{ checkout, part, othersShare },
    microseconds: share * microseconds,
  }));
}

async function argumentsOf(
  store: typeof STORES[number],
  directory: string,
  stack: AsyncDisposableStack,
): Promise<string[]> {
  const common = ["-m", "1024", "-c", "4096"];
  if (store === "memory") return ["--store", "memory", ...common];
  if (store !== "redis") return ["--data-dir", `${directory}/data`, "--fsync", store, ...common];
  const redis: Server = stack.use(
    await startServer((port) => {
      const log = ["--save", "", "--appendonly", "no", "--dir", directory];
      return ["redis-server", "--port", `${port}`, "--bind", "127.0.0.1", ...log];
    }),
  );
  return ["--store", "redis", "--redis-url", `redis://127.0.0.1:${redis.port}`];
}

/** What is read of a profile (the Chrome DevTools Protocol, `Profiler.Profile`). */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** What share of the busy time each part has, the largest first; starting and ending are left out. */
async function sharesOf(directory: string): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  let busy = 0;
  for await (const { name } of Deno.readDir(directory)) {
    const profile: Profile = JSON.parse(await Deno.readTextFile(`${directory}/${name}`));
    const parts = new Map(profile.nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]));
    profile.samples.forEach((id, index) => {
      const part = parts.get(id);
      if (part === undefined) return;
      const time = profile.timeDeltas[index]!;
      times.set(part, (times.get(part) ?? 0) + time);
      busy += time;
    });
  }
  const sorted = [...times].sort((a, b) => b[1] - a[1]);
  return new Map(sorted.map(([part, time]) => [part, time / busy]));
}

/** Native functions of the runtime, and what of the work is theirs. */
const NATIVE = new Map([
  ["op_write", "write to the client"],
  ["op_read", "read from the client"],
  ["writeBuffer", "write to Redis"],
  ["op_node_fs_write_sync", "write to the disk"],
  ["(garbage collector)", "garbage collection"],
]);
/** What happens once. */
const ONCE = /^\(idle\)$|op_fs_open|load_?ext|lazyLoad|op_close|op_net_accept/i;
/** Parts by where their code lies, the first that fits. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/\/(ioredis|redis-parser|denque)\//, "ioredis"],
  [/\/lib\/(server\/|rounds|others_turn)/, "connection: turns, what is in hand"],
  [/\/lib\/(bytes|protocol\/\w+\/format_)/, "replies"],
  [/\/lib\/protocol\//, "requests"],
  [/\/lib\/(commands|observe)\//, "commands"],
  [/\/lib\/(storage\/|key_hash)/, "store"],
];
const RUNTIME = "runtime: event loop, promises, ops";

function partOf({ functionName, url }: Profile["nodes"][number]["callFrame"]): string | undefined {
  if (ONCE.test(functionName)) return undefined;
  return NATIVE.get(functionName) ?? PLACES.find(([place]) => place.test(url))?.[1] ?? RUNTIME;
}

function text(rows: readonly Row[], options: Options): string {
  const { store, operation, connections, pipeline, valueSize, before } = options;
  const checkouts = before === undefined ? ["now"] : ["before", "now"];
  const parts = [...new Set(rows.map(({ part }) => part))];
  const of = (checkout: string, part?: string) =>
    rows.filter((row) => row.checkout === checkout && (part === undefined || row.part === part))
      .reduce((sum, { microseconds }) => sum + microseconds, 0).toFixed(2);
  return [
    `${store}: ${operation} of ${valueSize} B, ${connections} connections, pipelines of ${pipeline}`,
    "",
    textOf([
      ["CPU µs an operation", ...checkouts],
      ...parts.map((part) => [part, ...checkouts.map((checkout) => of(checkout, part))]),
      ["all", ...checkouts.map((checkout) => of(checkout))],
    ]),
    "",
    "The profiler counts time and not CPU time: where other processes take the cores, what waits in a " +
    "call of the kernel looks larger than it is.",
    ...noiseText(rows.map(({ othersShare }) => othersShare)),
  ].join("\n");
}

if (import.meta.main) {
  await runBench({
    manual: {
      usage: "deno run -A bench/profile.ts [options]",
      about: "Says where the CPU time of a server goes.",
    },
    options,
    programs: {},
    measure: measureAll,
    text,
  });
}
