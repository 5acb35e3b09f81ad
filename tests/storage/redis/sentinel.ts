/**
 * A master with a replica, watched by Sentinels, all on free ports.
 *
 * @module
 */

import { freePort } from "../../ports.ts";
import { missing, RedisServer, until } from "./servers.ts";

/** Why the tests with Sentinel are skipped, if they are. */
export const noSentinel: string | undefined = missing ?? (() => {
  try {
    const { success } = new Deno.Command("redis-sentinel", { args: ["--version"] }).outputSync();
    return success ? undefined : "redis-sentinel";
  } catch {
    return "redis-sentinel";
  }
})();

/** A test that needs Sentinel; without it is skipped, and says so. */
export function sentinelTest(name: string, fn: () => Promise<void>): void {
  const reason = noSentinel === undefined ? "" : ` (skipped: ${noSentinel} is not installed)`;
  Deno.test({ name: `${name}${reason}`, ignore: noSentinel !== undefined, fn });
}

/** How the Sentinels differ from plain ones. */
export interface WatchOptions {
  /** Options of both Redis servers. */
  readonly redis?: readonly string[];
  /** Lines of the Sentinels' configuration. */
  readonly lines?: readonly string[];
}

/** Starts one Sentinel, which watches the master `one` on that port, with more lines of its configuration. */
export async function startSentinel(
  directory: string,
  port: number,
  master: number,
  lines: readonly string[] = [],
): Promise<Deno.ChildProcess> {
  const file = `${directory}/${port}.conf`;
  await Deno.mkdir(`${directory}/${port}`);
  await Deno.writeTextFile(
    file,
    [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${directory}/${port}`,
      `sentinel monitor one 127.0.0.1 ${master} 2`,
      "sentinel down-after-milliseconds one 500",
      "sentinel failover-timeout one 3000",
      ...lines,
      "",
    ].join("\n"),
  );
  return new Deno.Command("redis-sentinel", {
    args: [file],
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** The master `one`, its replica, and three Sentinels. */
export class Watched implements AsyncDisposable {
  readonly servers: readonly RedisServer[];
  readonly ports = [freePort(), freePort(), freePort()];
  readonly #lines: readonly string[];
  readonly #processes: Deno.ChildProcess[] = [];
  #directory = "";

  constructor({ redis = [], lines = [] }: WatchOptions = {}) {
    this.servers = [new RedisServer(redis), new RedisServer(redis)];
    this.#lines = lines;
  }

  get urls(): string[] {
    return this.ports.map((port) => `redis-sentinel://127.0.0.1:${port}/one`);
  }

  async start(): Promise<this> {
    const [master, replica] = this.servers;
    await Promise.all([master.start(), replica.start()]);
    await replica.command("REPLICAOF", "127.0.0.1", `${master.port}`);
    await until(
      async () => String(await replica.command("INFO")).includes("master_link_status:up"),
      "the replica does not come up",
    );
    this.#directory = await Deno.makeTempDir({ prefix: "kvs-sentinel-" });
    for (const port of this.ports) {
      this.#processes.push(await startSentinel(this.#directory, port, master.port, this.#lines));
    }
    await until(
      async () => (await Promise.all(this.ports.map((port) => this.knows(port)))).every(Boolean),
      "the Sentinels do not find one another",
    );
    return this;
  }

  /** Whether that Sentinel knows the replica and the other two. */
  async knows(port: number): Promise<boolean> {
    const { stdout } = await new Deno.Command("redis-cli", {
      args: ["-p", `${port}`, ...this.login, "sentinel", "master", "one"],
      stderr: "null",
    }).output();
    const told = new TextDecoder().decode(stdout);
    return /num-slaves\n1\n/.test(told) && /num-other-sentinels\n2\n/.test(told);
  }

  /** What redis-cli needs to be let in. */
  login: readonly string[] = [];

  /** Has the Sentinels make the replica the master. */
  async failOver(): Promise<void> {
    await new Deno.Command("redis-cli", {
      args: ["-p", `${this.ports[0]}`, ...this.login, "sentinel", "failover", "one"],
      stdout: "null",
    }).output();
  }

  /** Ends one of the Sentinels. */
  async stopSentinel(index: number): Promise<void> {
    this.#processes[index].kill("SIGKILL");
    await this.#processes[index].status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) {
      try {
        process.kill("SIGKILL");
      } catch {
        // It was stopped before.
      }
      await process.status;
    }
    for (const server of this.servers) await server[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}
