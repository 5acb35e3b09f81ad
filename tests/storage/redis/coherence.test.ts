import { assertCoherent } from "./coherence.ts";
import { RedisServer, redisTest } from "./servers.ts";

redisTest(
  "two servers with 64 workers each lose no update, and no cas succeeds twice",
  async () => {
    await using server = await new RedisServer().start();
    await assertCoherent(server);
  },
);
