/** Stores that hold nothing: each thread has one of its own. */

import { assertEquals, assertMatch } from "@std/assert";
import { unexplained } from "../../linearizable.ts";
import { Emulator } from "../../storage/gcs/emulator/mod.ts";
import { RedisServer, redisTest } from "../../storage/redis/servers.ts";
import { ServerProcess } from "../process.ts";
import { exchangeWith } from "../wire.ts";
import { COUNTER, Observed, talk, wrongSums } from "./clients.ts";

const KEYS = ["a", "b"];
const CLIENTS = 6;

/** Many clients over several threads, then a flush that all of them see, and figures that add up. */
async function tryThreads(args: readonly string[], requests: number): Promise<void> {
  await using server = await ServerProcess.start(["-p", "-1", "-t", "3", ...args]);
  const { port } = server;
  assertEquals(await exchangeWith(port, `set ${COUNTER} 0 0 1\r\n0\r\n`), "STORED\r\n");
  const observed = new Observed();
  await Promise.all(
    Array.from(
      { length: CLIENTS },
      (_, client) => talk(port, client, KEYS, requests, observed, () => {}),
    ),
  );
  assertEquals(observed.answered, CLIENTS * requests);
  for (const key of KEYS) assertEquals(unexplained(observed.of(key), undefined), undefined);
  assertEquals(wrongSums(observed), []);
  assertEquals(await exchangeWith(port, "flush_all\r\n"), "OK\r\n");
  for (let i = 0; i < 6; i++) {
    assertEquals(await exchangeWith(port, `get ${KEYS[0]} ${COUNTER}\r\n`), "END\r\n");
  }
  const stats = await exchangeWith(port, "stats\r\n");
  assertMatch(stats, /STAT threads 3\r\n/);
  assertMatch(stats, new RegExp(`STAT incr_hits ${observed.sums.length}\\r\\n`));
  assertMatch(stats, new RegExp(`STAT total_connections ${CLIENTS + 9}\\r\\n`));
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
}

redisTest(
  "threads on Redis: every answer is explained by one order, and a flush is for all",
  async () => {
    await using redis = new RedisServer();
    await redis.start();
    await tryThreads(["--store", "redis", "--redis-url", redis.url], 100);
  },
);

Deno.test("threads on a bucket: every answer is explained by one order, and a flush is for all", async () => {
  await using emulator = await Emulator.start();
  const endpoint = ["--bucket", "bucket", "--gcs-endpoint", emulator.endpoint];
  await tryThreads(["--store", "gcs", ...endpoint], 40);
});
