import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import * as commands from "./commands.ts";
import { Place, sleep } from "./open.ts";
import type { Caller } from "../caller.ts";

/** Two servers on one bucket, and what each of so many rounds does on both. */
async function both(
  stores: readonly Caller[],
  connections: number,
  rounds: number,
  work: (store: Caller, connection: number, round: number) => Promise<void>,
): Promise<void> {
  await Promise.all(
    stores.flatMap((store) =>
      Array.from({ length: connections }, async (_, connection) => {
        for (let round = 0; round < rounds; round++) await work(store, connection, round);
      })
    ),
  );
}

async function twoServers(place: Place): Promise<[Caller, Caller]> {
  return [await place.store(), await place.store()];
}

const latency = { readLatency: [1, 5], writeLatency: [1, 10] };

Deno.test("gcs sharing: increments through two servers are all counted, each answer is told once", async () => {
  await using place = await Place.open(latency);
  const stores = await twoServers(place);
  await commands.set(stores[0], "n", "0");
  const answers = new Set<number>();
  await both(stores, 10, 10, async (store) => {
    answers.add((await commands.incr(store, "n"))!);
  });
  assertEquals(answers.size, 200);
  for (const store of stores) assertEquals(await commands.get(store, "n"), "200");
});

Deno.test("gcs sharing: appends through two servers are all there once", async () => {
  await using place = await Place.open(latency);
  const stores = await twoServers(place);
  await commands.set(stores[0], "list", "");
  await both(stores, 5, 10, async (store, connection, round) => {
    await commands.append(store, "list", `${stores.indexOf(store)}:${connection}:${round} `);
  });
  const found = (await commands.get(stores[1], "list"))!.trimEnd().split(" ");
  assertEquals(found.length, 100);
  assertEquals(new Set(found).size, 100);
});

Deno.test("gcs sharing: of adds through two servers one succeeds", async () => {
  await using place = await Place.open(latency);
  const stores = await twoServers(place);
  for (let round = 0; round < 20; round++) {
    let added = 0;
    await both(stores, 3, 1, async (store) => {
      if (await commands.add(store, `lock:${round}`, "mine")) added++;
    });
    assertEquals(added, 1);
  }
});

Deno.test("gcs sharing: of cas through two servers one succeeds", async () => {
  await using place = await Place.open(latency);
  const stores = await twoServers(place);
  let unique = await commands.set(stores[0], "k", "0");
  for (let round = 0; round < 20; round++) {
    const winners: bigint[] = [];
    await both(stores, 3, 1, async (store, connection) => {
      const swapped = await commands.cas(store, "k", unique, `${connection}`);
      if (typeof swapped === "bigint") winners.push(swapped);
    });
    assertEquals(winners.length, 1);
    [unique] = winners;
  }
});

Deno.test("gcs sharing: of deletes through two servers one succeeds", async () => {
  await using place = await Place.open(latency);
  const stores = await twoServers(place);
  for (let round = 0; round < 20; round++) {
    await commands.set(stores[round % 2], "k", "v");
    let deleted = 0;
    await both(stores, 2, 1, async (store) => {
      if (await commands.remove(store, "k")) deleted++;
    });
    assertEquals(deleted, 1);
  }
});

Deno.test("gcs sharing: what one server wrote the other reads immediately", async () => {
  await using place = await Place.open(latency);
  const [one, two] = await twoServers(place);
  for (let i = 0; i < 30; i++) {
    await commands.set(one, "k", `${i}`);
    assertEquals(await commands.get(two, "k"), `${i}`);
    await commands.incr(two, "k");
    assertEquals(await commands.get(one, "k"), `${i + 1}`);
  }
  await commands.remove(two, "k");
  assertEquals(await commands.get(one, "k"), undefined);
  assertEquals(await commands.remove(one, "k"), false);
  assertEquals(await commands.replace(one, "k", "v"), false);
});

Deno.test("gcs sharing: after a flush is answered no server shows what was there, and none loses what comes", async () => {
  await using place = await Place.open(latency);
  const [one, two] = await twoServers(place);
  for (let i = 0; i < 20; i++) await commands.set(i % 2 ? one : two, `k${i}`, "old");
  await one.flush(place.clock.now());
  for (let i = 0; i < 20; i++) {
    for (const store of [one, two]) assertEquals(await commands.get(store, `k${i}`), undefined);
  }
  assertEquals(await commands.remove(two, "k0"), false);
  assertEquals(await commands.append(two, "k1", "x"), false);
  assert(await commands.add(two, "k2", "new"));
  assertEquals(await commands.get(one, "k2"), "new");
  const three = await place.store();
  assertEquals(await commands.get(three, "k2"), "new");
  assertEquals(await commands.get(three, "k3"), undefined);
});

Deno.test("gcs sharing: writes during a flush are either flushed or stay, on all servers alike", async () => {
  await using place = await Place.open(latency);
  const [one, two] = await twoServers(place);
  let done = false;
  const flushing = (async () => {
    await one.flush(place.clock.now());
    done = true;
  })();
  let written = 0;
  while (!done) await commands.set(two, `k${written++}`, "v");
  await flushing;
  await commands.set(two, "after", "v");
  assertEquals(await commands.get(one, "after"), "v");
  const shown = async (store: Caller) => {
    const keys = Array.from({ length: written }, (_, i) => `k${i}`);
    return await Promise.all(keys.map((key) => commands.get(store, key)));
  };
  const values = await shown(one);
  assertEquals(values, await shown(two));
  // What was flushed was written before all that stayed.
  assertEquals(values.indexOf("v"), values.lastIndexOf(undefined) + 1);
});

Deno.test("gcs sharing: a flush to come happens on both servers, and after a restart", async () => {
  await using place = await Place.open(latency);
  const [one, two] = await twoServers(place);
  await one.flush(place.clock.now() + 30_000);
  await sleep(600);
  await commands.set(two, "k", "v");
  assertEquals(await commands.get(one, "k"), "v");
  place.clock.offset += 30_000;
  for (const store of [one, two, await place.store()]) {
    assertEquals(await commands.get(store, "k"), undefined);
  }
  await commands.set(two, "k", "new");
  assertEquals(await commands.get(one, "k"), "new");
});

Deno.test("gcs sharing: a cache shows its own server's writes immediately and another's after its time", async () => {
  await using place = await Place.open();
  // Longer than the slowest machine takes.
  const one = await place.store({ cacheTtl: 3_600_000 });
  const two = await place.store();
  await commands.set(one, "k", "1");
  assertEquals(await commands.get(one, "k"), "1");
  await commands.set(two, "k", "2");
  assertEquals(await commands.get(one, "k"), "1");
  assertEquals(await commands.incr(one, "k"), 3);
  assertEquals(await commands.get(one, "k"), "3");
  const brief = await place.store({ cacheTtl: 300 });
  assertEquals(await commands.get(brief, "k"), "3");
  await commands.remove(two, "k");
  await sleep(350);
  assertEquals(await commands.get(brief, "k"), undefined);
  assertEquals(await one.read(bytesOf("never there")), undefined);
  await commands.set(two, "never there", "1");
  assertEquals(await commands.get(one, "never there"), "1");
});
