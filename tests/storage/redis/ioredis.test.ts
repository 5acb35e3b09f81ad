/**
 * What kvs relies on of ioredis beyond its documents, for the release that `deno.json` pins: a new
 * release is taken in when these tests have passed with it.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { AbstractConnector, type Command, Redis } from "ioredis";
import { forAllTests, RedisServer, redisTest } from "./servers.ts";

const server = new RedisServer();
forAllTests(server);

/** What `Request` has of a command, and every name by which ioredis asked for more. */
function noted(name: string, strange: Set<string>) {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  promise.catch(() => {});
  const has = {
    name,
    args: [],
    promise: undefined,
    isTraced: true,
    toWritable() {},
    resolve,
    reject,
  };
  const command = new Proxy(has, {
    get(target, property) {
      if (!(property in target) && property !== "pipelineIndex" && property !== "inTransaction") {
        strange.add(String(property));
      }
      return Reflect.get(target, property);
    },
  });
  return { command: command as unknown as Command, reply: promise };
}

/** A connection whose socket is the test's. */
async function connection() {
  const sockets: ReturnType<typeof connect>[] = [];
  const redis = new Redis({
    Connector: class extends AbstractConnector {
      constructor() {
        super(50);
      }
      // deno-lint-ignore require-await
      override async connect() {
        const socket = connect({ host: "127.0.0.1", port: server.port });
        sockets.push(socket);
        return this.stream = socket;
      }
    },
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    disableClientInfo: true,
    retryStrategy: () => 10,
  });
  redis.on("error", () => {});
  await new Promise<void>((resolve) => redis.once("ready", () => resolve()));
  return {
    redis,
    write: (text: string) => sockets.at(-1)!.write(text),
    sink: { write: () => true } as unknown as Parameters<Redis["sendCommand"]>[1],
    async [Symbol.asyncDispose]() {
      // Between two connections there is nothing that could end.
      if (redis.status !== "ready") {
        await new Promise<void>((resolve) => redis.once("ready", () => resolve()));
      }
      redis.disconnect();
      await new Promise<void>((resolve) => redis.once("end", () => resolve()));
    },
  };
}

Deno.test("deno.json pins one release of ioredis", async () => {
  const { imports } = JSON.parse(
    await Deno.readTextFile(new URL("../../../deno.json", import.meta.url)),
  );
  assert(/^npm:ioredis@\d+\.\d+\.\d+$/.test(imports.ioredis), imports.ioredis);
});

redisTest(
  "ioredis sends nothing of its own, and matches replies to commands in their order",
  async () => {
    await using one = await connection();
    const strange = new Set<string>();
    const [echo, wrong, ping] = ["echo", "get", "ping"].map((name) => noted(name, strange));
    for (const { command } of [echo, wrong, ping]) one.redis.sendCommand(command, one.sink);
    one.write(
      "*2\r\n$4\r\nECHO\r\n$2\r\n\xff1\r\n*1\r\n$3\r\nGET\r\n*1\r\n$4\r\nPING\r\n".replace(
        "\xff",
        "a",
      ),
    );
    assertEquals(await echo.reply, Buffer.from("a1"));
    await assertRejects(() => wrong.reply, Error, "wrong number of arguments");
    assertEquals(await wrong.reply.catch((error: Error) => error.name), "ReplyError");
    assertEquals(await ping.reply, Buffer.from("PONG"));
    assertEquals([...strange], [], "ioredis asks a command for more than a request has");
    assertEquals(
      String(await server.command("INFO", "commandstats")).includes("cmdstat_client|setinfo"),
      false,
    );
  },
);

redisTest(
  "ioredis rejects what a lost connection has not answered, and never sends it again",
  async () => {
    await using one = await connection();
    await server.command("SET", "counter", "0");
    const strange = new Set<string>();
    const { command, reply } = noted("incr", strange);
    one.redis.sendCommand(command, one.sink);
    // Half of the command: Redis never answers it.
    one.write("*2\r\n$4\r\nINCR\r\n$7\r\ncoun");
    const again = new Promise<void>((resolve) => one.redis.once("ready", () => resolve()));
    await server.command("CLIENT", "KILL", "TYPE", "normal");
    const error = await reply.catch((error) => error);
    assert(error instanceof Error && error.name !== "ReplyError", `${error}`);
    await again;
    assertEquals(await server.command("GET", "counter"), "0");
    assertEquals([...strange], [], "ioredis asks a command for more than a request has");
  },
);

redisTest("ioredis refuses a command without a connection, and does not queue it", async () => {
  await using one = await connection();
  const { command, reply } = noted("ping", new Set());
  one.redis.once("close", () => one.redis.sendCommand(command, one.sink));
  await server.command("CLIENT", "KILL", "TYPE", "normal");
  await assertRejects(() => reply, Error, "enableOfflineQueue");
});
