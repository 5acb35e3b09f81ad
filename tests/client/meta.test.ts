/** What only meta commands can do, as the client offers it. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { Client } from "../../lib/client/client.ts";
import { RequestError } from "../../lib/client/errors.ts";
import { dialects } from "./servers.ts";

function test(title: string, body: (client: Client) => Promise<void>): void {
  for (const { name, protocol, ignore, start } of dialects) {
    if (protocol !== "meta") continue;
    Deno.test({
      name: `${title} (${name})`,
      ignore,
      fn: async () => {
        await using server = await start();
        using client = new Client({ servers: [server.address], protocol });
        await body(client);
      },
    });
  }
}

const decode = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

test("a meta get returns what the server remembers of an item", async ({ meta }) => {
  assertEquals(await meta.get("k"), undefined);
  const { status, unique } = await meta.set("k", "value", { flags: 7, exptime: 1000 });
  assertEquals(status, "done");
  assert(unique > 0n);
  const first = (await meta.get("k"))!;
  assert(first.ttl > 990 && first.ttl <= 1000);
  // A second may begin between the two.
  assert(first.lastAccess >= 0 && first.lastAccess < 10);
  assertEquals({ ...first, value: decode(first.value), ttl: 0, lastAccess: 0 }, {
    value: "value",
    flags: 7,
    unique,
    ttl: 0,
    size: 5,
    hit: false,
    lastAccess: 0,
    won: false,
    stale: false,
    wonByAnother: false,
  });
  const second = (await meta.get("k", { noValue: true, exptime: 0 }))!;
  assertEquals([second.hit, second.value], [true, undefined]);
  assertEquals((await meta.get("k"))!.ttl, Infinity);
  await meta.set("new", "v");
  assertEquals((await meta.get("new", { unseen: true }))!.hit, false);
  assertEquals((await meta.get("new"))!.hit, false);
});

test("an exptime beyond what servers take is the latest one, and flags have 32 bits", async ({ meta }) => {
  await meta.set("k", "v", { exptime: 4_102_444_800 });
  const { ttl } = (await meta.get("k", { exptime: 2 ** 40 }))!;
  assert(ttl > 1e6 && ttl < Infinity);
  assertEquals((await meta.get("k"))!.ttl < Infinity, true);
  await assertRejects(() => meta.set("k", "v", { flags: 2 ** 32 }), RangeError);
  await assertRejects(() => meta.get("k", { exptime: 1.5 }), RangeError);
});

test("of several that miss, one wins the right to write", async ({ meta }) => {
  const winner = (await meta.get("page", { vivify: 30 }))!;
  assertEquals([winner.won, winner.wonByAnother, winner.size], [true, false, 0]);
  const other = (await meta.get("page", { vivify: 30 }))!;
  assertEquals([other.won, other.wonByAnother], [false, true]);
  await meta.set("page", "html", { exptime: 20 });
  const early = (await meta.get("page", { recache: 10 }))!;
  assertEquals([early.won, decode(early.value)], [false, "html"]);
  const late = (await meta.get("page", { recache: 30 }))!;
  assertEquals([late.won, decode(late.value)], [true, "html"]);
  assertEquals((await meta.get("page", { recache: 30 }))!.wonByAnother, true);
});

test("an item marked as stale is served until it is written anew", async ({ meta }) => {
  const { unique } = await meta.set("k", "old");
  assertEquals(await meta.delete("k", { stale: true, exptime: 30 }), "done");
  const stale = (await meta.get("k"))!;
  assertEquals([stale.stale, stale.won, decode(stale.value)], [true, true, "old"]);
  const next = (await meta.get("k"))!;
  assertEquals([next.stale, next.won, next.wonByAnother], [true, false, true]);
  assertEquals((await meta.set("k", "x", { compare: unique })).status, "exists");
  assertEquals((await meta.set("k", "new", { compare: stale.unique })).status, "done");
  assertEquals((await meta.get("k"))!.stale, false);
  assertEquals((await meta.set("k", "older", { compare: 1n, stale: true })).status, "done");
  assertEquals((await meta.get("k"))!.stale, true);
});

test("meta sets and deletes compare, in every mode", async ({ meta }) => {
  assertEquals((await meta.set("k", "v", { mode: "replace" })).status, "not stored");
  assertEquals((await meta.set("k", "v", { mode: "append" })).status, "not stored");
  assertEquals((await meta.set("k", "v", { compare: 1n })).status, "not found");
  assertEquals((await meta.set("k", "b", { mode: "add" })).status, "done");
  assertEquals((await meta.set("k", "b", { mode: "add" })).status, "not stored");
  assertEquals((await meta.set("k", "c", { mode: "append" })).status, "done");
  const { unique } = await meta.set("k", "a", { mode: "prepend" });
  assertEquals(decode((await meta.get("k"))!.value), "abc");
  assertEquals(await meta.delete("k", { compare: unique + 1n }), "exists");
  assertEquals(await meta.delete("k", { compare: unique }), "done");
  assertEquals(await meta.delete("k"), "not found");
});

test("meta arithmetic creates what is not there, if it is told to", async ({ meta }) => {
  assertEquals((await meta.arithmetic("n")).status, "not found");
  const created = await meta.arithmetic("n", { vivify: 0, initial: 10n });
  assertEquals([created.status, created.number, created.ttl], ["done", 10n, Infinity]);
  assertEquals((await meta.arithmetic("n", { delta: 5n })).number, 15n);
  const less = await meta.arithmetic("n", { mode: "decr", delta: 20n, exptime: 100 });
  assertEquals(less.number, 0n);
  assertEquals((await meta.arithmetic("n", { compare: less.unique + 1n })).status, "exists");
  assertEquals((await meta.arithmetic("n", { compare: less.unique })).number, 1n);
});

test("meta commands take keys of any bytes, and tell what they know", async ({ meta }) => {
  const key = bytesOf("a b\r\n");
  assertEquals((await meta.set(key, "v")).status, "done");
  assertEquals(decode((await meta.get(key))!.value), "v");
  assertEquals(await meta.delete(key), "done");
  await meta.set("k", "v");
  const known = (await meta.debug("k"))!;
  assertEquals([known.get("exp"), known.get("fetch")], ["-1", "no"]);
  assertEquals(await meta.debug("none"), undefined);
});

test("what the server does not take rejects as it does elsewhere", async ({ meta }) => {
  await meta.set("k", "text");
  await assertRejects(() => meta.arithmetic("k"), RequestError, "non-numeric value");
});

Deno.test("over binary there are no meta commands, and nothing is sent", async () => {
  using client = new Client({ servers: ["127.0.0.1:1"], protocol: "binary" });
  await assertRejects(() => client.meta.get("k"), RequestError, "need the protocol meta, or text");
});
