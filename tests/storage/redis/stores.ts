/**
 * Stores on the tests' Redis servers.
 *
 * @module
 */

import { assert } from "@std/assert";
import { systemClock } from "../../../lib/clock.ts";
import { StoreError } from "../../../lib/errors.ts";
import { openRedisStore, type RedisStoreOptions } from "../../../lib/storage/redis/mod.ts";
import { testContract } from "../contract.ts";
import { missing, RedisCluster, type RedisServer, redisTest, until } from "./servers.ts";
import { type Caller, callerOf } from "../caller.ts";

/** For tests that are not about it: a Redis that a busy machine lets wait is no Redis that is away. */
const PATIENT = 20_000;

/** Opens a store on a server or a cluster. */
export function openOn(
  place: RedisServer | RedisCluster,
  options: Partial<RedisStoreOptions> = {},
): Promise<Caller> {
  const cluster = place instanceof RedisCluster;
  return callerOf(openRedisStore({
    urls: cluster ? place.urls.slice(0, 2) : [place.url],
    cluster,
    prefix: "",
    clock: systemClock,
    log: () => {},
    timeout: PATIENT,
    ...options,
  }));
}

/** A store that is closed at the end of its block. */
export async function using(opened: Promise<Caller>): Promise<Caller & AsyncDisposable> {
  const store = await opened;
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** The answer to a call that is made until there is one: a store with a short timeout fails on a slow machine too. */
export async function answered<Answer>(call: () => Answer | Promise<Answer>): Promise<Answer> {
  let answer: { value: Answer } | undefined;
  await until(async () => {
    try {
      answer = { value: await call() };
    } catch (error) {
      assert(error instanceof StoreError, `${error}`);
    }
    return answer !== undefined;
  }, "the store does not answer");
  return answer!.value;
}

/** The contract suite, each point with a prefix of its own. */
export function testContractOn(name: string, place: RedisServer | RedisCluster): void {
  if (missing !== undefined) return redisTest(`${name} store: the contract`, async () => {});
  let places = 0;
  testContract(name, () => {
    const prefix = `place ${++places}:`;
    return {
      open: async (clock) => (await openOn(place, { prefix, clock })).store,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    // ioredis's parser gives memory back some time after a large reply.
  }, { lingers: true, certain: "what Redis has answered it has" });
}
