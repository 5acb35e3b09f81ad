import { testContract } from "../contract.ts";
import { RedisServer } from "./servers.ts";
import { openOn } from "./stores.ts";

const server = await new RedisServer().start();
let places = 0;

testContract("Redis", () => {
  const prefix = `place ${++places}:`;
  return {
    open: (clock) => openOn(server, { prefix, clock }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
});

Deno.test.afterAll(() => server[Symbol.asyncDispose]());
