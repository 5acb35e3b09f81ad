import { assertEquals } from "@std/assert";
import * as commands from "./commands.ts";
import type { Caller } from "../caller.ts";
import { figure, Place, until } from "./open.ts";

const countInterval = 100;

/** Two servers that have listed the bucket. */
async function pairOn(place: Place) {
  const stores = [await place.store({ countInterval }), await place.store({ countInterval })];
  const listed = (store: Caller) => figure(store, "listings") === 1;
  await until(() => stores.every(listed));
  return stores;
}

Deno.test("gcs counts: items that others add and delete are counted without another listing", async () => {
  await using place = await Place.open();
  const [one, two] = await pairOn(place);
  for (let i = 0; i < 10; i++) await commands.set(one, `k${i}`, "value");
  for (let i = 0; i < 5; i++) await commands.set(two, `other ${i}`, "value");
  await until(() => one.info().items === 15 && two.info().items === 15);
  assertEquals(one.info().bytes, two.info().bytes);
  for (let i = 0; i < 10; i++) await commands.remove(two, `k${i}`);
  await until(() => one.info().items === 5 && two.info().items === 5);
  assertEquals(one.info().bytes, two.info().bytes);
  assertEquals([figure(one, "listings"), figure(two, "listings")], [1, 1]);
});

Deno.test("gcs counts: a server that comes later counts what was there once", async () => {
  await using place = await Place.open();
  const one = await place.store({ countInterval });
  for (let i = 0; i < 7; i++) await commands.set(one, `k${i}`, "value");
  const names = () => {
    const options = { prefix: "kvs/meta/counts/", delimiter: "", maxResults: 9 };
    return place.emulator.bucket().list(options).objects;
  };
  await until(() => names().length === 1);
  const two = await place.store({ countInterval });
  await until(() => two.info().items === 7);
  await commands.set(two, "one more", "value");
  await until(() => one.info().items === 8 && two.info().items === 8);
});

Deno.test("gcs counts: a flush leaves none, whoever ordered it, and what comes after is counted", async () => {
  await using place = await Place.open();
  const [one, two] = await pairOn(place);
  for (let i = 0; i < 6; i++) await commands.set(one, `k${i}`, "value");
  await until(() => two.info().items === 6);
  await two.flush(place.clock.now());
  await until(() => one.info().items === 0 && two.info().items === 0);
  await commands.set(one, "a", "v");
  await commands.set(two, "b", "v");
  await until(() => one.info().items === 2 && two.info().items === 2);
});

Deno.test("gcs counts: a server that does nothing writes nothing; one that is gone for a day is forgotten", async () => {
  await using place = await Place.open();
  const one = await place.store({ countInterval });
  await commands.set(one, "k", "v");
  await one.close();
  const options = { prefix: "kvs/meta/counts/", delimiter: "", maxResults: 9 };
  const told = () => place.emulator.bucket().list(options).objects.length;
  assertEquals(told(), 1);
  const two = await place.store({ countInterval });
  await until(() => two.info().items === 1);
  place.clock.offset = 25 * 3_600_000;
  await until(() => told() === 0);
  assertEquals(two.info().items, 1);
});
