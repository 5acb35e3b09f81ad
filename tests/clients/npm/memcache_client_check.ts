/** All basic operations of npm's memcache-client. The argument is the server's port. */

import { assertEquals } from "../../../offline/std/assert.ts";
import { Buffer } from "node:buffer";
import { MemcacheClient } from "memcache-client";

/** What a get of several keys returns. */
type Values = Record<string, { value: string }>;

const client = new MemcacheClient({ server: `127.0.0.1:${Deno.args[0]}`, cmdTimeout: 10_000 });

/** What a call returns, or the message of its error. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    return (error as Error).message;
  }
}

async function valueOf(key: string): Promise<unknown> {
  return (await client.get<string>(key) as { value?: unknown } | undefined)?.value;
}

assertEquals(await client.cmd("flush_all"), ["OK"]);
assertEquals(await valueOf("a"), undefined);
assertEquals(await client.set("a", "one"), ["STORED"]);
assertEquals(await valueOf("a"), "one");
assertEquals(await outcome(client.add("a", "two")), "NOT_STORED");
assertEquals(await client.add("b", "two"), ["STORED"]);
assertEquals(await client.replace("b", "three"), ["STORED"]);
assertEquals(await outcome(client.replace("none", "x")), "NOT_STORED");
assertEquals(await client.append("b", "!"), ["STORED"]);
assertEquals(await client.prepend("b", "="), ["STORED"]);
assertEquals(await outcome(client.append("none", "!")), "NOT_STORED");
const both = await client.get<string>(["a", "b", "none"]) as unknown as Values;
assertEquals([both.a.value, both.b.value, Object.keys(both).length], ["one", "=three!", 2]);

const { casUniq } = await client.gets<string>("b") as unknown as { casUniq: string };
assertEquals(await client.cas("b", "four", { casUniq }), ["STORED"]);
assertEquals(await outcome(client.cas("b", "five", { casUniq })), "EXISTS");
assertEquals(await valueOf("b"), "four");

assertEquals(await client.set("n", "10"), ["STORED"]);
assertEquals(await client.incr("n", 5), "15");
assertEquals(await client.decr("n", 20), "0");
assertEquals(await outcome(client.incr("none", 1)), "NOT_FOUND");

// Flags tell the client what it has stored: an object, bytes, and what it has compressed.
assertEquals(await client.set("object", { list: [1, "ü"] }), ["STORED"]);
assertEquals(await valueOf("object"), { list: [1, "ü"] });
const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
assertEquals(await client.set("bytes", bytes), ["STORED"]);
assertEquals(await valueOf("bytes"), bytes);

assertEquals(await client.touch("a", 100), ["TOUCHED"]);
assertEquals(await outcome(client.touch("none", 100)), "NOT_FOUND");
assertEquals(await client.set("gone", "x", { lifetime: -1 }), ["STORED"]);
assertEquals(await valueOf("gone"), undefined);
assertEquals(await client.set("quiet", "x", { noreply: true }), undefined);
assertEquals(await valueOf("quiet"), "x");
assertEquals(await client.delete("a"), ["DELETED"]);
assertEquals(await outcome(client.delete("a")), "NOT_FOUND");

const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`);
await Promise.all(keys.map((key) => client.set(key, key)));
const all = await client.get<string>(keys) as unknown as Values;
assertEquals(keys.filter((key) => all[key]?.value !== key), []);

assertEquals((await client.version())[1].startsWith("1.6."), true);
const stats = await client.cmd<{ STAT: string[][] }>("stats");
assertEquals(stats.STAT.some(([name]) => name === "curr_items"), true);
client.shutdown();
console.log("done");
