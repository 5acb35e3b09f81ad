/** All operations of npm's memcache-plus, which speaks text. The argument is the server's port. */

import { assertEquals, assertRejects } from "../../../offline/std/assert.ts";
import { Buffer } from "node:buffer";
import Module from "node:module";
import util from "node:util";
import zlib from "node:zlib";

// Written for Node, it adds functions to the module zlib, which Deno keeps as it is, and formats a buffer as a string,
// which Deno shows as `<Buffer …>`.
const modules: Record<string, unknown> = {
  zlib: { ...zlib },
  util: {
    ...util,
    format: (format: string, ...args: unknown[]) =>
      util.format(format, ...args.map((arg) => Buffer.isBuffer(arg) ? arg.toString() : arg)),
  },
};
const loader = Module as unknown as { _load(name: string, ...rest: unknown[]): unknown };
const load = loader._load;
loader._load = (name, ...rest) => modules[name] ?? load(name, ...rest);
const { default: MemcachePlus } = await import("memcache-plus");

// It has no touch, no noreply and no stats but those of items, and it cannot read a value with a line end in it.
const client = new MemcachePlus({ hosts: [`127.0.0.1:${Deno.args[0]}`], netTimeout: 10_000 });

await client.flush();
assertEquals(await client.get("a"), null);
await client.set("a", "one");
assertEquals(await client.get("a"), "one");
await assertRejects(() => client.add("a", "two"), Error, "already exists");
await client.add("b", "two");
await client.replace("b", "three");
await assertRejects(() => client.replace("none", "x"), Error, "does not exist");
await client.append("b", "!");
await client.prepend("b", "=");
await assertRejects(() => client.append("none", "!"), Error, "does not exist");
assertEquals(await client.getMulti(["a", "b", "none"]), { a: "one", b: "=three!", none: null });

const [value, cas] = await client.gets("b");
assertEquals(value, "=three!");
assertEquals(await client.cas("b", "four", cas), true);
assertEquals(await client.cas("b", "five", cas), false);
assertEquals(await client.cas("none", "five", cas), false);
assertEquals(await client.get("b"), "four");

await client.set("n", 10);
assertEquals(await client.incr("n", 5), 15);
assertEquals(await client.decr("n"), 14);
assertEquals(await client.decr("n", 20), 0);
await assertRejects(() => client.incr("b"), Error, "non-numeric value");

// Flags tell the client what it has stored.
for (const typed of [{ list: [1, "ü"] }, 12.5, Buffer.from("bytes"), "x".repeat(200_000)]) {
  await client.set("typed", typed);
  assertEquals(await client.get("typed"), typed);
}
await client.set("packed", "word ".repeat(10_000), { compressed: true });
assertEquals(await client.get("packed"), "word ".repeat(10_000));

await client.set("gone", "x", -1);
assertEquals(await client.get("gone"), null);
await client.set("later", "x", Math.floor(Date.now() / 1000) + 1000);
assertEquals(await client.get("later"), "x");
assertEquals(await client.delete("a"), true);
assertEquals(await client.delete("a"), false);
assertEquals(await client.deleteMulti(["b", "none"]), { b: true, none: false });

const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`);
await Promise.all(keys.map((key) => client.set(key, key)));
assertEquals(await client.getMulti(keys), Object.fromEntries(keys.map((key) => [key, key])));

assertEquals((await client.version()).startsWith("1.6."), true);
await client.flush();
await client.set("alone", "x");
const [{ slab_id, data }] = await client.items();
assertEquals(data.number >= 1, true);
const dump = await client.cachedump(slab_id, 10);
assertEquals(dump, [{ key: "alone", bytes: 1, expiry_time_secs: 0 }]);
await client.disconnect();
console.log("done");
