/** What commands cost, in requests and dollars, and that docs/gcs.md says so. */

import { assert, assertEquals } from "@std/assert";
import { nameOf } from "../../../lib/storage/gcs/name.ts";
import type { Operation } from "./emulator/mod.ts";
import { Harness } from "../../server/harness.ts";
import * as commands from "./commands.ts";
import { figure, Place, sleep, until } from "./open.ts";
import type { Caller } from "../caller.ts";

type Counts = Partial<Record<Operation, number>>;

/** Dollars for a million requests (cloud.google.com/storage/pricing, Standard, one region). */
const dollars: Counts = { get: 0.4, insert: 5, delete: 0 };

/** A million times these requests, as docs/gcs.md puts it; so many of the inserts were refused. */
function priceOf(counts: Counts, refused: number): string {
  let most = 0;
  for (const [operation, count] of Object.entries(counts)) {
    most += dollars[operation as Operation]! * count;
  }
  if (most === 0) return "free";
  // Nobody says whether a write that is refused by its condition is charged.
  const least = refused === 0 ? "" : `${(most - refused * dollars.insert!).toFixed(2)} to `;
  return least + most.toFixed(2);
}

const page = await Deno.readTextFile(new URL("../../../docs/gcs.md", import.meta.url));

/** The cells of docs/gcs.md behind the one that names a command. */
function rowOf(command: string): [requests: string, dollars: string] {
  const line = page.split("\n").find((line) => line.startsWith(`| ${command} `));
  const [, , requests, dollars] = line!.split("|").map((cell) => cell.trim());
  return [requests, dollars];
}

/** Holds a row of it to what the cases of a command were measured to take. */
function assertRow(command: string, ...cases: { counts: Counts; refused?: number }[]): void {
  const [requests, dollars] = rowOf(command);
  const sums = cases.map(({ counts }) => Object.values(counts).reduce((sum, n) => sum + n));
  const prices = cases.map(({ counts, refused = 0 }) => priceOf(counts, refused));
  assertEquals(requests.match(/\d+/g)!.map(Number), sums, command);
  assertEquals(dollars, prices.join("; "), command);
}

/** How many requests a command costs; without those that watch the flush epoch. */
async function requestsOf(
  { emulator }: Place,
  command: () => Promise<unknown>,
): Promise<Counts> {
  const counts: Counts = {};
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
): Promise<{ place: Place; store: Caller; [Symbol.asyncDispose]: () => Promise<void> }> {
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
  for (const key of ["k", "missing"]) {
    const counts = await requestsOf(place, () => commands.get(store, key));
    assertEquals(counts, { get: 1 });
    assertRow("`get`, hit or miss", { counts });
  }
});

Deno.test("gcs requests: set takes one on a new or lately seen key, three over another's", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  const set = (key: string, value: string) =>
    requestsOf(place, () => commands.set(store, key, value));
  for (const value of ["1", "2"]) {
    const counts = await set("new", value);
    assertEquals(counts, { insert: 1 });
    assertRow("`set`, new or lately seen key", { counts });
  }
  const counts = await set("k", "2");
  assertEquals(counts, { insert: 2, get: 1 });
  assertRow("`set` over a key that this server has not seen", { counts, refused: 1 });
  assertEquals(await set("k", "3"), { insert: 1 });
});

const changes = "`incr`, `append`, `touch`, `gat`, `replace`, `cas`";

Deno.test("gcs requests: what depends on the item takes two, and one with a hint", async () => {
  const exptime = Date.now() + 60_000;
  const all: Record<string, (store: Caller) => Promise<unknown>> = {
    incr: (store) => commands.incr(store, "k"),
    append: (store) => commands.append(store, "k", "2"),
    touch: (store) => commands.touch(store, "k", exptime),
    replace: (store) => commands.replace(store, "k", "2"),
  };
  for (const [name, command] of Object.entries(all)) {
    await using keys = await withKeys("k");
    const { place, store } = keys;
    const cold = await requestsOf(place, () => command(store));
    const warm = await requestsOf(place, () => command(store));
    assertEquals([cold, warm], [{ get: 1, insert: 1 }, { insert: 1 }], name);
    assertRow(changes, { counts: cold }, { counts: warm });
  }
});

Deno.test("gcs requests: gat takes two, and one with a hint", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  await using harness = new Harness({ store: () => store.store });
  const gat = () => requestsOf(place, () => harness.exchange(["gat 100 k\r\n"]));
  const [cold, warm] = [await gat(), await gat()];
  assertEquals([cold, warm], [{ get: 1, insert: 1 }, { insert: 1 }]);
  assertRow(changes, { counts: cold }, { counts: warm });
});

Deno.test("gcs requests: cas takes two, and one with a hint", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  let unique = BigInt(place.emulator.bucket().generationOf(`kvs/${nameOf("k")}`));
  const cas = () =>
    requestsOf(place, async () => {
      unique = await commands.cas(store, "k", unique, "2") as bigint;
    });
  const [cold, warm] = [await cas(), await cas()];
  assertEquals([cold, warm], [{ get: 1, insert: 1 }, { insert: 1 }]);
  assertRow(changes, { counts: cold }, { counts: warm });
});

Deno.test("gcs requests: add takes one on a new key and two on one that is there", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  const add = (key: string) => requestsOf(place, () => commands.add(store, key, "1"));
  const [fresh, taken] = [await add("new"), await add("k")];
  assertEquals([fresh, taken], [{ insert: 1 }, { insert: 1, get: 1 }]);
  const [requests, dollars] = rowOf("`add`");
  assertEquals(requests, "1 for a new key, 2 where it exists");
  assertEquals(dollars, `${priceOf(fresh, 0)}; ${priceOf(taken, 1)}`);
});

Deno.test("gcs requests: delete takes two, and one with a hint", async () => {
  await using all = await withKeys("k");
  const { place, store } = all;
  const remove = () => requestsOf(place, () => commands.remove(store, "k"));
  const cold = await remove();
  assertEquals(cold, { get: 1, delete: 1 });
  assertEquals(await remove(), { get: 1 });
  await commands.set(store, "k", "1");
  const warm = await remove();
  assertEquals(warm, { delete: 1 });
  assertRow("`delete`", { counts: cold }, { counts: warm });
});

Deno.test("gcs requests: an idle server reads the flush epoch, and that is all", async () => {
  await using all = await withKeys();
  const { emulator } = all.place;
  const before = { ...emulator.counts };
  const begun = performance.now();
  const epochs = await epochReadings(all.place, () => sleep(2100));
  const seconds = (performance.now() - begun) / 1000;
  // Two servers.
  assertEquals(emulator.counts.get - before.get, epochs);
  assertEquals({ ...emulator.counts, get: 0 }, { ...before, get: 0 });
  const [requests, dollars] = rowOf("an idle server");
  const [perSecond] = requests.match(/\d+/)!.map(Number);
  assert(
    epochs <= 2 * seconds * perSecond + 2,
    `${epochs} requests of two servers in ${seconds} s`,
  );
  assertEquals(dollars, `about ${Math.round(perSecond * 0.4 * 30 * 86_400 / 1e6)} a month`);
});

/** How often the epoch is read meanwhile. */
async function epochReadings({ emulator }: Place, meanwhile: () => Promise<void>): Promise<number> {
  let readings = 0;
  emulator.onRequest = (_, name) => {
    if (name === "kvs/meta/epoch") readings++;
  };
  await meanwhile();
  emulator.onRequest = undefined;
  return readings;
}
