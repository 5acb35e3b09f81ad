/** The same calls over text, meta and binary return the same and fail alike. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../lib/bytes.ts";
import { Client } from "../../lib/client/client.ts";
import { RequestError, ServerError, UnreachableError } from "../../lib/client/errors.ts";
import { KeyError } from "../../lib/protocol/key.ts";
import { dialects, type RunningServer } from "./servers.ts";

function test(
  title: string,
  body: (client: Client, server: RunningServer, longestKey: number) => Promise<void>,
  { anyKeys = false } = {},
): void {
  for (const { name, protocol, ignore, longestKey, start } of dialects) {
    Deno.test({
      name: `${title} (${name})`,
      ignore,
      fn: async () => {
        await using server = await start();
        using client = new Client({ servers: [server.address], protocol, anyKeys });
        await body(client, server, longestKey);
      },
    });
  }
}

test("what is set is got, bytes, flags and all", async (client) => {
  const value = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);
  await client.set("k", value, { flags: 4294967295 });
  const item = await client.get("k");
  assertEquals([item?.key, item?.value, item?.flags], ["k", value, 4294967295]);
  assertEquals(await client.get("none"), undefined);
  await client.set("k", "");
  assertEquals((await client.get("k"))?.text, "");
  await client.set("k", "\r\nEND\r\n", { flags: 1 });
  assertEquals((await client.get("k"))?.text, "\r\nEND\r\n");
});

test("each write says whether it was carried out", async (client) => {
  assertEquals(await client.replace("k", "1"), false);
  assertEquals(await client.append("k", "1"), false);
  assertEquals(await client.prepend("k", "1"), false);
  assertEquals(await client.add("k", "1", { flags: 3 }), true);
  assertEquals(await client.add("k", "1"), false);
  assertEquals(await client.append("k", "0"), true);
  assertEquals(await client.prepend("k", "9"), true);
  const item = await client.get("k");
  assertEquals([item?.text, item?.flags], ["910", 3]);
  assertEquals(await client.replace("k", "7"), true);
  assertEquals((await client.get("k"))?.text, "7");
  assertEquals(await client.delete("k"), true);
  assertEquals(await client.delete("k"), false);
});

test("numbers go up modulo 2^64, and down to 0", async (client) => {
  assertEquals(await client.incr("n"), undefined);
  assertEquals(await client.decr("n"), undefined);
  assertEquals(await client.get("n"), undefined);
  await client.set("n", "910");
  assertEquals(await client.incr("n", 10n), 920n);
  assertEquals(await client.decr("n"), 919n);
  assertEquals(await client.decr("n", 1000), 0n);
  assertEquals(await client.incr("n", 2n ** 64n - 1n), 2n ** 64n - 1n);
  assertEquals(await client.incr("n", 5), 4n);
});

test("a cas stores what nobody has changed since", async (client) => {
  assertEquals(await client.cas("none", "x", 5n), "not found");
  assertEquals(await client.cas("none", "x", 0n), "not found");
  await client.set("k", "v");
  const { cas } = (await client.gets("k"))!;
  assert(cas > 0n);
  assertEquals(await client.cas("k", "x", cas + 1n), "exists");
  assertEquals(await client.cas("k", "x", 0n), "exists");
  assertEquals(await client.cas("k", "x", cas, { flags: 9 }), "stored");
  assertEquals(await client.cas("k", "y", cas), "exists");
  const item = await client.gets("k");
  assertEquals([item?.text, item?.flags, item?.cas === cas], ["x", 9, false]);
});

test("a time that is over is over, in every command that takes one", async (client) => {
  await client.set("k", "v", { exptime: -1 });
  assertEquals(await client.get("k"), undefined);
  await client.set("k", "v", { exptime: 2592001 });
  assertEquals(await client.get("k"), undefined);
  await client.set("k", "v", { exptime: Math.floor(Date.now() / 1000) + 1000 });
  assertEquals((await client.get("k"))?.text, "v");
  assertEquals(await client.touch("k", 100), true);
  assertEquals((await client.gat(0, "k"))?.text, "v");
  assertEquals((await client.gats(0, "k"))!.cas, (await client.gets("k"))!.cas);
  assertEquals(await client.touch("none", 0), false);
  assertEquals(await client.gat(0, "none"), undefined);
  assertEquals(await client.touch("k", -1), true);
  assertEquals(await client.get("k"), undefined);
});

test("several hundred long keys are got in a few requests, those that are there", async (client) => {
  // The last ones are as long as most of a line that memcached takes.
  const keys = Array.from({ length: 250 }, (_, i) => `key${i}`.padEnd(i, "x"));
  await Promise.all(keys.filter((_, i) => i % 2 === 0).map((key) => client.set(key, key)));
  const found = await client.getMany(keys, { verb: "gets" });
  assertEquals(found.size, 125);
  assertEquals(found.get(keys[248]!)?.text, keys[248]);
  assert(found.get(keys[248]!)!.cas > 0n);
  assertEquals((await client.getMany(keys, { exptime: -1 })).size, 125);
  assertEquals((await client.getMany(keys)).size, 0);
  assertEquals((await client.getMany([])).size, 0);
  assertEquals((await client.getMany(["a", "a", "b"])).size, 0);
});

test("an error rejects its own request alone, as the same kind with the same words", async (client) => {
  await client.set("k", "text");
  const [incr, large, stats, get] = await Promise.allSettled([
    client.incr("k"),
    client.set("large", new Uint8Array(2 ** 21)),
    client.stats("nonsense"),
    client.get("k"),
  ]);
  assert(incr.status === "rejected" && incr.reason instanceof RequestError);
  assertEquals(
    incr.reason.message,
    "CLIENT_ERROR cannot increment or decrement non-numeric value",
  );
  assert(large.status === "rejected" && large.reason instanceof ServerError);
  assertEquals(large.reason.message, "SERVER_ERROR object too large for cache");
  assert(stats.status === "rejected" && stats.reason instanceof RequestError);
  assertEquals(stats.reason.message, "ERROR");
  assert(get.status === "fulfilled" && get.value?.text === "text");
});

test("a key that no dialect can send is refused before anything is sent", async (client) => {
  await assertRejects(() => client.get(""), KeyError, "a key has at least one byte");
  const [set, get] = await Promise.allSettled([
    client.set("k", "v"),
    client.getMany(["k", "x".repeat(251)]),
  ]);
  assertEquals(set.status, "fulfilled");
  assert(get.status === "rejected" && get.reason instanceof KeyError);
  assertEquals(await client.get("x".repeat(250)), undefined);
});

test("a number that a dialect would cut is refused before anything is sent", async (client) => {
  await assertRejects(() => client.set("k", "v", { flags: -1 }), RangeError, "flags have 32 bits");
  await assertRejects(() => client.set("k", "v", { flags: 2 ** 32 }), RangeError, "flags have");
  await assertRejects(() => client.set("k", "v", { exptime: 1.5 }), RangeError, "an exptime is");
  await assertRejects(() => client.touch("k", NaN), RangeError, "an exptime is a whole number");
  await assertRejects(() => client.gat(0.5, "k"), RangeError, "an exptime is a whole number");
  await assertRejects(() => client.incr("k", -1), RangeError, "a delta has 64 bits and no sign");
  await assertRejects(() => client.decr("k", 2n ** 64n), RangeError, "a delta has 64 bits");
  assertEquals(await client.get("k"), undefined);
});

test("a server says what it counts and who it is, and empties itself", async (client, server) => {
  const [address] = (await client.version()).keys();
  assertEquals(address, server.address);
  assert(/^\d+\.\d+\.\d+/.test((await client.version()).get(address)!));
  await client.set("k", "v");
  const stats = (await client.stats()).get(address)!;
  assertEquals(stats.get("curr_items"), "1");
  assert(stats.size > 60);
  assert(Number((await client.stats("settings")).get(address)?.get("maxconns")) > 0);
  await client.noop();
  await client.flushAll(1000);
  assertEquals((await client.get("k"))?.text, "v");
  await client.flushAll();
  assertEquals(await client.get("k"), undefined);
  assert((await client.ping()).get(address)! >= 0);
});

test("who quits gets what was asked before, and may go on on a new connection", async (client) => {
  await client.quit();
  await client.set("k", "v");
  const asked = client.get("k");
  await client.quit();
  assertEquals((await asked)?.text, "v");
  assertEquals((await client.get("k"))?.text, "v");
});

test("a hundred requests in flight each get their own reply", async (client) => {
  const replies = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const key = `k${i % 10}`;
      await client.set(key, key);
      const [one, many, number] = await Promise.all([
        client.get(key),
        client.getMany([key, "none"]),
        client.incr("none"),
      ]);
      return [one?.text, many.get(key)?.text, number];
    }),
  );
  assertEquals(
    replies,
    Array.from({ length: 100 }, (_, i) => [`k${i % 10}`, `k${i % 10}`, undefined]),
  );
});

test("keys of any bytes are items like any others", async (client, _, longestKey) => {
  const every = Uint8Array.from({ length: longestKey }, (_, i) => i);
  const keys = [
    ...["a b", " ", "\r\n", "\0", "a\r\nflush_all\r\n", "tab\t", "é", "=", "YSBi"].map(bytesOf),
    new Uint8Array([0xff, 0xfe, 0x80]),
    every,
    every.map((byte) => 255 - byte),
  ];
  for (const [i, key] of keys.entries()) {
    assertEquals(await client.get(key), undefined);
    assertEquals(await client.add(key, `${i}`, { flags: i }), true);
    assertEquals(await client.add(key, `${i}`), false);
    const item = await client.gets(key);
    assertEquals([item?.key, item?.text, item?.flags], [binaryString(key), `${i}`, i]);
    assertEquals(await client.incr(key, 0), BigInt(i));
    assertEquals(await client.touch(key, 1000), true);
    assertEquals(await client.append(key, "0"), true);
  }
  const found = await client.getMany([...keys, "plain"]);
  assertEquals([...found.keys()].sort(), keys.map(binaryString).sort());
  const listed = new Set<string>();
  for await (const entries of client.keys()) {
    for (const { key } of entries) listed.add(binaryString(key));
  }
  assertEquals([...listed].sort(), keys.map(binaryString).sort());
  for (const key of keys) assertEquals(await client.delete(key), true);
  assertEquals((await client.getMany(keys)).size, 0);
}, { anyKeys: true });

for (const protocol of ["text", "meta", "binary"] as const) {
  Deno.test(`a server that speaks something else is given up (${protocol})`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = (async () => {
      using socket = await listener.accept();
      await socket.read(new Uint8Array(1024));
      await socket.write(bytesOf("HTTP/1.1 400 Bad Request\r\n\r\n"));
      await socket.read(new Uint8Array(1024));
    })();
    const servers = [`127.0.0.1:${listener.addr.port}`];
    using client = new Client({ servers, protocol });
    await assertRejects(() => client.get("k"), UnreachableError, "does not speak memcached");
    await served;
  });
}
