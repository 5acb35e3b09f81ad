import { assert, assertEquals } from "@std/assert";
import { nameOf } from "../../../lib/storage/gcs/name.ts";
import type { Store } from "../../../lib/storage/store.ts";
import type { Operation } from "./emulator/mod.ts";
import * as commands from "./commands.ts";
import { figure, Place, sleep, until } from "./open.ts";

/** How many requests a command costs; without those that watch the flush epoch. */
async function requestsOf(
  { emulator }: Place,
  command: () => Promise<unknown>,
): Promise<Partial<Record<Operation, number>>> {
  const counts: Partial<Record<Operation, number>> = {};
  emulator.onRequest = (operation, name) => {
    if (name !== "kvs/meta/epoch") counts[operation] = (counts[operation] ?? 0) + 1;
  };
  await command();
  emulator.onRequest = undefined;
  return counts;
}

/** A place whose bucket was written by another server; one store that knows nothing of it. */
async function withKeys(
  ...keys: string[]
): Promise<{ place: Place; store: Store; [Symbol.asyncDispose]: () => Promise<void> }> {
  const place = await Place.open();
  const other = await place.store();
  for (const key of keys) await commands.set(other, key, "1");
  const store = await place.store();
  await until(() => figure(other, "listings") === 1 && figure(store, "listings") === 1);
  return { place, store, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
}

Deno.test("gcs requests: get and miss take one", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  assertEquals(await requestsOf(place, () => commands.get(store, "k")), { get: 1 });
  assertEquals(await requestsOf(place, () => commands.get(store, "missing")), { get: 1 });
});

Deno.test("gcs requests: set takes one on a new or lately seen key, three over another's", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  assertEquals(await requestsOf(place, () => commands.set(store, "new", "1")), { insert: 1 });
  assertEquals(await requestsOf(place, () => commands.set(store, "new", "2")), { insert: 1 });
  assertEquals(await requestsOf(place, () => commands.set(store, "k", "2")), { insert: 2, get: 1 });
  assertEquals(await requestsOf(place, () => commands.set(store, "k", "3")), { insert: 1 });
});

Deno.test("gcs requests: what depends on the item takes two, and one with a hint", async () => {
  const exptime = Date.now() + 60_000;
  const all: Record<string, (store: Store) => Promise<unknown>> = {
    incr: (store) => commands.incr(store, "k"),
    append: (store) => commands.append(store, "k", "2"),
    touch: (store) => commands.touch(store, "k", exptime),
    replace: (store) => commands.replace(store, "k", "2"),
  };
  for (const [name, command] of Object.entries(all)) {
    await using keys = await withKeys("k");
    const { place, store } = keys;
    assertEquals(await requestsOf(place, () => command(store)), { get: 1, insert: 1 }, name);
    assertEquals(await requestsOf(place, () => command(store)), { insert: 1 }, name);
  }
});

Deno.test("gcs requests: cas takes two, and one with a hint", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  const unique = BigInt(place.emulator.bucket().generationOf(`kvs/${nameOf("k")}`));
  let next: unknown;
  const first = async () => next = await commands.cas(store, "k", unique, "2");
  assertEquals(await requestsOf(place, first), { get: 1, insert: 1 });
  const second = () => commands.cas(store, "k", next as bigint, "3");
  assertEquals(await requestsOf(place, second), { insert: 1 });
});

Deno.test("gcs requests: add takes one on a new key and two on one that is there", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  assertEquals(await requestsOf(place, () => commands.add(store, "new", "1")), { insert: 1 });
  assertEquals(await requestsOf(place, () => commands.add(store, "k", "1")), { insert: 1, get: 1 });
});

Deno.test("gcs requests: delete takes two, and one with a hint", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  assertEquals(await requestsOf(place, () => commands.remove(store, "k")), { get: 1, delete: 1 });
  assertEquals(await requestsOf(place, () => commands.remove(store, "k")), { get: 1 });
  await commands.set(store, "k", "1");
  assertEquals(await requestsOf(place, () => commands.remove(store, "k")), { delete: 1 });
});

Deno.test("gcs requests: an idle server sends fewer than six a second", async () => {
  await using all = await withKeys();
  const before = all.place.emulator.requests;
  await sleep(1000);
  assert(all.place.emulator.requests - before <= 2 * 6);
});
