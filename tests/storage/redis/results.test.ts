import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import type { Exchanged } from "../../../lib/storage/exchanges.ts";
import { itemOf } from "../contract.ts";
import { RedisServer, redisTest } from "./servers.ts";
import { openOn } from "./stores.ts";

redisTest("what is asked of Redis is counted and told by how it ended", async () => {
  await using redis = new RedisServer();
  await redis.start();
  const exchanged: Exchanged[] = [];
  const store = await openOn(redis, {
    onExchanged: (exchange: Exchanged) => void exchanged.push(exchange),
  });
  try {
    const counted = (result: string) =>
      Number(store.info().own.find(([name]) => name === `redis_results_${result}`)![1]);
    const unreadable = () =>
      Number(store.info().own.find(([name]) => name === "redis_unreadable_values")![1]);
    await store.swap(bytesOf("k"), "any", itemOf("v"));
    const ok = counted("ok");
    assert(ok > 0);
    assertEquals(["error", "timeout", "connection"].map(counted), [0, 0, 0]);
    assert(exchanged.length > 0);
    assertEquals(unreadable(), 0);
    await redis.command("set", "other", "written by somebody else");
    await assertRejects(async () => await store.read(bytesOf("other")), StoreError);
    assertEquals(unreadable(), 1);
    for (const { operation, result, milliseconds } of exchanged) {
      assertEquals([operation, result, milliseconds >= 0], ["pipeline", "ok", true]);
    }
  } finally {
    await store.close();
  }
});
