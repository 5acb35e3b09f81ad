/** Counting items, clearing dead ones, and the figures of `stats`. */

import { assert, assertEquals } from "@std/assert";
import type { Exchanged } from "../../../lib/storage/exchanges.ts";
import { nameOf } from "../../../lib/storage/gcs/name.ts";
import * as commands from "./commands.ts";
import { figure, Place, sleep, until } from "./open.ts";

Deno.test("gcs figures: items are counted by a listing at start and by what changes after", async () => {
  await using place = await Place.open();
  const one = await place.store();
  await until(() => figure(one, "listings") === 1);
  for (let i = 0; i < 1500; i++) await commands.set(one, `k${i}`, "12345");
  const two = await place.store();
  await until(() => figure(two, "listings") === 1);
  for (const store of [one, two]) assertEquals(store.info().items, 1500);
  assertEquals(two.info().bytes, one.info().bytes);
  const { bytes } = two.info();
  await commands.set(two, "k0", "1");
  await commands.set(two, "new", "1");
  await commands.remove(two, "k1");
  await commands.remove(two, "k2");
  assertEquals(await commands.add(two, "k3", "x"), false);
  assertEquals(two.info().items, 1499);
  assertEquals(two.info().bytes, bytes - 4 + "xx/new".length + 1 - 2 * ("xx/k1".length + 5));
});

Deno.test("gcs figures: stats never list the bucket", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await until(() => figure(store, "listings") === 1);
  const { list } = place.emulator.counts;
  for (let i = 0; i < 100; i++) store.info();
  await sleep(50);
  assertEquals(place.emulator.counts.list, list);
});

Deno.test("gcs figures: what was flushed is not counted, and is cleared in the background", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await until(() => figure(store, "listings") === 1);
  for (let i = 0; i < 200; i++) await commands.set(store, `k${i}`, "v");
  assertEquals(store.info().items, 200);
  await store.flush(place.clock.now());
  assertEquals(store.info().items, 0);
  await commands.set(store, "new", "v");
  await until(() => place.emulator.bucket().size === 2);
  assertEquals(await commands.get(store, "new"), "v");
  await until(() => figure(store, "listings") === 2);
  assertEquals(store.info().items, 1);
  assertEquals(figure(store, "cleared_flushed"), 200);
});

Deno.test("gcs figures: reads that find what was flushed are counted", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await commands.set(store, "k", "v");
  place.emulator.faults.add({ what: 503, operations: ["list"] });
  await store.flush(place.clock.now());
  assertEquals(await commands.get(store, "k"), undefined);
  assertEquals(await commands.get(store, "other"), undefined);
  assertEquals(store.info().flushedReads, 1);
});

Deno.test("gcs figures: what expired is cleared when it has been dead for a minute", async () => {
  await using place = await Place.open();
  const one = await place.store();
  const exptime = place.clock.now() + 1000;
  for (let i = 0; i < 5; i++) await commands.set(one, `k${i}`, "v", { exptime });
  await commands.set(one, "stays", "v");
  place.clock.offset += 30_000;
  const two = await place.store();
  await until(() => figure(two, "listings") === 1);
  assertEquals(two.info().items, 1);
  assertEquals(place.emulator.bucket().size, 6);
  place.clock.offset += 60_000;
  const three = await place.store();
  await until(() => figure(three, "listings") === 1);
  assertEquals(place.emulator.bucket().size, 1);
  assertEquals(three.info().reclaimed, 5);
});

Deno.test("gcs figures: what others put into the bucket is read, and what is no item is left alone", async () => {
  await using place = await Place.open();
  const bucket = place.emulator.bucket();
  const content = new TextEncoder().encode("by hand");
  bucket.insert(`kvs/${nameOf("k")}`, content, {}, {});
  bucket.insert("kvs/README", content, {}, {});
  bucket.insert("kvs/00/wrong-digits", content, {}, {});
  const store = await place.store();
  assertEquals(await commands.get(store, "k"), "by hand");
  assert(await commands.append(store, "k", "!"));
  await until(() => figure(store, "listings") === 1);
  assertEquals(store.info().items, 1);
  await store.flush(place.clock.now());
  await until(() => bucket.generationOf(`kvs/${nameOf("k")}`) === "0");
  assertEquals(bucket.size, 3);
});

Deno.test("gcs figures: retries are counted by their causes", async () => {
  await using place = await Place.open();
  // A third of it is how long a request may be silent: no other one is, on a slow machine.
  const store = await place.store({ timeout: 12_000 });
  for (const what of [429, 503, "reset", "stall"] as const) {
    place.emulator.faults.add({ what, operations: ["insert"], times: 1 });
    await commands.set(store, `${what}`, "v");
  }
  const causes = ["rate_limit", "service_error", "connection", "timeout"];
  assertEquals(causes.map((cause) => figure(store, `retries_${cause}`)), [1, 1, 1, 1]);
  assertEquals(figure(store, "uploads"), 4);
});

Deno.test("gcs figures: requests are counted and told by how they ended", async () => {
  await using place = await Place.open();
  const exchanged: Exchanged[] = [];
  const onExchanged = (exchange: Exchanged) => void exchanged.push(exchange);
  const store = await place.store({ timeout: 12_000, onExchanged });
  const troubles = { rate_limit: 429, service_error: 503, connection: "reset", timeout: "stall" };
  for (const [result, what] of Object.entries(troubles)) {
    place.emulator.faults.add({ what: what as 503, operations: ["insert"], times: 1 });
    await commands.set(store, result, "v");
  }
  assertEquals(
    Object.keys(troubles).map((result) => figure(store, `results_${result}`)),
    [1, 1, 1, 1],
  );
  assert(figure(store, "results_ok") >= 4);
  const told = exchanged.filter(({ operation, result }) =>
    operation === "write" && result !== "ok"
  );
  assertEquals(told.map(({ result }) => result as string), Object.keys(troubles));
  assert(told.every(({ milliseconds }) => milliseconds >= 0));
});
