import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Client } from "../../lib/client/client.ts";
import { RequestError, ServerError } from "../../lib/client/errors.ts";
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

test("what is set is got, bytes, flags and all", async (client) => {
  const value = Uint8Array.from({ length: 100_000 }, (_, i) => i);
  await client.set("k", value, { flags: 4294967295 });
  const item = await client.get("k");
  assertEquals([item?.value, item?.flags, item?.cas], [value, 4294967295, 0n]);
  assertEquals(await client.get("none"), undefined);
});

test("each command does what memcached's does", async (client) => {
  assertEquals(await client.replace("k", "1"), false);
  assertEquals(await client.append("k", "1"), false);
  assertEquals(await client.add("k", "1"), true);
  assertEquals(await client.add("k", "1"), false);
  assertEquals(await client.append("k", "0"), true);
  assertEquals(await client.prepend("k", "9"), true);
  assertEquals(await client.incr("k", 10n), 920n);
  assertEquals(await client.decr("k"), 919n);
  assertEquals(await client.decr("k", 1000), 0n);
  assertEquals(await client.incr("none"), undefined);
  const { cas } = (await client.gets("k"))!;
  assertEquals(await client.cas("k", "x", cas + 1n), "exists");
  assertEquals(await client.cas("k", "x", cas), "stored");
  assertEquals(await client.cas("none", "x", cas), "not found");
  assertEquals((await client.gat(100, "k"))?.text, "x");
  assertEquals(await client.touch("k", 0), true);
  assertEquals(await client.touch("none", 0), false);
  assertEquals(await client.delete("k"), true);
  assertEquals(await client.delete("k"), false);
  await client.set("k", "v", { exptime: -1 });
  assertEquals(await client.get("k"), undefined);
});

test("several hundred keys are got at once, those that are there", async (client) => {
  const keys = Array.from({ length: 250 }, (_, i) => `key${i}`);
  await Promise.all(keys.filter((_, i) => i % 2 === 0).map((key) => client.set(key, key)));
  const found = await client.getMany(keys, { verb: "gets" });
  assertEquals(found.size, 125);
  assertEquals(found.get("key248")?.text, "key248");
  assert(found.get("key248")!.cas > 0n);
});

test("a server's error line rejects its request alone", async (client) => {
  await client.set("k", "text");
  const [incr, large, get] = await Promise.allSettled([
    client.incr("k"),
    client.set("large", new Uint8Array(2 ** 21)),
    client.get("k"),
  ]);
  assert(incr.status === "rejected" && incr.reason instanceof RequestError);
  assert(large.status === "rejected" && large.reason instanceof ServerError);
  assertEquals(large.reason.message, "SERVER_ERROR object too large for cache");
  assert(get.status === "fulfilled" && get.value?.text === "text");
});

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

Deno.test({
  name: "a server with an auth file takes the right password and no other",
  ignore: memcachedMissing,
  fn: async () => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, "ann:secret\n");
    await Deno.chmod(file, 0o644);
    await using server = await startMemcached("-Y", file);
    await Deno.remove(file);
    const servers = [server.address];
    using ann = new Client({ servers, credentials: { user: "ann", password: "secret" } });
    await ann.set("k", "v");
    assertEquals((await ann.get("k"))?.text, "v");
    using eve = new Client({ servers, credentials: { user: "eve", password: "secret" } });
    await assertRejects(
      () => eve.get("k"),
      RequestError,
      `${server.address} refuses user 'eve': CLIENT_ERROR`,
    );
  },
});

Deno.test("a client refuses an address that is none", () => {
  assertThrows(() => new Client({ servers: ["a:b"] }), RangeError, "received 'a:b'");
  assertThrows(() => new Client({ servers: [] }), RangeError, "at least one server");
});
