import { openRedisStore } from "../../../lib/storage/redis/mod.ts";
import { testContract } from "../contract.ts";
import { RedisServer } from "./servers.ts";

const server = await new RedisServer().start();
let places = 0;
testContract("Redis", () => {
  const prefix = `place ${++places}:`;
  return {
    open: (clock) =>
      openRedisStore({ urls: [server.url], cluster: false, prefix, clock, log: () => {} }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
});
Deno.test.afterAll(() => server[Symbol.asyncDispose]());
