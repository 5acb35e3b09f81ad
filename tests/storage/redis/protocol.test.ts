import { assertEquals } from "@std/assert";
import { AdjustableClock } from "../../../lib/clock.ts";
import { mistakesOn } from "../../conformance/like_memory.ts";
import { forAllTests, RedisCluster, RedisServer, redisTest } from "./servers.ts";
import { openOn } from "./stores.ts";

const server = new RedisServer();
const cluster = new RedisCluster();
forAllTests(server);
forAllTests(cluster);

for (const [name, place] of [["Redis", server], ["Redis Cluster", cluster]] as const) {
  redisTest(`${name} protocol: every script is answered as on the memory store`, async () => {
    const clock = new AdjustableClock();
    const open = async (script: string) =>
      (await openOn(place, { clock, prefix: `{${script}}/` })).store;
    assertEquals(await mistakesOn(open, clock), []);
  });
}
