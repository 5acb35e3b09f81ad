/**
 * The stores that can be compared on this machine, each behind a server of its own.
 *
 * @module
 */

import { messageOf } from "../lib/errors.ts";
import { versionOf } from "./machine.ts";
import { denoScript, kvsScript, type Server, startServer } from "./processes.ts";

/** Who takes part, in the order of the report. */
export const CONTESTANTS = {
  memcached: "memcached",
  memory: "kvs memory",
  no: "kvs disk, fsync no",
  everysec: "kvs disk, fsync everysec",
  always: "kvs disk, fsync always",
  redis: "kvs redis",
  gcs: "kvs gcs",
} as const;

export type ContestantId = keyof typeof CONTESTANTS;

/** A running server. */
export interface Contestant {
  readonly id: ContestantId;
  readonly label: string;
  readonly server: Server;
  /** How it was started; `DIR` stands for the run's own directory. */
  readonly command: string;
  /** What a reader must know of what stands behind it. */
  readonly note: string;
}

/** One that could not take part. */
export interface LeftOut {
  readonly label: string;
  readonly reason: string;
}

/** What is behind redis and gcs, where the machine's own redis-server and the emulator are not. */
export interface Backends {
  readonly redisUrl?: string;
  readonly bucket?: string;
  readonly gcsEndpoint?: string;
}

type Command = [string, ...string[]];

/** Keys in a Redis or a bucket that others use may meet no key of theirs. */
const LEFT_BEHIND = "kvs-compare";

/**
 * Starts all that can be reached; they, and what they need, end with `stack`. `processes` are all
 * that were started.
 */
export async function startContestants(
  ids: readonly ContestantId[],
  backends: Backends,
  directory: string,
  stack: AsyncDisposableStack,
): Promise<{ contestants: Contestant[]; leftOut: LeftOut[]; processes: Server[] }> {
  const contestants: Contestant[] = [];
  const leftOut: LeftOut[] = [];
  const processes: Server[] = [];
  const start = async (command: (port: number) => Command) => {
    const server = stack.use(await startServer(command));
    processes.push(server);
    return server;
  };
  for (const id of ids) {
    try {
      const { arguments: args, note } = await behind(id, backends, directory, start);
      const server = await start((port) =>
        id === "memcached"
          ? [
            "memcached",
            "-t",
            "1",
            "-m",
            "1024",
            "-u",
            "nobody",
            "-l",
            "127.0.0.1",
            "-p",
            `${port}`,
          ]
          : kvsScript(port, ...args)
      );
      const command = withoutPasswords(server.command.replaceAll(directory, "DIR"));
      contestants.push({ id, label: labelOf(id, backends), server, command, note });
    } catch (error) {
      leftOut.push({ label: CONTESTANTS[id], reason: messageOf(error) });
    }
  }
  return { contestants, leftOut, processes };
}

/** A text for a report, in which URLs keep their passwords to themselves. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/(rediss?:\/\/[^\s/:@]*:)[^\s/]*(?=@)/g, "$1…");
}

function labelOf(id: ContestantId, { bucket }: Backends): string {
  return id === "gcs" && bucket === undefined ? "kvs gcs (emulator)" : CONTESTANTS[id];
}

/** Starts what a contestant stands on; returns the options of its server. */
async function behind(
  id: ContestantId,
  { redisUrl, bucket, gcsEndpoint }: Backends,
  directory: string,
  start: (command: (port: number) => Command) => Promise<Server>,
): Promise<{ arguments: string[]; note: string }> {
  switch (id) {
    case "memcached":
      if (await versionOf(["memcached", "-V"]) === undefined) {
        throw new Error("it is not installed");
      }
      return { arguments: [], note: "the yardstick: one thread, nothing is kept" };
    case "memory":
      return { arguments: ["--store", "memory", "-m", "1024"], note: "nothing is kept" };
    case "no":
    case "everysec":
    case "always":
      return {
        arguments: ["--store", "disk", "--data-dir", `${directory}/${id}`, "--fsync", id],
        note: {
          no: "a power loss may take what the system has not written",
          everysec: "a power loss takes the last second at most",
          always: "nothing acknowledged is ever lost",
        }[id],
      };
    case "redis": {
      if (redisUrl !== undefined) {
        const prefix = `${LEFT_BEHIND}:`;
        return {
          arguments: ["--store", "redis", "--redis-url", redisUrl, "--prefix", prefix],
          note: `${withoutPasswords(redisUrl)}; what was stored is left there under '${prefix}'`,
        };
      }
      const version = await versionOf(["redis-server", "--version"]);
      if (version === undefined) throw new Error("redis-server is not installed: see --redis-url");
      await Deno.mkdir(`${directory}/redis`);
      const redis = await start((port) => [
        ...["redis-server", "--port", `${port}`, "--bind", "127.0.0.1", "--dir"] as const,
        ...[`${directory}/redis`, "--save", "", "--appendonly", "yes"],
      ]);
      return {
        arguments: ["--store", "redis", "--redis-url", `redis://127.0.0.1:${redis.port}`],
        note: `Redis ${version} on this machine, its log synced every second`,
      };
    }
    case "gcs": {
      if (bucket !== undefined) {
        const endpoint = gcsEndpoint === undefined ? [] : ["--gcs-endpoint", gcsEndpoint];
        const prefix = `${LEFT_BEHIND}/`;
        return {
          arguments: ["--store", "gcs", "--bucket", bucket, "--prefix", prefix, ...endpoint],
          note: `bucket ${bucket}${gcsEndpoint === undefined ? "" : ` at ${gcsEndpoint}`}; ` +
            `what was stored is left there under '${prefix}'`,
        };
      }
      const emulator = await start((port) => denoScript("bench/gcs_emulator.ts", `${port}`));
      const endpoint = `http://127.0.0.1:${emulator.port}`;
      return {
        arguments: ["--store", "gcs", "--bucket", "kvs", "--gcs-endpoint", endpoint],
        note: "an emulator on this machine, without a network's latency, that takes one write a " +
          "second to one object as Cloud Storage does: --bucket measures the real one",
      };
    }
  }
}
