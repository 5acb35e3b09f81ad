/**
 * The servers that aims are measured on, each started once.
 *
 * @module
 */

import { messageOf } from "../../lib/errors.ts";
import type { LeftOut } from "../contestants.ts";
import { denoScript, type Server, startServer } from "../processes.ts";
import type { ServerId } from "./list.ts";

/** What a server is started with. */
export interface Place {
  readonly directory: string;
  /** The programs: one, or two of different versions. */
  readonly memcached: readonly string[];
  readonly keys: number;
  readonly valueSize: number;
  /** The disk store's `--max-disk`, which makes its segments small; none without it. */
  readonly maxDisk?: string;
}

type Command = [string, ...string[]];

/** Room for all keys, so that nobody evicts. */
const MEMORY = ["-m", "1024"];

/** Starts those that can be, which end with `stack`. */
export async function startAll(
  ids: readonly ServerId[],
  place: Place,
  stack: AsyncDisposableStack,
): Promise<{ servers: Map<ServerId, Server>; leftOut: LeftOut[] }> {
  const servers = new Map<ServerId, Server>();
  const leftOut: LeftOut[] = [];
  // kvs on Redis comes after its Redis.
  const ordered = ids.toSorted((a, b) => Number(a === "kvs redis") - Number(b === "kvs redis"));
  for (const id of ordered) {
    try {
      const command = await commandOf(id, place, servers);
      servers.set(id, stack.use(await startServer(command)));
    } catch (error) {
      leftOut.push({ label: id, reason: messageOf(error) });
    }
  }
  return { servers, leftOut };
}

async function commandOf(
  id: ServerId,
  { directory, memcached, keys, valueSize, maxDisk }: Place,
  started: ReadonlyMap<ServerId, Server>,
): Promise<(port: number) => Command> {
  const [name, threads = "1"] = id.split(" -t ");
  const kvs = (port: number, ...args: string[]) =>
    denoScript("server.ts", "-p", `${port}`, "-t", threads, ...args);
  switch (name) {
    case "floor":
    case "floor everysec":
    case "floor always": {
      const fsync = name.split(" ")[1];
      const log = fsync === undefined ? [] : [`${directory}/${name.replace(" ", "-")}`, fsync];
      const of = [keys, valueSize, Number(threads)].map(String);
      return (port) => denoScript("bench/floor.ts", `${port}`, ...of, ...log);
    }
    case "memcached":
    case "other memcached": {
      const program = memcached[name === "memcached" ? 0 : 1];
      if (program === undefined) throw new Error("no second --memcached was named");
      return (port) => {
        const to = ["-u", "nobody", "-l", "127.0.0.1", "-p", `${port}`, "-c", "4096"];
        return [program, "-t", threads, ...MEMORY, ...to];
      };
    }
    case "memory":
      return (port) => kvs(port, "--store", "memory", ...MEMORY, "-c", "4096");
    case "kvs redis": {
      const redis = started.get("redis");
      if (redis === undefined) throw new Error("there is no Redis");
      const url = `redis://127.0.0.1:${redis.port}`;
      return (port) => kvs(port, "--store", "redis", "--redis-url", url, "--prefix", "aims:");
    }
    case "redis":
    case "redis always": {
      const own = `${directory}/${name.replace(" ", "-")}`;
      await Deno.mkdir(own);
      const fsync = name === "redis" ? "everysec" : "always";
      const log = ["--save", "", "--appendonly", "yes", "--appendfsync", fsync, "--dir", own];
      return (port) => ["redis-server", "--port", `${port}`, "--bind", "127.0.0.1", ...log];
    }
    default: {
      const bound = maxDisk === undefined ? [] : ["--max-disk", maxDisk];
      const data = ["--data-dir", `${directory}/${name}-${threads}${maxDisk ?? ""}`, ...bound];
      return (port) =>
        kvs(port, "--store", "disk", "--fsync", name!, ...MEMORY, "-c", "4096", ...data);
    }
  }
}
