import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import type { RedisStoreOptions } from "../../../lib/storage/redis/mod.ts";
import { itemOf } from "../contract.ts";
import { forAllTests, missing, RedisCluster, RedisServer, redisTest, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const page = await Deno.readTextFile(new URL("../../../docs/redis.md", import.meta.url));
const section = page.slice(page.indexOf("## The rights"), page.indexOf("## What STORED"));
const [rule, beside] = section.split("In a cluster also");
/** The rights that the document names for one Redis, and for a cluster beside them. */
const rights = [...rule.matchAll(/\+[a-z|]+/g)].map(String);
const clusterRights = beside.match(/^ `([^`]*)`/)![1].split(" ");

/** What only scripts run. */
const SCRIPTED = new Set(["del", "time", "hset", "hdel", "hmget", "hgetall"]);

const server = new RedisServer();
const cluster = new RedisCluster();
forAllTests(server);
forAllTests(cluster);

/** The user of the document, without one of its rights; on every node. */
async function withRights(
  place: RedisServer | RedisCluster,
  granted: readonly string[],
): Promise<Partial<RedisStoreOptions>> {
  const user = `u${crypto.randomUUID()}`;
  const nodes = place instanceof RedisCluster ? place.nodes : [place];
  for (const node of nodes) {
    await node.command(
      ...["ACL", "SETUSER", user, "on", ">secret", "resetkeys", `~${user}*`, "resetchannels"],
      ...["-@all", ...granted],
    );
  }
  const urls = nodes.map((node) => `redis://${user}:secret@127.0.0.1:${node.port}`);
  return { urls, prefix: user };
}

/** All that a store asks of Redis; what a user lacks for it is what the errors say. */
async function useAll(
  place: RedisServer | RedisCluster,
  options: Partial<RedisStoreOptions>,
): Promise<string[]> {
  const lacks: string[] = [];
  const attempt = async (what: () => unknown) => {
    try {
      return await what();
    } catch (error) {
      assert(error instanceof StoreError, `${error}`);
      lacks.push(error.message);
    }
  };
  await using store = await using(openOn(place, options));
  const keys = Array.from({ length: 12 }, (_, i) => bytesOf(`key ${i}`));
  for (const key of keys) {
    await attempt(() => store.swap(key, "any", itemOf("v")));
    await attempt(() => store.swap(key, "absent", itemOf("v")));
    await attempt(() => store.swap(key, { cas: 1n }, itemOf("v")));
    await attempt(() => store.read(key));
    await attempt(() => store.swap(key, "any", null));
    await attempt(() => store.swap(key, "any", itemOf("v")));
  }
  await attempt(async () => {
    for await (const _ of store.scan());
  });
  await attempt(() => store.flush(0));
  if (String(new Map(store.info().own).get("redis_version")) === "unknown") lacks.push("info");
  return lacks;
}

redisTest("the documented rights are enough for one Redis", async () => {
  assertEquals(await useAll(server, await withRights(server, rights)), []);
});

redisTest("the documented rights are enough for a cluster", async () => {
  assertEquals(await useAll(cluster, await withRights(cluster, [...rights, ...clusterRights])), []);
});

for (const right of rights) {
  redisTest(`without ${right} something is refused, and the error says so`, async () => {
    await server.command("SCRIPT", "FLUSH");
    const options = await withRights(server, rights.filter((one) => one !== right));
    const lacks = await useAll(server, options);
    assert(lacks.length > 0, `nothing needs ${right}`);
    const named = right.slice(1).replace("|", " ");
    const said = new Set(lacks.map((sentence) => sentence.toLowerCase()));
    // Redis 7.0 names no command that a script may not run, later ones do.
    const isSaid = [...said].some((sentence) =>
      sentence.includes(named) ||
      SCRIPTED.has(named) && sentence.includes("does not permit a command of kvs's scripts")
    );
    assert(isSaid, [...said].join("\n"));
  });
}

redisTest("without +cluster|slots a cluster cannot be used, and the error names it", async () => {
  const granted = [...rights, ...clusterRights.filter((one) => one !== "+cluster|slots")];
  const lacks = await useAll(cluster, await withRights(cluster, granted));
  assertStringIncludes(lacks.join("\n"), "cluster|slots");
});

redisTest(
  "without +asking what moves to another node is refused, and the error names it",
  async () => {
    const granted = [...rights, ...clusterRights.filter((one) => one !== "+asking")];
    const [lacking, whole] = [
      await withRights(cluster, granted),
      await withRights(cluster, [...rights, ...clusterRights]),
    ];
    await using withIt = await using(openOn(cluster, whole));
    await using without = await using(openOn(cluster, lacking));
    const [first, other] = cluster.nodes;
    const ids = await Promise.all([first, other].map((node) => node.command("CLUSTER", "MYID")));
    // Keys of both stores in the first node's slots, which begin at 0.
    const owns = async (name: string) => {
      const slot = Number(await first.command("CLUSTER", "KEYSLOT", name));
      return slot < 5461 ? slot : undefined;
    };
    for (
      const [store, { prefix }, said] of [[withIt, whole, ""], [
        without,
        lacking,
        "asking",
      ]] as const
    ) {
      for (let i = 0;; i++) {
        const slot = await owns(`${prefix}key ${i}`);
        if (slot === undefined) continue;
        const key = bytesOf(`key ${i}`);
        await store.swap(key, "any", itemOf("v"));
        await other.command("CLUSTER", "SETSLOT", `${slot}`, "IMPORTING", `${ids[0]}`);
        await first.command("CLUSTER", "SETSLOT", `${slot}`, "MIGRATING", `${ids[1]}`);
        await first.command(
          "MIGRATE",
          "127.0.0.1",
          `${other.port}`,
          `${prefix}key ${i}`,
          "0",
          "5000",
        );
        const read = await Promise.resolve(store.read(key)).then(
          () => "",
          (error) => error.message,
        );
        if (said === "") {
          assertEquals(read, "");
        } else assertStringIncludes(read, said);
        await first.command("CLUSTER", "SETSLOT", `${slot}`, "NODE", `${ids[1]}`);
        await other.command("CLUSTER", "SETSLOT", `${slot}`, "NODE", `${ids[1]}`);
        break;
      }
    }
  },
);

redisTest("after a lost connection the right to end it in Redis is used", async () => {
  const options = await withRights(server, rights);
  await using store = await using(openOn(server, options));
  await store.swap(bytesOf("k"), "any", itemOf("v"));
  await server.command("CLIENT", "KILL", "USER", `${options.prefix}`);
  await until(
    () => Promise.resolve(store.read(bytesOf("k"))).then(() => true, () => false),
    "the store does not answer again",
  );
});

if (missing === undefined) {
  Deno.test("the document names the rights once each", () => {
    assertEquals(new Set(rights).size, rights.length);
    assertEquals(clusterRights, ["+cluster|slots", "+asking"]);
  });
}
