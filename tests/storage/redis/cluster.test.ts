import { testContract } from "../contract.ts";
import { RedisCluster } from "./servers.ts";
import { openOn } from "./stores.ts";

const cluster = await new RedisCluster(1).start();
let places = 0;

testContract("Redis Cluster", () => {
  const prefix = `place ${++places}:`;
  return {
    open: (clock) => openOn(cluster, { prefix, clock }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
});

Deno.test.afterAll(() => cluster[Symbol.asyncDispose]());
