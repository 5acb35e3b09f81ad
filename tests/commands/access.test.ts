/** What a read leaves on an item, and what a refused change leaves of it. */

import { assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import { ask, counting, Opcode, storing, u32 } from "../protocol/binary/frames.ts";
import { Harness, type HarnessOptions } from "../server/harness.ts";
import { exchangeWith } from "../server/wire.ts";

const key = "k";
const NOT_NUMERIC = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";

/** Commands that read an item, and such as do not. */
const reads = {
  "get k": "get k\r\n",
  "gets k": "gets k\r\n",
  "gat 0 k": "gat 0 k\r\n",
  "touch k 0": "touch k 0\r\n",
  "mg k": "mg k\r\n",
  "mg k v": "mg k v\r\n",
  "mg k T0": "mg k T0\r\n",
  "binary Get": ask(Opcode.get, { key }),
  "binary GetKQ": ask(Opcode.getKQ, { key }),
  "binary GAT": ask(Opcode.gat, { key, extras: u32(0) }),
  "binary Touch": ask(Opcode.touch, { key, extras: u32(0) }),
} as const;
const others = {
  "mg k u": "mg k u\r\n",
  "me k": "me k\r\n",
  "get l": "get l\r\n",
  "metadump": "lru_crawler metadump all\r\n",
  "add k": "add k 0 0 1\r\nx\r\n",
  "binary Add": ask(Opcode.add, { key, value: "x", extras: storing() }),
  "binary Stat": ask(Opcode.stat),
} as const;

/** What a dump and `me` tell of accesses to the item, some seconds after it was stored. */
async function accessesAfter(sent: string): Promise<string[]> {
  await using harness = new Harness();
  harness.clock.pause();
  await harness.exchange(["set k 0 0 1\r\n1\r\n"]);
  const stored = Math.floor(harness.clock.now() / 1000);
  harness.advance(100);
  await harness.exchange([sent]);
  harness.advance(20);
  const dump = await harness.exchange(["lru_crawler metadump all\r\n"]);
  const [, accessed, fetched] = / la=(\d+) .* fetch=(\w+) /.exec(dump)!;
  const [, ago, fetchedToo] = / la=(\d+) .* fetch=(\w+) /.exec(
    await harness.exchange(["me k\r\n"]),
  )!;
  assertEquals([Number(ago), fetchedToo], [120 - (Number(accessed) - stored), fetched]);
  return [`${Number(accessed) - stored}`, fetched];
}

for (const [command, sent] of Object.entries(reads)) {
  Deno.test(`${command} is a read that metadump and me tell of`, async () => {
    assertEquals(await accessesAfter(sent), ["100", "yes"]);
  });
}

for (const [command, sent] of Object.entries(others)) {
  Deno.test(`${command} is no read of the item`, async () => {
    assertEquals(await accessesAfter(sent), ["0", "no"]);
  });
}

Deno.test("what was stored just now is no second old, however coarse the clock of accesses is", async () => {
  await using harness = new Harness({}, true);
  // The server looks at the clock once a second: until then it is a second behind.
  harness.advance(1);
  assertEquals(
    await exchangeWith(harness.port, "ms k 1\r\n1\r\nmg k l\r\nmg k T0 l\r\nme k\r\n"),
    "HD\r\nHD l0\r\nHD l0\r\nME k exp=-1 la=0 cas=1 fetch=yes cls=1 size=61\r\n",
  );
});

Deno.test("a value that is stored anew was not read", async () => {
  await using harness = new Harness();
  await harness.exchange(["set k 0 0 1\r\n1\r\nget k\r\nset k 0 0 1\r\n2\r\n"]);
  const dump = await harness.exchange(["lru_crawler metadump all\r\n"]);
  assertEquals(/fetch=(\w+)/.exec(dump)![1], "no");
});

Deno.test("what is no number counts as neither a hit nor a miss of incr and decr", async () => {
  await using harness = new Harness();
  assertEquals(
    await harness.exchange(["set k 0 0 1\r\nx\r\nincr k 1\r\ndecr k 1\r\nma k\r\nma k MD\r\n"]),
    `STORED\r\n${NOT_NUMERIC.repeat(4)}`,
  );
  await harness.exchange([
    ask(Opcode.incr, { key, extras: counting(1n) }) +
    ask(Opcode.decr, { key, extras: counting(1n) }),
  ]);
  const { incr_hits, incr_misses, decr_hits, decr_misses } = harness.context.counters;
  assertEquals([incr_hits, incr_misses, decr_hits, decr_misses], [0, 0, 0, 0]);
});

/** A store with room for a few values of a hundred bytes, that evicts none. */
function small(): HarnessOptions {
  const clock = new AdjustableClock();
  const log = () => {};
  return { clock, store: () => openMemoryStore({ clock, log, limit: 4000, evict: false }) };
}

const large = "x".repeat(8000);
const refusedSets = {
  "set": `set k 0 0 8000\r\n${large}\r\n`,
  "set with noreply": `set k 0 0 8000 noreply\r\n${large}\r\n`,
  "ms": `ms k 8000\r\n${large}\r\n`,
  "ms with q": `ms k 8000 q\r\n${large}\r\n`,
  "ms MR": `ms k 8000 MR\r\n${large}\r\n`,
  "binary Set": ask(Opcode.set, { key, value: large, extras: storing() }),
  "binary SetQ": ask(Opcode.setQ, { key, value: large, extras: storing() }),
} as const;
for (const [command, sent] of Object.entries(refusedSets)) {
  Deno.test(`${command} that is refused for want of memory leaves no old value`, async () => {
    await using harness = new Harness(small());
    await harness.exchange(["set k 0 0 3\r\nold\r\n"]);
    await harness.exchange([sent]);
    assertEquals(await harness.exchange(["get k\r\n"]), "END\r\n");
    assertEquals(harness.context.counters.store_no_memory, 1);
  });
}

const refusedOthers = {
  "replace": `replace k 0 0 8000\r\n${large}\r\n`,
  "append": `append k 0 0 8000\r\n${large}\r\n`,
  "cas": `cas k 0 0 8000 1\r\n${large}\r\n`,
  "binary Replace": ask(Opcode.replace, { key, value: large, extras: storing() }),
  "binary Append": ask(Opcode.append, { key, value: large }),
} as const;
for (const [command, sent] of Object.entries(refusedOthers)) {
  Deno.test(`${command} that is refused for want of memory leaves the old value`, async () => {
    await using harness = new Harness(small());
    await harness.exchange(["set k 0 0 3\r\nold\r\n"]);
    await harness.exchange([sent]);
    assertEquals(await harness.exchange(["get k\r\n"]), "VALUE k 0 3\r\nold\r\nEND\r\n");
  });
}
