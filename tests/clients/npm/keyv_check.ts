/** All that Keyv does with its memcache adapter, which speaks binary. The argument is the server's port. */

import { assertEquals } from "../../../offline/std/assert.ts";
import KeyvMemcache from "@keyv/memcache";
import Keyv from "keyv";

const address = `127.0.0.1:${Deno.args[0]}`;
const memcache = new KeyvMemcache(address, { timeout: 10, conntimeout: 10, retries: 1 });
const keyv = new Keyv({ store: memcache, namespace: "first" });
keyv.on("error", (error: Error) => {
  throw error;
});

await keyv.clear();
assertEquals(await keyv.get("a"), undefined);
assertEquals(await keyv.set("a", "one"), true);
assertEquals(await keyv.get("a"), "one");
assertEquals(await keyv.has("a"), true);
assertEquals(await keyv.has("none"), false);
assertEquals(await keyv.delete("a"), true);
assertEquals(await keyv.delete("a"), false);

for (const value of [{ list: [1, "ü", null] }, 0, "", false, null, "x".repeat(500_000)]) {
  await keyv.set("typed", value);
  assertEquals(await keyv.get("typed"), value);
}

const names = Array.from({ length: 50 }, (_, i) => `key ${i}`);
await keyv.setMany(names.map((key) => ({ key, value: { key } })));
assertEquals(await keyv.getMany([...names, "none"]), [...names.map((key) => ({ key })), undefined]);
assertEquals(await keyv.delete(names.slice(1)), true);
assertEquals(await keyv.getMany(names.slice(0, 2)), [{ key: names[0] }, undefined]);

// Its shortest time is a second: milliseconds are rounded down, and none is for ever.
await keyv.set("brief", "x", 1000);
await keyv.set("long", "x", 1_000_000);
while (await memcache.get("brief:") !== undefined && await keyv.get("brief") !== undefined) {
  await new Promise((resolve) => setTimeout(resolve, 100));
}
assertEquals(await keyv.get("long"), "x");

// It flushes the whole server, whatever the namespace is.
const other = new Keyv({ store: memcache, namespace: "second" });
await other.set("a", "two");
await keyv.clear();
assertEquals([await keyv.get("long"), await other.get("a")], [undefined, undefined]);
memcache.client.close();
console.log("done");
