/**
 * Real Redis servers and clusters for the tests, on free ports, gone when they are disposed of.
 *
 * @module
 */

import { Redis } from "ioredis";
import { freePort } from "../../ports.ts";

/** Why the tests on real servers are skipped, if they are. */
export const missing: string | undefined = ["redis-server", "redis-cli"].find((program) => {
  try {
    return !new Deno.Command(program, { args: ["--version"] }).outputSync().success;
  } catch {
    return true;
  }
});

/** A test that needs Redis's programs; without them it is skipped, and says so. */
export function redisTest(name: string, fn: () => Promise<void>): void {
  const reason = missing === undefined ? "" : ` (skipped: ${missing} is not installed)`;
  Deno.test({ name: `${name}${reason}`, ignore: missing !== undefined, fn });
}

/** Something that is there for all tests of a file. */
export function forAllTests(place: RedisServer | RedisCluster): void {
  if (missing !== undefined) return;
  Deno.test.beforeAll(async () => void await place.start());
  Deno.test.afterAll(() => place[Symbol.asyncDispose]());
}

/** Waits for `condition`, and fails when it does not come within so many milliseconds. */
export async function until(
  condition: () => unknown | Promise<unknown>,
  what: string,
  ms = 60_000,
): Promise<void> {
  const deadline = performance.now() + ms;
  for (;;) {
    if (await condition()) return;
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** One redis-server. */
export class RedisServer implements AsyncDisposable {
  #process: Deno.ChildProcess | undefined;
  #directory: string | undefined;
  /** Another one, if somebody takes it before the first start. */
  port = freePort();
  /** Its password, percent-encoded, where it asks for one. */
  login = "";

  readonly #options: readonly string[];

  constructor(options: readonly string[] = []) {
    this.#options = options;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, or starts it again with the data it has on disk. */
  async start(): Promise<this> {
    const isFirst = this.#directory === undefined;
    this.#directory ??= await Deno.makeTempDir({ prefix: "kvs-redis-" });
    for (let tries = 1; !await this.#launch(); tries++) {
      if (tries === 50) throw new Error("redis-server ends at its start");
      // Started again it needs the same port, which a connection of somebody's may have for a while.
      if (isFirst) this.port = freePort();
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return this;
  }

  /** Whether it listens; it has ended otherwise. */
  async #launch(): Promise<boolean> {
    const process = this.#process = new Deno.Command("redis-server", {
      args: [
        ...["--port", `${this.port}`, "--bind", "127.0.0.1", "--dir", this.#directory!],
        ...["--save", "", "--enable-debug-command", "yes"],
        ...["--repl-diskless-sync-delay", "0", ...this.#options],
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    let isOver = false;
    process.status.then(() => isOver = true);
    await until(async () => isOver || await this.#isListening(), "redis-server does not start");
    if (isOver) this.#process = undefined;
    return !isOver;
  }

  async #isListening(): Promise<boolean> {
    try {
      const port = this.#options.includes("--tls-port")
        ? Number(this.#options[this.#options.indexOf("--tls-port") + 1])
        : this.port;
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch {
      return false;
    }
  }

  /** Sends a signal; SIGKILL and SIGTERM wait for the end. */
  async kill(signal: Deno.Signal): Promise<void> {
    this.#process!.kill(signal);
    if (signal !== "SIGKILL" && signal !== "SIGTERM") return;
    await this.#process!.status;
    this.#process = undefined;
  }

  /** One command, by a connection of its own. */
  async command(...words: (string | Uint8Array)[]): Promise<unknown> {
    const by = this.login === "" ? "" : `:${this.login}@`;
    return await this.commandBy(`redis://${by}127.0.0.1:${this.port}`, ...words);
  }

  /** The same by the user that the URL names. */
  async commandBy(url: string, ...words: (string | Uint8Array)[]): Promise<unknown> {
    const redis = new Redis(url, {
      retryStrategy: () => null,
      disableClientInfo: true,
      enableReadyCheck: false,
    });
    // The call says it, too.
    redis.on("error", () => {});
    try {
      return await redis.call(words[0] as string, ...words.slice(1) as string[]);
    } finally {
      redis.disconnect();
      await new Promise((resolve) => redis.once("end", resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== undefined) await this.kill("SIGKILL");
    if (this.#directory !== undefined) await Deno.remove(this.#directory, { recursive: true });
  }
}

/** Three masters with a replica each. */
export class RedisCluster implements AsyncDisposable {
  readonly nodes = Array.from(
    { length: 6 },
    () =>
      new RedisServer([
        ...["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"],
        ...["--cluster-replica-validity-factor", "0"],
        ...["--repl-timeout", "5", "--repl-ping-replica-period", "1"],
      ]),
  );

  get urls(): string[] {
    return this.nodes.map((node) => node.url);
  }

  async start(): Promise<this> {
    await Promise.all(this.nodes.map((node) => node.start()));
    const { success, stdout } = await new Deno.Command("redis-cli", {
      args: [
        ...["--cluster", "create", ...this.nodes.map((node) => `127.0.0.1:${node.port}`)],
        ...["--cluster-replicas", "1", "--cluster-yes"],
      ],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stdout));
    await until(async () => {
      const states = await Promise.all(this.nodes.map((node) => node.command("CLUSTER", "INFO")));
      return states.every((state) => String(state).includes("cluster_state:ok"));
    }, "the cluster does not come up");
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
  }
}
