import { assertEquals, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { Gathering, MOST_BYTES } from "../../../lib/storage/redis/gathering.ts";
import { LastReads } from "../../../lib/storage/redis/last_reads.ts";
import { itemOf } from "../contract.ts";
import { Harness } from "../../server/harness.ts";
import { forAllTests, RedisServer, redisTest, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const server = new RedisServer();
forAllTests(server);
let places = 0;
const COMMANDS = ["get", "mget", "set", "mset"] as const;

/** How often Redis has run each command since the counts began anew. */
async function ran(): Promise<Partial<Record<string, number>>> {
  const text = String(await server.command("INFO", "commandstats"));
  const counts = COMMANDS.map((name) =>
    [name, new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(text)?.[1]] as const
  );
  return Object.fromEntries(
    counts.filter(([, count]) => count !== undefined).map(([name, count]) => [name, Number(count)]),
  );
}

/**
 * Runs something until Redis has run just these commands for it: on a machine that stands still, requests wait
 * until the ledger is known anew, and then go one by one.
 */
async function runsAs(expected: Record<string, number>, run: () => Promise<void>): Promise<void> {
  await until(async () => {
    await server.command("CONFIG", "RESETSTAT");
    await run();
    return JSON.stringify(await ran()) === JSON.stringify(expected);
  }, `Redis runs ${JSON.stringify(expected)}`);
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => bytesOf(`k${i}`));
const valueOf = (item: { value: Uint8Array } | undefined) =>
  item === undefined ? undefined : binaryString(item.value);

redisTest("sets and reads that come together are one command each", async () => {
  await using store = await using(openOn(server, { prefix: `g${++places}:` }));
  const keys = numbered(20);
  await runsAs({ mget: 1, mset: 1 }, async () => {
    const uniques = await Promise.all(
      keys.map((key, i) => store.swap(key, "any", itemOf(`v${i}`, { flags: i }))),
    );
    const items = await Promise.all(keys.map((key) => store.read(key)));
    assertEquals(items.map(valueOf), keys.map((_, i) => `v${i}`));
    assertEquals(items.map((item) => item!.flags), keys.map((_, i) => i));
    assertEquals(items.map((item) => item!.cas), uniques as bigint[]);
  });
});

redisTest("what comes alone goes by GET and by SET", async () => {
  await using store = await using(openOn(server, { prefix: `g${++places}:` }));
  await runsAs({ get: 1, set: 1 }, async () => {
    await store.swap(bytesOf("k"), "any", itemOf("w"));
    assertEquals(valueOf(await store.read(bytesOf("k"))), "w");
  });
});

redisTest("items that expire keep their time among sets that come together", async () => {
  const prefix = `g${++places}:`;
  await using store = await using(openOn(server, { prefix }));
  const keys = numbered(6);
  const exptime = Date.now() + 1_000_000;
  await Promise.all(
    keys.map((key, i) => store.swap(key, "any", itemOf("v", { exptime: i % 2 * exptime }))),
  );
  const items = await Promise.all(keys.map((key) => store.read(key)));
  assertEquals(items.map((item) => item!.exptime), keys.map((_, i) => i % 2 * exptime));
  const kept = await Promise.all(keys.map((_, i) => server.command("PTTL", `${prefix}k${i}`)));
  assertEquals(kept.map((left) => Number(left) > 0), keys.map((_, i) => i % 2 === 1));
});

redisTest("of reads that come together each is answered by what is there", async () => {
  const prefix = `g${++places}:`;
  await using store = await using(openOn(server, { prefix }));
  await store.swap(bytesOf("item"), "any", itemOf("v"));
  await server.command("RPUSH", `${prefix}list`, "x");
  await server.command("SET", `${prefix}string`, "not an item");
  const refused = (key: string) =>
    assertRejects(
      () => Promise.resolve(store.read(bytesOf(key))),
      StoreError,
      "something else than a kvs item",
    );
  // What is no string and what is not there are told apart.
  await runsAs({ get: 2, mget: 1 }, async () => {
    const [item, nothing] = await Promise.all([
      store.read(bytesOf("item")),
      store.read(bytesOf("nothing")),
      refused("list"),
      refused("string"),
    ]);
    assertEquals([valueOf(item), nothing], ["v", undefined]);
  });
});

redisTest("a flush takes what reads that come together find", async () => {
  await using store = await using(openOn(server, { prefix: `g${++places}:` }));
  const keys = numbered(3);
  await Promise.all(keys.map((key) => store.swap(key, "any", itemOf("old"))));
  await store.flush(0);
  await store.swap(keys[1], "any", itemOf("new"));
  const items = await Promise.all(keys.map((key) => store.read(key)));
  assertEquals(items.map(valueOf), [undefined, "new", undefined]);
});

for (const lacking of ["mget", "mset"]) {
  redisTest(`a user who lacks +${lacking} reads and writes one by one`, async () => {
    const user = `u${crypto.randomUUID()}`;
    await server.command(
      ...["ACL", "SETUSER", user, "on", ">secret", `~${user}*`, "+@all", `-${lacking}`],
    );
    const urls = [`redis://${user}:secret@127.0.0.1:${server.port}`];
    await using store = await using(openOn(server, { urls, prefix: user }));
    const keys = numbered(5);
    await server.command("CONFIG", "RESETSTAT");
    for (const value of ["v", "w"]) {
      await Promise.all(keys.map((key) => store.swap(key, "any", itemOf(value))));
      const items = await Promise.all(keys.map((key) => store.read(key)));
      assertEquals(items.map(valueOf), keys.map(() => value));
    }
    assertEquals((await ran())[lacking === "mget" ? "get" : "set"], 10);
    assertEquals(new Map(store.info().own).get("redis_results_error"), 0);
  });
}

redisTest("a pipeline of sets and gets on many connections is answered in its order", async () => {
  const store = await openOn(server, { prefix: `g${++places}:` });
  await using use = new Harness({ store: () => store.store });
  const one = async (name: string) => {
    const keys = Array.from({ length: 100 }, (_, i) => `${name}-${i}`);
    const sets = keys.map((key, i) => `set ${key} ${i} 0 ${key.length}\r\n${key}\r\n`).join("");
    const gets = keys.map((key) => `get ${key}\r\nget no-${key}\r\n`).join("");
    const values = keys.map((key, i) =>
      `VALUE ${key} ${i} ${key.length}\r\n${key}\r\nEND\r\nEND\r\n`
    ).join("");
    assertEquals(await use.exchange([sets + gets]), "STORED\r\n".repeat(100) + values);
  };
  await Promise.all(["a", "b", "c", "d", "e"].map(one));
});

Deno.test("gathering: what is often not there, or large, is asked for alone", () => {
  const gathering = new Gathering();
  assertEquals(gathering.most, 64);
  for (let i = 0; i < 100; i++) gathering.note(64, 64 * 140, 0);
  assertEquals(gathering.most, 64);
  for (let i = 0; i < 5000; i++) gathering.note(1, 10_000, 0);
  assertEquals(gathering.most, 6);
  for (let i = 0; i < 5000; i++) gathering.note(1, 0, 1);
  assertEquals(gathering.most, 1);
  for (let i = 0; i < 5000; i++) gathering.note(1, 140, 0);
  assertEquals(gathering.most, 64);
});

Deno.test("gathering: one large value makes it careful, and a refusal ends it for a while", () => {
  const gathering = new Gathering();
  gathering.note(1, 256 * MOST_BYTES, 0);
  assertEquals(gathering.most, 1);
  const other = new Gathering();
  assertEquals(other.isRefusal("LOADING"), false);
  assertEquals(other.most, 64);
  assertEquals(other.isRefusal("NOPERM"), true);
  assertEquals(other.most, 1);
});

Deno.test("last reads: the last one of a revision is known, and the one before is returned", () => {
  const reads = new LastReads(4);
  assertEquals(reads.of(1, 7), -1);
  assertEquals(reads.note(1, 7, 100), -1);
  assertEquals(reads.note(1, 7, 105), 100);
  assertEquals([reads.of(1, 7), reads.of(2, 7), reads.of(1, 8)], [105, -1, -1]);
});

Deno.test("last reads: of more than there is room for those are known that were read last", () => {
  const reads = new LastReads(4);
  for (let i = 1; i <= 5000; i++) reads.note(1, i, i);
  const known = Array.from({ length: 5000 }, (_, i) => reads.of(1, i + 1)).filter((at) => at > 0);
  assertEquals(known.length, 16 * 5);
  assertEquals(Math.min(...known) > 4800, true);
});
