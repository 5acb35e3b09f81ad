import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Client } from "../../lib/client/client.ts";
import { KeyError } from "../../lib/protocol/key.ts";
import { memcachedMissing, startMemcached } from "./servers.ts";

function test(name: string, body: (client: Client) => Promise<void>): void {
  Deno.test({
    name,
    ignore: memcachedMissing,
    fn: async () => {
      await using server = await startMemcached();
      using client = new Client({ servers: [server.address] });
      await body(client);
    },
  });
}

test("a key that cannot be sent is refused before anything is sent", async (client) => {
  await assertRejects(() => client.get("a b"), KeyError, "a key may not hold spaces");
  await assertRejects(() => client.set("", "v"), KeyError, "a key has at least one byte");
  await client.set("k", "v");
});

test("all keys are listed with their times of expiry", async (client) => {
  const soon = Math.floor(Date.now() / 1000) + 1000;
  const keys = Array.from({ length: 3000 }, (_, i) => `key:é%${i}`);
  await Promise.all(keys.map((key) => client.set(key, "v", { exptime: soon })));
  await client.set("forever", "v");
  const listed = new Map<string, number>();
  for await (const entries of client.keys()) {
    for (const { key, expires } of entries) listed.set(new TextDecoder().decode(key), expires);
  }
  assertEquals([...listed.keys()].sort(), [...keys, "forever"].sort());
  assertEquals(listed.get("forever"), 0);
  assert(Math.abs(listed.get(keys[0]!)! - soon) <= 1);
});

test("no key is missing from a listing while others write and read", async (client) => {
  // As memcached sorts items by use meanwhile, a walk along its lists passes some over.
  const keys = Array.from({ length: 20_000 }, (_, i) => `key${i}`);
  await Promise.all(keys.map((key) => client.set(key, "v".repeat(100))));
  let listed = 0;
  for await (const entries of client.keys()) {
    listed += entries.length;
    await client.getMany(entries.map(({ key }) => key));
  }
  assertEquals(listed, keys.length);
});

test("a listing may be left before its end", async (client) => {
  await Promise.all(Array.from({ length: 1000 }, (_, i) => client.set(`key${i}`, "v")));
  for await (const entries of client.keys()) {
    assert(entries.length > 0);
    break;
  }
  assertEquals((await client.get("key1"))?.text, "v");
});

test("stats, version, flush and lines as they are", async (client) => {
  const [address] = (await client.version()).keys();
  assert(/^\d+\.\d+\.\d+/.test((await client.version()).get(address!)!));
  assertEquals((await client.stats()).get(address!)?.get("curr_items"), "0");
  assertEquals((await client.stats("settings")).get(address!)?.get("maxbytes"), "33554432");
  await client.set("k", "v");
  assertEquals(await client.raw("delete k"), { kind: "line", line: "DELETED" });
  await client.set("k", "v");
  await client.flushAll();
  assertEquals(await client.get("k"), undefined);
  assertEquals(await client.raw("lru_crawler metadump all"), {
    kind: "lines",
    lines: [],
    last: true,
  });
});

Deno.test("a client refuses an address that is none", () => {
  assertThrows(() => new Client({ servers: ["a:b"] }), RangeError, "received 'a:b'");
  assertThrows(() => new Client({ servers: [] }), RangeError, "at least one server");
});
