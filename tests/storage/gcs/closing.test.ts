import { assertEquals } from "@std/assert";
import * as commands from "./commands.ts";
import { Place, until } from "./open.ts";

// Deno fails a test that leaves a timer or a connection behind: that is what these are about.

for (const what of [503, 429, "reset", "stall"] as const) {
  Deno.test(`gcs closing: no pause between tries outlives the store (${what})`, async () => {
    await using place = await Place.open();
    await commands.set(await place.store(), "k", "v");
    const store = await place.store({ timeout: 1000, countInterval: 50 });
    place.emulator.faults.add({ what, retryAfter: "1" });
    const before = place.emulator.requests;
    const waiting = [commands.get(store, "k"), commands.set(store, "k", "w")].map((one) =>
      one.catch(() => {})
    );
    await until(() => place.emulator.requests > before + 2);
    await store.close();
    await Promise.all(waiting);
  });
}

for (const isKnown of [true, false]) {
  const when = isKnown ? "known to be written" : "written, which only a later try tells";
  Deno.test(`gcs closing: a flush is waited for, and holds everywhere (${when})`, async () => {
    await using place = await Place.open();
    const [one, two] = [await place.store(), await place.store()];
    await commands.set(one, "k", "v");
    const fault = { what: 503, after: true, times: 1, operations: ["insert"] } as const;
    if (!isKnown) place.emulator.faults.add({ ...fault, name: "epoch" });
    const flushed = one.flush(place.clock.now());
    await until(() => place.emulator.bucket().generationOf("kvs/meta/epoch") !== "0");
    await one.close();
    await flushed;
    assertEquals(await commands.get(two, "k"), undefined);
  });
}

Deno.test("gcs closing: a count that hangs is given up in silence", async () => {
  await using place = await Place.open();
  await (await place.store()).flush(place.clock.now());
  const { list } = place.emulator.counts;
  place.emulator.faults.add({ what: "stall", operations: ["list"] });
  const store = await place.store({ timeout: 3000 });
  await until(() => place.emulator.counts.list > list);
  await store.close();
  assertEquals(place.lines, []);
});
