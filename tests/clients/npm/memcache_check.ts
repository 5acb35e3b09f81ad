/** All operations of npm's memcache: text, and binary on its nodes. The argument is the server's port. */

import { assertEquals } from "../../../offline/std/assert.ts";
import { createNode, Memcache } from "memcache";

const uri = `127.0.0.1:${Deno.args[0]}`;
// Its values are strings. It has no cas in binary, no noreply, and no delete of several keys in one request.
const client = new Memcache({ nodes: [uri], timeout: 10_000 });
await client.connect();

assertEquals(await client.flush(), true);
assertEquals(await client.get("a"), undefined);
assertEquals(await client.set("a", "one"), true);
assertEquals(await client.get("a"), "one");
assertEquals(await client.add("a", "two"), false);
assertEquals(await client.add("b", "two", 100, 7), true);
assertEquals(await client.replace("b", "three"), true);
assertEquals(await client.replace("none", "x"), false);
assertEquals(await client.append("b", "!"), true);
assertEquals(await client.prepend("b", "="), true);
assertEquals(await client.append("none", "!"), false);
const both = await client.gets(["a", "b", "none"]);
assertEquals(both, new Map([["a", "one"], ["b", "=three!"]]));
assertEquals(await client.set("n", "10"), true);
assertEquals(await client.incr("n", 5), 15);
assertEquals(await client.decr("n", 20), 0);
assertEquals(await client.incr("none"), undefined);
assertEquals(await client.touch("a", 100), true);
assertEquals(await client.touch("none", 100), false);
assertEquals(await client.delete("a"), true);
assertEquals(await client.delete("a"), false);
const long = "0123456789".repeat(100_000);
assertEquals(await client.set("long", long), true);
assertEquals(await client.get("long"), long);
const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`);
await Promise.all(keys.map((key) => client.set(key, key)));
assertEquals((await client.gets(keys)).size, 500);
for (const version of (await client.version()).values()) {
  assertEquals(/^VERSION 1\.6\.\d+/.test(version), true);
}
for (const stats of (await client.stats()).values()) {
  assertEquals(Number((stats as Record<string, string>).curr_items) > 500, true);
}
await client.disconnect();

// Its nodes speak binary on a connection that has said nothing yet.
const node = createNode("127.0.0.1", Number(Deno.args[0]), { timeout: 10_000 });
await node.connect();
assertEquals(await node.binaryFlush(), true);
assertEquals(await node.binaryGet("a"), undefined);
assertEquals(await node.binarySet("a", "one", 100, 7), true);
assertEquals(await node.binaryGet("a"), "one");
assertEquals(await node.binaryAdd("a", "two"), false);
assertEquals(await node.binaryAdd("b", "two"), true);
assertEquals(await node.binaryReplace("b", "three"), true);
assertEquals(await node.binaryReplace("none", "x"), false);
assertEquals(await node.binaryAppend("b", "!"), true);
assertEquals(await node.binaryPrepend("b", "="), true);
assertEquals(await node.binaryGet("b"), "=three!");
assertEquals(await node.binaryAppend("none", "!"), false);
assertEquals(await node.binaryIncr("n", 5, 10), 10);
assertEquals(await node.binaryIncr("n", 5), 15);
assertEquals(await node.binaryDecr("n", 20), 0);
assertEquals(await node.binaryTouch("a", 100), true);
assertEquals(await node.binaryTouch("none", 100), false);
assertEquals(await node.binarySet("long", long), true);
assertEquals(await node.binaryGet("long"), long);
assertEquals(await node.binaryDelete("a"), true);
assertEquals(await node.binaryGet("a"), undefined);
assertEquals(/^1\.6\.\d+/.test(await node.binaryVersion() ?? ""), true);
assertEquals(Number((await node.binaryStats()).curr_items) >= 3, true);
assertEquals(await node.binaryFlush(), true);
assertEquals(await node.binaryGet("b"), undefined);
await node.binaryQuit();
console.log("done");
