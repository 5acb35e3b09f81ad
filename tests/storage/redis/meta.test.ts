import { followMetaRules } from "../meta_rules.ts";
import { forAllTests, RedisCluster, RedisServer, redisTest } from "./servers.ts";
import { openOn } from "./stores.ts";

const server = new RedisServer();
const cluster = new RedisCluster();
forAllTests(server);
forAllTests(cluster);

for (const [name, place] of [["Redis", server], ["Redis Cluster", cluster]] as const) {
  redisTest(`${name} meta: every rule of the meta commands is kept`, async () => {
    await followMetaRules(async (number, clock) =>
      (await openOn(place, { clock, prefix: `{${number}}/` })).store
    );
  });
}
