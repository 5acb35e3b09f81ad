import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { ByteBuffer, bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { ExitError, StoreError } from "../../../lib/errors.ts";
import { readItem, revisionOf, writeItem } from "../../../lib/storage/redis/item.ts";
import { targetOf } from "../../../lib/storage/redis/options.ts";
import { Seen } from "../../../lib/storage/redis/seen.ts";
import { slotOf } from "../../../lib/storage/redis/slots.ts";
import { patternOf } from "../../../lib/storage/redis/walk.ts";
import { keysThatMeet } from "../../keys_that_meet.ts";
import { itemOf } from "../contract.ts";
import { RedisServer, redisTest } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const document = await Deno.readTextFile(
  new URL("../../../lib/storage/redis/FORMAT.md", import.meta.url),
);

/** The example of the document, from its hexadecimal lines. */
function example(): Buffer {
  const lines = document.split("\n").filter((line) =>
    /^ {4}([0-9a-f]{2} +)+[0-9a-f]{2}$/.test(line)
  );
  return Buffer.from(lines.join("").replaceAll(" ", ""), "hex");
}

Deno.test("the document's example is an item as it says", () => {
  const { version, ...item } = readItem(example());
  assertEquals(item, {
    value: bytesOf("hello"),
    flags: 5,
    exptime: Date.UTC(2026, 0, 1),
    cas: 1767139200000001n,
    stale: false,
    won: false,
    fetched: false,
    accessed: 1767139200,
    binaryKey: false,
  });
  assertEquals(version, 1767139200000001);
  const out = new ByteBuffer();
  writeItem(out, { ...item, cas: 0n }, version as number);
  assertEquals(out.view(), new Uint8Array(example()));
});

Deno.test("every field keeps its least and its greatest value", () => {
  const greatest = {
    flags: 0xffffffff,
    exptime: 2 ** 48 - 1,
    cas: 2n ** 64n - 1n,
    stale: true,
    won: true,
    fetched: true,
    accessed: 0xffffffff,
    binaryKey: true,
  };
  for (const more of [greatest, { cas: 1n, exptime: 1 }]) {
    const item = itemOf("v", more);
    const out = new ByteBuffer();
    writeItem(out, item, 2 ** 53 - 1);
    const bytes = Buffer.from(out.view());
    assertEquals(readItem(bytes), { ...item, version: 2 ** 53 - 1 });
    assertEquals(revisionOf(bytes), 2 ** 53 - 1);
  }
});

redisTest(
  "redis-cli reads the value by the documented command, and Redis knows the expiry",
  async () => {
    await using server = await new RedisServer().start();
    await using store = await using(openOn(server, { prefix: "p:" }));
    const command = /redis-cli (GETRANGE) <prefix><key> (\d+) (-1)/.exec(document)!;
    const exptime = Date.now() + 60_000;
    await store.swap(bytesOf("greeting"), "any", itemOf("hello", { exptime }));
    const { stdout } = await new Deno.Command("redis-cli", {
      args: ["-p", `${server.port}`, command[1], "p:greeting", command[2], command[3]],
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "hello\n");
    const ttl = await server.command("PTTL", "p:greeting") as number;
    assert(ttl > 55_000 && ttl <= 60_000);
    await store.swap(bytesOf("greeting"), "absent", itemOf("no"));
    const item = (await store.read(bytesOf("greeting")))!;
    await store.swap(bytesOf("greeting"), item, { ...item, exptime: 0 });
    assertEquals(await server.command("PTTL", "p:greeting"), -1);
  },
);

redisTest("what kvs did not write is refused, and listed by nobody", async () => {
  await using server = await new RedisServer().start();
  await using store = await using(openOn(server, { prefix: "p:" }));
  await server.command("SET", "p:short", "x");
  await server.command("SET", "p:long", "x".repeat(100));
  await server.command("RPUSH", "p:list", "x");
  for (const key of ["short", "long", "list"].map(bytesOf)) {
    const calls = [() => store.read(key), () => store.swap(key, "absent", itemOf("v"))];
    for (const call of calls) {
      const error = await Promise.resolve(call()).catch((error) => error);
      assert(error instanceof StoreError && /something else than a kvs item/.test(error.message));
    }
  }
  for await (const group of store.scan()) assertEquals(group.length, 0);
  await store.swap(bytesOf("list"), "any", itemOf("v"));
  assertEquals((await store.read(bytesOf("list")))?.value, bytesOf("v"));
});

Deno.test("a key's slot is the one of the Redis Cluster specification", () => {
  const slot = (text: string) => slotOf(bytesOf(text));
  assertEquals(slot(""), 0);
  assertEquals(slot("123456789"), 0x31c3);
  assertEquals(slot("foo"), 12182);
  assertEquals(slot("{user1000}.following"), slot("user1000"));
  assertEquals(slot("foo{}{bar}"), slotOf(new Uint8Array(bytesOf("foo{}{bar}"))));
  assert(slot("foo{}{bar}") !== slot("bar"));
  assertEquals(slot("foo{{bar}}zap"), slot("{bar"));
  assertEquals(slot("foo{bar}{zap}"), slot("bar"));
});

Deno.test("a prefix is taken literally in a listing", () => {
  assertEquals(patternOf(bytesOf("a*b?[c]\\^")), bytesOf("a\\*b\\?\\[c\\]\\\\\\^*"));
});

Deno.test("a key is seen once among very many", () => {
  const seen = new Seen();
  for (let i = 0; i < 100_000; i++) assert(seen.add(bytesOf(`key ${i}`)));
  for (let i = 0; i < 100_000; i++) assert(!seen.add(bytesOf(`key ${i}`)));
});

Deno.test("keys that were chosen to meet cost a listing no more than others", () => {
  const seen = new Seen();
  const keys = keysThatMeet(500);
  for (const key of keys) assert(seen.add(key));
  assert(seen.probes < 3 * keys.length, `${seen.probes} probes`);
});

Deno.test("what --redis-url cannot mean is refused with the reason and without the password", () => {
  const target = (urls: string[], cluster = false) =>
    targetOf({ urls, cluster, prefix: "", clock: systemClock, log: () => {} });
  const wrong: [string[], boolean, string][] = [
    [[], false, "missing"],
    [["localhost"], false, "not a URL"],
    [["http://localhost"], false, "redis://"],
    [["redis:///1"], false, "host is missing"],
    [["redis://:secret@localhost/x"], false, "database"],
    [["redis://:secret@localhost/?x=1"], false, "database"],
    [["redis://localhost/1"], true, "database 0"],
    [["redis://a", "redis://b"], false, "--redis-cluster"],
    [["redis://a", "rediss://b"], true, "the same scheme"],
    [["redis://user@a"], false, "without a password"],
    [["redis-sentinel://a"], false, "master's name is missing"],
    [["redis-sentinel://a/m", "redis-sentinel://b/n"], false, "the same scheme, master"],
    [["redis-sentinel://a/m"], true, "redis:// or rediss://"],
    [["unix://relative"], false, "absolute path"],
    [["unix:///socket"], true, "redis:// or rediss://"],
  ];
  for (const [urls, cluster, why] of wrong) {
    const error = assertThrows(() => target(urls, cluster), ExitError, why);
    assertEquals(error.code, 64);
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("--redis-url takes hosts, Sentinels and Unix sockets, with what they ask for", async () => {
  const target = (...urls: string[]) =>
    targetOf({ urls, cluster: false, prefix: "", clock: systemClock, log: () => {} });
  const tls = target("rediss://us%40er:p%3Aw@[::1]:7000/3");
  assertEquals([tls.places[0].host, tls.places[0].port, tls.tls], ["::1", 7000, {}]);
  assertEquals(tls.access.db, 3);
  assertEquals(await tls.access.login!(), { user: "us@er", password: "p:w" });
  const unix = target("unix://:secret@/run/redis%20one.sock?db=2");
  assertEquals([unix.places[0].path, unix.access.db], ["/run/redis one.sock", 2]);
  assertEquals(await unix.access.login!(), { user: "", password: "secret" });
  const sentinel = target(
    "redis-sentinel://:secret@a/my%20master/1",
    "redis-sentinel://b:1/my%20master/1",
  );
  assertEquals(sentinel.places[0].sentinels!.name, "my master");
  assertEquals([sentinel.access.db, sentinel.access.master], [1, true]);
  assertEquals(await sentinel.access.login!(), { user: "", password: "secret" });
});
