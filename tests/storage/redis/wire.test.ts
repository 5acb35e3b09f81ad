import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { Harness } from "../../server/harness.ts";
import { exchangeWith } from "../../server/wire.ts";
import { freePort } from "../../ports.ts";
import { forAllTests, RedisServer, redisTest, until } from "./servers.ts";
import { openOn } from "./stores.ts";

const server = new RedisServer();
forAllTests(server);
let places = 0;

/** memcached's commands on a store of its own. */
async function harness(prefix = `wire ${++places}:`): Promise<Harness> {
  const store = await openOn(server, { prefix });
  return new Harness({ store: () => store.store });
}

const figure = (use: Harness, name: string) => new Map(use.store.info().own).get(name) as number;

redisTest("memcached's commands do on Redis what they say", async () => {
  await using use = await harness();
  const sent = [
    "set k 5 0 5\r\nhello\r\n",
    "get k\r\n",
    "append k 0 0 6\r\n world\r\n",
    "add k 0 0 1\r\nx\r\n",
    "gat 100 k\r\n",
    "set n 0 0 1\r\n9\r\n",
    "incr n 2\r\n",
    "decr n 20\r\n",
    "cas n 0 0 1 1\r\nx\r\n",
    "cas none 0 0 1 1\r\nx\r\n",
    "touch k 100\r\n",
    "delete k\r\n",
    "touch k 1\r\n",
    "get k n none\r\n",
    "delete n\r\n",
    "delete n\r\n",
  ];
  const received = "STORED\r\n" +
    "VALUE k 5 5\r\nhello\r\nEND\r\n" +
    "STORED\r\nNOT_STORED\r\n" +
    "VALUE k 5 11\r\nhello world\r\nEND\r\n" +
    "STORED\r\n11\r\n0\r\nEXISTS\r\nNOT_FOUND\r\n" +
    "TOUCHED\r\nDELETED\r\nNOT_FOUND\r\n" +
    "VALUE n 0 2\r\n0 \r\nEND\r\n" +
    "DELETED\r\nNOT_FOUND\r\n";
  // Together and one by one: the order of the replies is that of the requests.
  assertEquals(await use.exchange([sent.join("")]), received);
  assertEquals(await use.exchange(sent), received);
});

redisTest("what a connection sends after flush_all is not flushed, also in one write", async () => {
  await using use = await harness();
  assertEquals(
    await use.exchange([
      "set a 0 0 1\r\nx\r\nflush_all\r\nget a\r\nset a 0 0 1\r\ny\r\n",
      "get a\r\n",
    ]),
    "STORED\r\nOK\r\nEND\r\nSTORED\r\nVALUE a 0 1\r\ny\r\nEND\r\n",
  );
});

redisTest("the requests of one write go to Redis together", async () => {
  await using use = await harness();
  // They come in one go: a new connection reads 2 KiB.
  const keys = Array.from({ length: 80 }, (_, i) => `k${i}`);
  const sets = keys.map((key) => `set ${key} 0 0 1\r\nx\r\n`).join("");
  const before = figure(use, "redis_writes");
  assertEquals(await use.exchange([sets]), "STORED\r\n".repeat(80));
  const values = keys.map((key) => `VALUE ${key} 0 1\r\nx\r\n`).join("");
  assertEquals(await use.exchange([`get ${keys.join(" ")}\r\n`]), `${values}END\r\n`);
  // Few values are held at a time as long as nobody knows how large they are: five turns for 80 keys.
  assert(figure(use, "redis_writes") - before <= 8);
});

redisTest("the requests of many connections that come together share a write", async () => {
  await using use = await harness();
  await use.exchange(["set k 0 0 1\r\nx\r\n"]);
  const before = figure(use, "redis_writes");
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => use.exchange(["get k\r\n"])),
  );
  for (const reply of replies) assertEquals(reply, "VALUE k 0 1\r\nx\r\nEND\r\n");
  assert(figure(use, "redis_writes") - before <= 6);
});

redisTest(
  "a Redis that is away is an error for the request, and the connection lives on",
  async () => {
    await using redis = await new RedisServer().start();
    const store = await openOn(redis, { timeout: 500 });
    await using use = new Harness({ store: () => store.store });
    await until(
      async () => await use.exchange(["set k 0 0 1\r\nx\r\n"]) === "STORED\r\n",
      "nothing is stored",
    );
    await redis.kill("SIGSTOP");
    const received = await use.exchange(["get k\r\nversion\r\nset k 0 0 1\r\ny\r\nversion\r\n"]);
    await redis.kill("SIGCONT");
    assertMatch(
      received,
      /^SERVER_ERROR Redis .*did not answer within 500 ms.*\r\nVERSION .*\r\nSERVER_ERROR .*\r\nVERSION .*\r\n$/,
    );
  },
);

redisTest(
  "the server starts with Redis away, answers what needs no Redis, and then all",
  async () => {
    await using redis = new RedisServer();
    const port = freePort();
    const main = fileURLToPath(new URL("../../../server.ts", import.meta.url));
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", main, "-p", `${port}`, "--store", "redis", "--redis-url", redis.url],
        ...["--store-timeout", "500"],
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const said = new Response(process.stderr).text();
    const ask = (text: string) => exchangeWith(port, text).catch(() => "");
    await until(async () => (await ask("version\r\n")).startsWith("VERSION "), "no version");
    assertMatch(await ask("stats\r\n"), /STAT pid \d+\r\n/);
    assertMatch(await ask("get k\r\n"), /^SERVER_ERROR Cannot use Redis at .*ECONNREFUSED/);
    await redis.start();
    await until(async () => await ask("set k 0 0 1\r\nx\r\n") === "STORED\r\n", "no answers");
    assertEquals(await ask("get k\r\n"), "VALUE k 0 1\r\nx\r\nEND\r\n");
    process.kill("SIGTERM");
    assertEquals((await process.status).code, 0);
    const lines = (await said).split("\n").filter((line) => line.includes("Cannot use Redis"));
    assertEquals(lines.length, 1, lines.join("\n"));
  },
);
