/** The object that tells the flush epoch may go: a lifecycle rule by age takes it with all that is old. */

import { assert, assertEquals } from "@std/assert";
import * as commands from "./commands.ts";
import { Place, until } from "./open.ts";

const EPOCH = "kvs/meta/epoch";

Deno.test("gcs epoch: servers that know it write its object again where that is gone", async () => {
  await using place = await Place.open();
  const one = await place.store();
  const bucket = place.emulator.bucket();
  for (let i = 0; i < 3; i++) await one.flush(place.clock.now());
  await commands.set(one, "k", "v");
  bucket.delete(EPOCH, {});
  await until(() => bucket.generationOf(EPOCH) !== "0");
  // A server that starts now stores nothing that the other takes for flushed.
  const two = await place.store();
  await commands.set(two, "l", "w");
  assertEquals(await commands.get(one, "l"), "w");
  assertEquals(await commands.get(two, "k"), "v");
  assertEquals(place.lines.length, 1, place.lines.join("\n"));
  assert(place.lines[0]!.includes(`'${EPOCH}'`), place.lines[0]);
});

Deno.test("gcs epoch: a flush holds where its object was deleted just before", async () => {
  await using place = await Place.open();
  const [one, two] = [await place.store(), await place.store()];
  for (let i = 0; i < 3; i++) await one.flush(place.clock.now());
  await commands.set(two, "k", "v");
  place.emulator.bucket().delete(EPOCH, {});
  await one.flush(place.clock.now());
  const three = await place.store();
  for (const store of [one, two, three]) assertEquals(await commands.get(store, "k"), undefined);
  await commands.set(three, "k", "w");
  for (const store of [one, two, three]) assertEquals(await commands.get(store, "k"), "w");
});
