/** All operations of npm's memjs, which speaks binary. The argument is the server's port. */

import { assertEquals, assertRejects } from "../../../offline/std/assert.ts";
import { Buffer } from "node:buffer";
import memjs from "memjs";

const address = `127.0.0.1:${Deno.args[0]}`;
// It has no cas, no quiet form and no version; its get of several keys is several gets under way.
const options = { retries: 1, timeout: 10, conntimeout: 10, logger: { log() {} } };
const client = memjs.Client.create(address, options);

async function valueOf(key: string): Promise<string | undefined> {
  return (await client.get(key)).value?.toString();
}

/** The error of a call that must fail. */
async function failure(call: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(call, Error)).message;
}

/** Statistics, which come by a callback only. */
function stats(key?: string): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _server: string, values: Record<string, string>) =>
      error ? reject(error) : resolve(values);
    key === undefined ? client.stats(done) : client.statsWithKey(key, done);
  });
}

assertEquals(await client.flush(), { [address]: true });
assertEquals(await client.get("a"), { value: null, flags: null });
assertEquals(await client.set("a", "one", {}), true);
assertEquals(await client.get("a"), { value: Buffer.from("one"), flags: Buffer.alloc(4) });
assertEquals(await client.add("a", "two", {}), false);
assertEquals(await client.add("b", "two", {}), true);
assertEquals(await client.replace("b", "three", {}), true);
assertEquals(await client.replace("none", "x", {}), false);
assertEquals(await client.append("b", "!"), true);
// It sends the opcode of append for prepend too.
assertEquals(await client.prepend("b", "="), true);
assertEquals(await valueOf("b"), "three!=");
assertEquals(await failure(() => client.append("none", "!")), "MemJS APPEND: Item not stored");

assertEquals(await client.increment("n", 5, { initial: 10 }), { success: true, value: 10 });
assertEquals(await client.increment("n", 5, { initial: 10 }), { success: true, value: 15 });
assertEquals(await client.decrement("n", 4, {}), { success: true, value: 11 });
assertEquals(await client.decrement("n", 20, {}), { success: true, value: 0 });
assertEquals(await client.decrement("m", 1, { initial: 7 }), { success: true, value: 7 });
assertEquals(await valueOf("m"), "7");
assertEquals(
  await failure(() => client.increment("a", 1, {})),
  "MemJS INCREMENT: Incr/Decr on non-numeric value",
);

assertEquals(await client.touch("a", 100), true);
assertEquals(await client.touch("none", 100), false);
assertEquals(await client.set("later", "x", { expires: Date.now() / 1000 + 1000 }), true);
assertEquals(await valueOf("later"), "x");
// Long ago, so expired immediately.
assertEquals(await client.set("gone", "x", { expires: 2592001 }), true);
assertEquals(await valueOf("gone"), undefined);
assertEquals(await client.delete("a"), true);
assertEquals(await client.delete("a"), false);

// Keys and values of any bytes. The longest key has 250.
for (const key of ["two words", "line\r\nend", "über", "\u0000", "k".repeat(250)]) {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  assertEquals(await client.set(key, bytes, {}), true);
  assertEquals((await client.get(key)).value, bytes, key);
  assertEquals(await client.delete(key), true);
}
const long = Buffer.alloc(1_000_000, "0123456789");
assertEquals(await client.set("long", long, {}), true);
assertEquals((await client.get("long")).value, long);
assertEquals(
  await failure(() => client.set("long", Buffer.alloc(1 << 21), {})),
  "MemJS SET: Value too large",
);
assertEquals(await valueOf("long"), undefined);
assertEquals(await client.set("empty", "", {}), true);
assertEquals(await valueOf("empty"), "");

// A serializer may set flags, which must come back.
const typed = memjs.Client.create(address, {
  ...options,
  serializer: {
    serialize: (_opcode: number, value: string, extras: Buffer) => {
      extras.writeUInt32BE(0xfeedc0de, 0);
      return { value, extras };
    },
    deserialize: (_opcode: number, value: Buffer, extras: Buffer) => ({ value, extras }),
  },
});
assertEquals(await typed.set("typed", "x", {}), true);
assertEquals((await typed.get("typed")).flags!.readUInt32BE(0), 0xfeedc0de);

// Many requests under way: it tells the replies apart by what they repeat of the requests.
const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`);
assertEquals(
  await Promise.all(keys.map((key) => client.set(key, key, {}))),
  keys.map(() => true),
);
assertEquals(await Promise.all([...keys, "none"].map(valueOf)), [...keys, undefined]);

const all = await stats();
assertEquals([Number(all.cmd_set) >= 500, /^1\.6\.\d+/.test(all.version)], [true, true]);
assertEquals((await stats("settings")).maxconns, "1024");
assertEquals(await stats("reset"), {});
assertEquals((await stats()).get_hits, "0");
const unknown = await stats("nonsense").catch((error: Error) => error.message);
assertEquals(unknown, "MemJS STATS (nonsense): Key not found");

assertEquals(await client.flush(), { [address]: true });
assertEquals(await valueOf("b"), undefined);
for (const each of [client, typed]) each.quit();
console.log("done");
