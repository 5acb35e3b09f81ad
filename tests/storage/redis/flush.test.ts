import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { AdjustableClock } from "../../../lib/clock.ts";
import { itemOf } from "../contract.ts";
import { forAllTests, RedisServer, redisTest, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";
import type { Caller } from "../caller.ts";

const server = new RedisServer();
forAllTests(server);

const k = bytesOf("k");

async function has(store: Caller, key: Uint8Array): Promise<boolean> {
  return await store.read(key) !== undefined;
}

redisTest("a flush holds on other servers when it is acknowledged", async () => {
  const prefix = "flush 1:";
  await using one = await using(openOn(server, { prefix }));
  await using two = await using(openOn(server, { prefix }));
  for (let round = 0; round < 3; round++) {
    await one.swap(k, "any", itemOf("v"));
    assert(await has(two, k));
    await one.flush(0);
    assert(!await has(one, k));
    assert(!await has(two, k));
    assertEquals(await two.swap(k, "any", null), "absent");
    assertEquals(typeof await two.swap(k, "absent", itemOf("after")), "bigint");
    assert(await has(one, k));
  }
});

redisTest(
  "what other servers store after the acknowledgement is never taken by the flush",
  async () => {
    const prefix = "flush 2:";
    await using one = await using(openOn(server, { prefix }));
    await using two = await using(openOn(server, { prefix }));
    let ordered = 0;
    let acknowledged = 0;
    let written = 0;
    let done = false;
    const writing = (async () => {
      while (!done) {
        const after = acknowledged;
        const key = bytesOf(`key ${written++ % 100}`);
        await two.swap(key, "any", itemOf(`${after}`));
        if (after === acknowledged && !await has(one, key)) {
          // Absent is right only where a flush has been ordered meanwhile.
          assert(ordered > after, "an item stored after the flush is flushed");
        }
      }
    })();
    for (let round = 0; round < 4; round++) {
      ordered++;
      await one.flush(0);
      acknowledged++;
      const enough = written + 30;
      await until(() => written >= enough, "nothing is written");
    }
    done = true;
    await writing;
  },
);

redisTest(
  "a server that has not been told relies on nothing for longer than the lease",
  async () => {
    const prefix = "flush 3:";
    await using one = await using(openOn(server, { prefix }));
    await one.swap(k, "any", itemOf("v"));
    // Another server that is registered and never asks again: it is frozen, or cut off.
    const till = (Date.now() + 900) * 1000;
    await server.command("HSET", prefix, "server:frozen", `${till} 0`);
    await one.flush(0);
    assert(
      Date.now() * 1000 >= till,
      "the flush did not wait for what the frozen server relies on",
    );
  },
);

redisTest("a flush to come is carried out on every server at its moment", async () => {
  const prefix = "flush 4:";
  const clock = new AdjustableClock();
  await using one = await using(openOn(server, { prefix, clock }));
  await using two = await using(openOn(server, { prefix, clock }));
  await one.flush(clock.now() + 10_000);
  await two.swap(k, "any", itemOf("v"));
  clock.offset += 8_000;
  assert(await has(two, k) && await has(one, k));
  clock.offset += 3_000;
  assert(!await has(two, k));
  assert(!await has(one, k));
  await two.swap(k, "any", itemOf("after"));
  assert(await has(one, k));
});

redisTest("a flush touches only its prefix, and the dead items are freed by and by", async () => {
  const prefix = "flush [5]*:";
  await using one = await using(openOn(server, { prefix }));
  await using other = await using(openOn(server, { prefix: "flush 5x:" }));
  for (let i = 0; i < 700; i++) await one.swap(bytesOf(`k${i}`), "any", itemOf("v"));
  await other.swap(k, "any", itemOf("v"));
  await one.flush(0);
  await one.swap(k, "any", itemOf("alive"));
  const left = async () => (await server.command("KEYS", "flush \\[5\\]\\*:?*") as string[]).length;
  await until(async () => await left() === 1, "the dead items are not freed");
  assert(await has(one, k));
  assert(await has(other, k));
  await until(() => one.info().items === 1, "the items are not counted");
  assert(one.info().bytes > 0);
});

redisTest(
  "what a failover has lost of a flush is restored by the servers that know it",
  async () => {
    const prefix = "flush 6:";
    await using store = await using(openOn(server, { prefix }));
    await store.swap(k, "any", itemOf("flushed"));
    const before = await server.command("HGETALL", prefix) as string[];
    await store.flush(0);
    await store.flush(Date.now() + 500_000);
    const pending = await server.command("HGET", prefix, "pending");
    assert(pending !== "0");
    await server.command("DEL", prefix);
    await server.command("HSET", prefix, ...before);
    await until(
      async () => await server.command("HGET", prefix, "pending") === pending,
      "not again",
    );
    assert(!await has(store, k));
    await using fresh = await using(openOn(server, { prefix }));
    assert(!await has(fresh, k));
  },
);

redisTest("cas uniques rise over a loss of all data", async () => {
  const prefix = "flush 7:";
  let highest = 0n;
  await using store = await using(openOn(server, { prefix }));
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 100; i++) {
      const cas = await store.swap(k, "any", itemOf("v")) as bigint;
      assert(cas > highest);
      highest = cas;
    }
    await server.command("FLUSHALL");
    await using fresh = await using(openOn(server, { prefix }));
    const cas = await fresh.swap(k, "any", itemOf("v")) as bigint;
    assert(cas > highest);
    highest = await store.swap(k, "any", itemOf("v")) as bigint;
    highest = highest > cas ? highest : cas;
    await store.flush(0);
  }
});

redisTest(
  "what servers have reserved ahead of Redis's clock counts where the ledger is lost",
  async () => {
    const prefix = "flush 9:";
    const ahead = (Date.now() + 60_000) * 1000;
    await server.command("HSET", prefix, "next", `${ahead}`);
    await using store = await using(openOn(server, { prefix }));
    const cas = await store.swap(k, "any", itemOf("v")) as bigint;
    assert(cas >= BigInt(ahead));
    await server.command("DEL", prefix);
    await until(async () => await server.command("EXISTS", prefix) === 1, "it is not written anew");
    await using fresh = await using(openOn(server, { prefix }));
    assert(await fresh.swap(bytesOf("other"), "any", itemOf("v")) as bigint > cas);
    await fresh.flush(0);
    assert(!await has(fresh, k));
    assert(!await has(store, k));
  },
);

redisTest("uniques last for more writes than a block has, all of them different", async () => {
  await using store = await using(openOn(server, { prefix: "flush 8:" }));
  const seen = new Set<bigint>();
  for (let round = 0; round < 15; round++) {
    await Promise.all(Array.from({ length: 10_000 }, async () => {
      seen.add(await store.swap(k, "any", itemOf("v")) as bigint);
    }));
  }
  assertEquals(seen.size, 150_000);
});
