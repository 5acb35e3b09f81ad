import { followDialectRules } from "../dialect_rules.ts";
import { forAllTests, RedisCluster, RedisServer, redisTest } from "./servers.ts";
import { openOn } from "./stores.ts";

const server = new RedisServer();
const cluster = new RedisCluster();
forAllTests(server);
forAllTests(cluster);

for (const [name, place] of [["Redis", server], ["Redis Cluster", cluster]] as const) {
  redisTest(
    `${name} dialects: every rule of the meta commands and of the binary protocol is kept`,
    async () => {
      await followDialectRules(async (number, clock) =>
        (await openOn(place, { clock, prefix: `{${number}}/` })).store
      );
    },
  );
}
