import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import type { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { freePort } from "../../ports.ts";
import { missing, RedisCluster, RedisServer, redisTest, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const k = bytesOf("k");

/** A sentence that a client can be told; a cause that contains itself would soon be longer. */
const LONGEST = 500;

/** Asks until so many attempts to connect have failed; returns what the requests were told. */
async function failures(store: Caller, attempts: () => number, enough: number): Promise<string[]> {
  const said: string[] = [];
  await until(async () => {
    for (const call of [() => store.read(k), () => store.swap(k, "any", itemOf("v"))]) {
      try {
        await call();
      } catch (error) {
        assert(error instanceof StoreError, `${error}`);
        said.push(error.message);
      }
    }
    return attempts() >= enough;
  }, `${enough} attempts`);
  return said;
}

/** A server that accepts connections and closes each, after it has said something. */
class Closer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;
  accepted = 0;

  constructor(saying: (n: number) => string = () => "") {
    this.#serving = this.#serve(saying);
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async #serve(saying: (n: number) => string): Promise<void> {
    for await (const connection of this.#listener) {
      const said = saying(this.accepted++);
      if (said !== "") await connection.write(bytesOf(said)).catch(() => {});
      connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }
}

Deno.test("what closes every connection is one cause, in a bounded sentence, and logged once", async () => {
  await using closer = new Closer();
  const lines: string[] = [];
  await using store = await using(openOn(new RedisServer(), {
    urls: [`redis://127.0.0.1:${closer.port}`],
    log: (line) => lines.push(line),
  }));
  const said = await failures(store, () => closer.accepted, 30);
  for (const sentence of said) {
    assert(sentence.length < LONGEST, sentence);
    assertEquals(sentence.split("Cannot use Redis").length, 2, sentence);
    assert(!sentence.includes("may or may not"), sentence);
  }
  assertEquals(lines.length, 1, lines.join("\n"));
  assert(lines[0].length < LONGEST, lines[0]);
});

Deno.test("causes that alternate are one state: one line when it begins", async () => {
  await using closer = new Closer((n) =>
    ["", "-ERR max number of clients reached\r\n", "-LOADING wait\r\n"][n % 3]
  );
  const lines: string[] = [];
  await using store = await using(openOn(new RedisServer(), {
    urls: [`redis://127.0.0.1:${closer.port}`],
    log: (line) => lines.push(line),
  }));
  const said = await failures(store, () => closer.accepted, 30);
  for (const sentence of said) assert(sentence.length < LONGEST, sentence);
  assertEquals(lines.length, 1, lines.join("\n"));
});

redisTest(
  "Redis without room for a connection: one line when it begins, one when it ends",
  async () => {
    await using server = await new RedisServer(["--maxclients", "2"]).start();
    const taken = [await served(server.port), await served(server.port)];
    const lines: string[] = [];
    await using store = await using(openOn(server, { log: (line) => lines.push(line) }));
    const begun = performance.now();
    const said = await failures(store, () => (performance.now() - begun) / 50, 30);
    assert(said.some((sentence) => sentence.includes("max number of clients reached")), said[0]);
    for (const sentence of said) assert(sentence.length < LONGEST, sentence);
    assertEquals(lines.length, 1, lines.join("\n"));
    for (const connection of taken) connection.close();
    await until(() => lines.length === 2, "it does not recover");
    assertMatch(lines[1], /can be used again$/);
  },
);

redisTest("a cluster whose seeds fail in different ways logs its state once", async () => {
  await using closer = new Closer();
  const lines: string[] = [];
  await using store = await using(openOn(new RedisCluster(), {
    urls: [`redis://127.0.0.1:${closer.port}`, `redis://127.0.0.1:${freePort()}`].reverse(),
    log: (line) => lines.push(line),
  }));
  const said = await failures(store, () => closer.accepted, 10);
  for (const sentence of said) assert(sentence.length < LONGEST, sentence);
  assertEquals(lines.length, 1, lines.join("\n"));
});

/** A connection that Redis has taken. */
async function served(port: number): Promise<Deno.TcpConn> {
  for (;;) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(bytesOf("PING\r\n"));
    const buffer = new Uint8Array(5);
    if (await connection.read(buffer) !== null && buffer[0] === 43) return connection;
    connection.close();
  }
}

/** Why the tests behind HAProxy are skipped, if they are. */
const noProxy = (() => {
  try {
    return new Deno.Command("haproxy", { args: ["-v"] }).outputSync().success ? "" : "fails";
  } catch {
    return "is not installed";
  }
})();

Deno.test({
  name: `HAProxy without a healthy server, and with one again: one line each${
    noProxy && ` (skipped: haproxy ${noProxy})`
  }`,
  ignore: noProxy !== "" || missing !== undefined,
  async fn() {
    const directory = await Deno.makeTempDir({ prefix: "kvs-haproxy-" });
    const [front, stats] = [freePort(), `${directory}/stats`];
    await using server = new RedisServer();
    await Deno.writeTextFile(
      `${directory}/haproxy.cfg`,
      `global
  stats socket ${stats}
defaults
  mode tcp
  timeout connect 1s
  timeout client 1m
  timeout server 1m
listen redis
  bind 127.0.0.1:${front}
  server one 127.0.0.1:${server.port} check inter 50 fall 1 rise 1
`,
    );
    const proxy = new Deno.Command("haproxy", {
      args: ["-f", `${directory}/haproxy.cfg`, "-db", "-q"],
      stderr: "null",
    }).spawn();
    try {
      await until(
        () =>
          Deno.connect({ port: front }).then((connection) => {
            connection.close();
            return true;
          }, () => false),
        "haproxy does not start",
      );
      const lines: string[] = [];
      const options = {
        urls: [`redis://127.0.0.1:${front}`],
        log: (line: string) => lines.push(line),
        timeout: 2000,
      };
      await using store = await using(openOn(server, options));
      const begun = performance.now();
      const said = await failures(store, () => (performance.now() - begun) / 50, 40);
      for (const sentence of said) assert(sentence.length < LONGEST, sentence);
      assertEquals(lines.length, 1, lines.join("\n"));
      await server.start();
      await until(
        () => Promise.resolve(store.swap(k, "any", itemOf("v"))).then(() => true, () => false),
        "it does not recover",
      );
      assertEquals(lines.length, 2, lines.join("\n"));
      // A server that falls behind the proxy's back: the change may have been made, the read not.
      await server.kill("SIGSTOP");
      const late = Promise.allSettled([store.read(k), store.swap(k, "any", itemOf("w"))]);
      const [read, swap] = await late;
      await server.kill("SIGCONT");
      assert(read.status === "rejected" && !/may or may not/.test(read.reason.message), `${read}`);
      assert(swap.status === "rejected" && /may or may not/.test(swap.reason.message), `${swap}`);
    } finally {
      proxy.kill("SIGTERM");
      await proxy.status;
      await Deno.remove(directory, { recursive: true });
    }
  },
});
