/** Tests of clients, each against kvs as a process, on each store. */

import { assertEquals } from "@std/assert";
import { Emulator } from "../storage/gcs/emulator/mod.ts";
import { missing as missingRedis, RedisServer } from "../storage/redis/servers.ts";
import { ServerProcess } from "../server/process.ts";
import { named, type Need } from "./debian.ts";

/** The stores that need nothing but a machine: clients are tried on these. */
export const NEAR = ["memory", "disk"] as const;
/** All of them: one client of each protocol is tried on these. */
export const ALL = [...NEAR, "redis", "gcs"] as const;

/** Registers a test of a client for each store. */
export function testClient(
  name: string,
  body: (server: ServerProcess) => Promise<void>,
  needs: readonly Need[] = [],
  stores: readonly (typeof ALL)[number][] = NEAR,
): void {
  for (const store of stores) {
    const noRedis = store === "redis" && missingRedis !== undefined;
    const reason = noRedis ? ` (skipped: ${missingRedis} is not installed)` : "";
    Deno.test({
      name: named(`${name}, on kvs (${store})`, needs) + reason,
      ignore: noRedis || needs.some((need) => need.skipped),
      fn: async () => {
        for (const need of needs) need.require();
        await using used = new AsyncDisposableStack();
        const options = await optionsOf(store, used);
        const args = ["-p", "-1", "--store", store, ...options];
        await body(used.use(await ServerProcess.start(args)));
      },
    });
  }
}

/** What a server needs to be told of its store; what the store needs is there until `used` is disposed of. */
async function optionsOf(
  store: (typeof ALL)[number],
  used: AsyncDisposableStack,
): Promise<string[]> {
  switch (store) {
    case "memory":
      return [];
    case "disk": {
      const directory = await Deno.makeTempDir();
      used.defer(() => Deno.remove(directory, { recursive: true }));
      return ["--data-dir", directory];
    }
    case "redis":
      return ["--redis-url", (await used.use(new RedisServer()).start()).url];
    case "gcs": {
      const { endpoint } = used.use(await Emulator.start());
      return ["--bucket", "bucket", "--gcs-endpoint", endpoint];
    }
  }
}

/** A program's output and exit code. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where and with what a program runs, if not as this one does. */
export interface Surroundings {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** Runs a program to its end. */
export async function outcomeOf(
  program: string,
  args: readonly string[],
  { cwd, env }: Surroundings = {},
): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    env,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The path of a file beside this one. */
export function beside(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** Runs a check of a client, which says that it is done where all went well. */
export async function assertDone(
  program: string,
  args: readonly string[],
  surroundings: Surroundings = {},
): Promise<void> {
  const { code, stdout, stderr } = await outcomeOf(program, args, surroundings);
  assertEquals({ code, stdout }, { code: 0, stdout: "done\n" }, stderr);
}
