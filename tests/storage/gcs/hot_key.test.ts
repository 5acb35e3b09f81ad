/**
 * One key that everybody writes, on a service that takes one write a second to one object. By
 * default for 3 s; `KVS_TEST_SECONDS` sets another time.
 */

import { assert, assertEquals } from "@std/assert";
import * as commands from "./commands.ts";
import { figure, Place } from "./open.ts";

const seconds = Number(Deno.env.get("KVS_TEST_SECONDS") ?? 3);

/**
 * Does something over and over on so many connections, for the time of the test or a part of it.
 *
 * @return the seconds that it took
 */
async function everybody(
  connections: number,
  work: (connection: number, round: number) => Promise<void>,
  part = 0.3,
): Promise<number> {
  const begun = performance.now();
  const end = begun + seconds * part * 1000;
  await Promise.all(Array.from({ length: connections }, async (_, connection) => {
    for (let round = 0; performance.now() < end; round++) await work(connection, round);
  }));
  return (performance.now() - begun) / 1000;
}

Deno.test("gcs hot key: 64 connections increment it, and no increment is lost or told twice", async () => {
  await using place = await Place.open({ mutationInterval: 1000, writeLatency: [20, 60] });
  const store = await place.store();
  await commands.set(store, "n", "0");
  const answers = new Set<number>();
  let increments = 0;
  const took = await everybody(64, async () => {
    answers.add((await commands.incr(store, "n"))!);
    increments++;
  }, 1);
  assertEquals(await commands.get(store, "n"), String(increments));
  assertEquals(answers.size, increments);
  const uploads = figure(store, "uploads");
  assert(uploads <= took + 3, `${uploads} uploads in ${took} s`);
  assertEquals(figure(store, "coalesced_writes"), increments + 1 - uploads);
});

Deno.test("gcs hot key: each of many appends is there exactly once", async () => {
  await using place = await Place.open({ mutationInterval: 1000, writeLatency: [20, 60] });
  const store = await place.store();
  await commands.set(store, "list", "");
  const appended: string[] = [];
  await everybody(16, async (connection, round) => {
    const entry = `${connection}:${round}`;
    assert(await commands.append(store, "list", `${entry} `));
    appended.push(entry);
  });
  const found = (await commands.get(store, "list"))!.trimEnd().split(" ");
  assertEquals(found.toSorted(), appended.toSorted());
});

Deno.test("gcs hot key: of many sets the last acknowledged one stands", async () => {
  await using place = await Place.open({ mutationInterval: 1000, writeLatency: [20, 60] });
  const store = await place.store();
  let last = "";
  await everybody(16, async (connection, round) => {
    const value = `${connection}:${round}`;
    await commands.set(store, "k", value);
    last = value;
  });
  assertEquals(await commands.get(store, "k"), last);
});

Deno.test("gcs hot key: of many adds and deletes each add that succeeds is deleted once", async () => {
  await using place = await Place.open({ mutationInterval: 1000, writeLatency: [20, 60] });
  const store = await place.store();
  let held = 0;
  await everybody(8, async () => {
    if (await commands.add(store, "lock", "mine")) held++;
    if (await commands.remove(store, "lock")) held--;
    assert(held === 0 || held === 1 || held === -1);
  });
  assertEquals(held, await commands.get(store, "lock") === undefined ? 0 : 1);
});

Deno.test("gcs hot key: a unique that was answered never matches another state", async () => {
  await using place = await Place.open({ mutationInterval: 300, writeLatency: [20, 60] });
  const store = await place.store();
  const uniques = await Promise.all(
    Array.from({ length: 50 }, (_, i) => commands.set(store, "k", String(i))),
  );
  assertEquals(new Set(uniques).size, 50);
  const current = (await store.read(new TextEncoder().encode("k")))!;
  assertEquals(uniques.indexOf(current.cas), Number(new TextDecoder().decode(current.value)));
  for (const unique of uniques) {
    if (unique !== current.cas) assertEquals(await commands.cas(store, "k", unique, "x"), "exists");
  }
  assertEquals(typeof await commands.cas(store, "k", current.cas, "x"), "bigint");
});

Deno.test("gcs hot key: another key is not held up", async () => {
  await using place = await Place.open({ mutationInterval: 1000 });
  const store = await place.store();
  await Promise.all([commands.set(store, "hot", "1"), commands.set(store, "hot", "2")]);
  const paced = commands.set(store, "hot", "3").then(() => "hot");
  assertEquals(
    await Promise.race([paced, commands.set(store, "cold", "1").then(() => "cold")]),
    "cold",
  );
  await paced;
});

Deno.test("gcs: 10,000 sets on keys of their own over 50 connections are all there", async () => {
  await using place = await Place.open({ mutationInterval: 1000 });
  const store = await place.store();
  let next = 0;
  await Promise.all(Array.from({ length: 50 }, async () => {
    for (let i = next++; i < 10_000; i = next++) await commands.set(store, `key:${i}`, `${i}`);
  }));
  const bucket = place.emulator.bucket();
  // After 25 s the store has an object of its own beside them, with the count.
  const own = bucket.list({ prefix: "kvs/meta/", delimiter: "", maxResults: 10 }).objects.length;
  assertEquals(bucket.size - own, 10_000);
  let items = 0;
  for await (const group of store.scan()) items += group.length;
  assertEquals(items, 10_000);
  assertEquals(await commands.get(store, "key:4711"), "4711");
  assertEquals(figure(store, "retries_rate_limit"), 0);
});
