/** All basic operations of npm's memcached. The argument is the server's port. */

import { assertEquals } from "../../../offline/std/assert.ts";
import Memcached from "memcached";

type Callback = (error: Error | undefined, result: unknown) => void;

const client = new Memcached(`127.0.0.1:${Deno.args[0]}`, { retries: 0, timeout: 10_000 });

/** Calls a method of the client, and returns its result, or the message of its error. */
function call(method: string, ...args: unknown[]): Promise<unknown> {
  return new Promise((resolve) => {
    const done: Callback = (error, result) => resolve(error?.message ?? result);
    client[method](...args, done);
  });
}

const NOT_STORED = "Item is not stored";

await call("flush");
assertEquals(await call("get", "a"), undefined);
assertEquals(await call("set", "a", "one", 0), true);
assertEquals(await call("get", "a"), "one");
const server = `127.0.0.1:${Deno.args[0]}`;
assertEquals(await call("cachedump", server, 1, 0), { key: "a", b: 3, s: 0 });
assertEquals(await call("add", "a", "two", 0), NOT_STORED);
assertEquals(await call("add", "b", "two", 0), true);
assertEquals(await call("replace", "b", "three", 0), true);
assertEquals(await call("replace", "none", "x", 0), NOT_STORED);
assertEquals(await call("append", "b", "!"), true);
assertEquals(await call("prepend", "b", "="), true);
assertEquals(await call("append", "none", "!"), NOT_STORED);
assertEquals(await call("getMulti", ["a", "b", "none"]), { a: "one", b: "=three!" });

const { cas } = await call("gets", "b") as { cas: string };
assertEquals(await call("cas", "b", "four", cas, 0), true);
assertEquals(await call("cas", "b", "five", cas, 0), false);
assertEquals(await call("get", "b"), "four");

assertEquals(await call("set", "n", 10, 0), true);
assertEquals(await call("incr", "n", 5), 15);
assertEquals(await call("decr", "n", 20), 0);
assertEquals(await call("incr", "none", 1), false);

// Flags tell the client what it has stored.
assertEquals(await call("set", "object", { list: [1, "ü"] }, 0), true);
assertEquals(await call("get", "object"), { list: [1, "ü"] });
const long = "x".repeat(200_000);
assertEquals(await call("set", "long", long, 0), true);
assertEquals(await call("get", "long"), long);

assertEquals(await call("touch", "a", 100), true);
assertEquals(await call("touch", "none", 100), false);
assertEquals(await call("set", "gone", "x", -1), true);
assertEquals(await call("get", "gone"), undefined);
assertEquals(await call("del", "a"), true);
assertEquals(await call("del", "a"), false);

const [version] = await call("version") as { version: string; major: string }[];
assertEquals(version.major, "1");
const [stats] = await call("stats") as Record<string, number>[];
assertEquals(stats.curr_items > 0, true);
const [settings] = await call("settings") as Record<string, number>[];
assertEquals(settings.maxconns, 1024);
const [items] = await call("items") as Record<string, { number: number }>[];
assertEquals(items["1"].number, stats.curr_items);

assertEquals(await call("flush"), [true]);
assertEquals(await call("get", "b"), undefined);
client.end();
console.log("done");
