/** Faults in the middle of everything: what was answered holds, and what cannot be known is not told. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { AdjustableClock } from "../../../lib/clock.ts";
import { StoreError } from "../../../lib/errors.ts";
import { openGcsStore } from "../../../lib/storage/gcs/mod.ts";
import { nameOf } from "../../../lib/storage/gcs/name.ts";
import * as commands from "./commands.ts";
import { Emulator, type Fault } from "./emulator/mod.ts";
import { figure, Place, sleep, until } from "./open.ts";
import { type Caller, callerOf } from "../caller.ts";

const object = (key: string) => `kvs/${nameOf(key)}`;

/** What a command came to: its answer, or that it failed as a store may. */
async function attempt<Answer>(command: Promise<Answer>): Promise<Answer | "error"> {
  try {
    return await command;
  } catch (error) {
    assert(error instanceof StoreError, `${error}`);
    assert(/^[A-Z][^\r\n]{10,}$/.test(error.message), error.message);
    return "error";
  }
}

/** Begins a command, and waits until the insert that it makes has reached the service. */
async function begun<Answer>(
  { emulator }: Place,
  command: () => Promise<Answer>,
): Promise<{ answer: Promise<Answer> }> {
  const before = emulator.counts.insert;
  const answer = command();
  await until(() => emulator.counts.insert > before);
  // The emulator's own timer, at whose end it takes effect, was set before this one.
  await sleep(5);
  return { answer };
}

const lost: Fault[] = (["reset", "close", "cut", 503] as const).flatMap((what) => [
  { what, operations: ["insert"], times: 1 },
  { what, operations: ["insert"], times: 1, after: true },
]);

for (const fault of lost) {
  const name = `${fault.what} ${fault.after ? "after" : "before"} the write took effect`;

  Deno.test(`gcs faults: an answer that is lost (${name}) is found again`, async () => {
    await using place = await Place.open();
    const store = await place.store();
    const { faults } = place.emulator;
    faults.add(fault);
    assert(await commands.add(store, "k", "1"));
    faults.add(fault);
    assertEquals(await commands.incr(store, "k"), 2);
    faults.add(fault);
    assert(await commands.append(store, "k", "0"));
    faults.add(fault);
    const unique = await commands.set(store, "k", "5");
    faults.add(fault);
    assertEquals(typeof await commands.cas(store, "k", unique, "6"), "bigint");
    assertEquals(await commands.get(store, "k"), "6");
    assertEquals(figure(store, "lost_answers_resolved"), fault.after ? 5 : 0);
  });
}

Deno.test("gcs faults: a lost write that others have written over is told from one that was not done", async () => {
  await using place = await Place.open();
  const [one, two] = [await place.store(), await place.store()];
  const { faults } = place.emulator;
  for (const after of [true, false]) {
    await commands.set(one, "n", "0");
    faults.add({ what: "stall", operations: ["insert"], times: 1, after });
    const incremented = await begun(place, () => commands.incr(one, "n"));
    assertEquals(await commands.incr(two, "n"), after ? 2 : 1);
    place.emulator.breakConnections();
    assertEquals(await incremented.answer, after ? 1 : 2);
    assertEquals(await commands.get(two, "n"), "2");
  }
});

Deno.test("gcs faults: what cannot be known is an error, and a set is done again", async () => {
  await using place = await Place.open();
  const [one, two] = [await place.store(), await place.store()];
  const { faults } = place.emulator;
  for (const command of [commands.add, commands.set]) {
    faults.add({ what: "stall", operations: ["insert"], times: 1, after: true });
    const { answer } = await begun(place, () => attempt<unknown>(command(one, "k", "1")));
    await commands.remove(two, "k");
    await commands.set(two, "k", "2");
    place.emulator.breakConnections();
    assertEquals(await answer === "error", command === commands.add);
    assertEquals(await commands.get(two, "k"), command === commands.add ? "2" : "1");
    await commands.remove(two, "k");
  }
});

Deno.test("gcs faults: a delete whose answer is lost is no guess", async () => {
  await using place = await Place.open();
  const store = await place.store();
  const { faults } = place.emulator;
  await commands.set(store, "k", "1");
  faults.add({ what: "reset", operations: ["delete"], times: 1 });
  assertEquals(await commands.remove(store, "k"), true);
  await commands.set(store, "k", "1");
  faults.add({ what: "reset", operations: ["delete"], times: 1, after: true });
  assertEquals(await attempt(commands.remove(store, "k")), "error");
  assertEquals(await commands.get(store, "k"), undefined);
});

Deno.test("gcs faults: a write that comes late undoes nothing", async () => {
  await using place = await Place.open();
  const store = await place.store({ timeout: 3000 });
  const { faults } = place.emulator;
  const late: Fault = { what: "stall", operations: ["insert"], times: 1, late: 1600 };
  await commands.set(store, "k", "1");
  faults.add(late);
  await commands.set(store, "k", "2");
  await commands.set(store, "k", "3");
  faults.add(late);
  assertEquals(await commands.add(store, "gone", "1"), true);
  assertEquals(await commands.remove(store, "gone"), true);
  assertEquals(await commands.remove(store, "gone"), false);
  await sleep(1600);
  assertEquals(await commands.get(store, "k"), "3");
  assertEquals(await commands.get(store, "gone"), undefined);
  assertEquals(await commands.add(store, "gone", "2"), true);
});

Deno.test("gcs faults: what a delete has not found does not come by a write that was given up before", async () => {
  await using place = await Place.open();
  const store = await place.store({ timeout: 1500 });
  const { faults } = place.emulator;
  faults.add({ what: "stall", operations: ["insert"], name: "/k", times: 1, late: 3000 });
  faults.add({ what: 503, operations: ["insert"], name: "/k" });
  const sent = performance.now();
  assertEquals(await attempt(commands.set(store, "k", "1")), "error");
  faults.clear();
  assertEquals(await commands.remove(store, "k"), false);
  await sleep(3500 - (performance.now() - sent));
  assertEquals(await commands.get(store, "k"), undefined);
  assertEquals(await commands.add(store, "k", "2"), true);
});

Deno.test("gcs faults: what was deleted while a write was lost is gone for a server whose clock is behind", async () => {
  await using place = await Place.open();
  const clock = new AdjustableClock();
  clock.offset = -60_000;
  const [one, two] = [await place.store(), await place.store({ clock })];
  place.emulator.faults.add({ what: "reset", operations: ["insert"], times: 1 });
  assertEquals(await commands.add(one, "k", "1"), true);
  assertEquals(await commands.remove(one, "k"), true);
  assert(place.emulator.bucket().generationOf(object("k")) !== "0");
  assertEquals(await commands.add(two, "k", "2"), true);
  assertEquals(await commands.get(one, "k"), "2");
});

Deno.test("gcs faults: a read that fails is tried again, and never a miss", async () => {
  await using place = await Place.open();
  const store = await place.store();
  const { faults } = place.emulator;
  await commands.set(store, "k", "v");
  for (const what of [429, 500, 503, 408, "reset", "close", "cut"] as const) {
    faults.add({ what, name: object("k"), times: 2 });
    assertEquals(await commands.get(store, "k"), "v", `${what}`);
  }
  const hasty = await place.store({ timeout: 700 });
  for (const what of [503, "reset", "stall"] as const) {
    faults.add({ what, name: object("k") });
    assertEquals(await attempt(commands.get(hasty, "k")), "error");
    assertEquals(await attempt(commands.get(await place.store(), "other")), undefined);
    faults.clear();
  }
});

Deno.test("gcs faults: deadlines hold while the service says nothing, and other keys go on", async () => {
  await using place = await Place.open();
  const store = await place.store({ timeout: 4000 });
  for (const key of ["a", "b", "c", "d"]) await commands.set(store, key, "1");
  place.emulator.faults.add({ what: "stall", name: object("a") });
  place.emulator.faults.add({ what: "stall", name: object("b") });
  let answered = 0;
  const stuck = Promise.all([
    attempt(commands.get(store, "a")),
    attempt(commands.set(store, "a", "2")),
    attempt(commands.incr(store, "a")),
    attempt(commands.remove(store, "b")),
    attempt(commands.add(store, "b", "2")),
  ].map(async (one) => {
    const answer = await one;
    answered++;
    return answer;
  }));
  for (let i = 0; i < 10; i++) assertEquals(await commands.incr(store, "c"), i + 2);
  assertEquals(answered, 0);
  assertEquals(new Set(await stuck), new Set(["error"]));
  place.emulator.faults.clear();
  const now = await commands.get(store, "a");
  assert(now === "1" || now === "2");
  assertEquals(await commands.set(store, "a", "3") > 0n, true);
});

Deno.test("gcs faults: while the service is away memory stays bounded, and after it all goes on", async () => {
  await using place = await Place.open();
  const store = await place.store({ timeout: 1500 });
  place.emulator.faults.add({ what: "stall", after: true });
  const value = new Uint8Array(1 << 20);
  const answers = Array.from(
    { length: 400 },
    (_, i) => attempt<unknown>(commands.set(store, `k${i}`, value)),
  );
  await sleep(1200);
  assert(figure(store, "writes_waiting") <= 128);
  assertEquals(new Set(await Promise.all(answers)), new Set(["error"]));
  assertEquals(figure(store, "writes_waiting"), 0);
  place.emulator.faults.clear();
  // The emulator may still be busy with what it was sent.
  await until(async () => await attempt(commands.set(store, "k1", "back")) !== "error", 60_000);
  assertEquals(await commands.get(store, "k1"), "back");
});

Deno.test("gcs faults: nothing acknowledged is lost in a storm of all faults, through two servers", async () => {
  await using place = await Place.open({ readLatency: [0, 5], writeLatency: [0, 10] });
  const stores = [await place.store({ timeout: 1500 }), await place.store({ timeout: 1500 })];
  for (const what of [429, 500, 503, "reset", "close", "cut"] as const) {
    for (const after of what === 429 ? [false] : [false, true]) {
      place.emulator.faults.add({ what, after, probability: 0.02 });
    }
  }
  place.emulator.faults.add({ what: "stall", probability: 0.002 });
  const keys = ["a", "b", "c"];
  for (const key of keys) while (await attempt(commands.set(stores[0], key, "0")) === "error");
  for (const key of ["list", "cas"]) {
    while (await attempt(commands.set(stores[0], key, "")) === "error");
  }
  const told: Record<string, number[]> = { a: [], b: [], c: [] };
  const failed: Record<string, number> = { a: 0, b: 0, c: 0 };
  const appended = { told: [] as string[], failed: [] as string[] };
  const winners = new Map<string, number>();
  const won = (race: string) => winners.set(race, (winners.get(race) ?? 0) + 1);
  const end = performance.now() + 1500;
  await Promise.all(
    stores.flatMap((store: Caller, server) =>
      Array.from({ length: 8 }, async (_, connection) => {
        for (let round = 0; performance.now() < end; round++) {
          const key = keys[(connection + round) % 3];
          const number = await attempt(commands.incr(store, key));
          if (typeof number === "number") told[key].push(number);
          else failed[key]++;
          const entry = `${server}:${connection}:${round}`;
          const outcome = await attempt(commands.append(store, "list", `${entry} `));
          appended[outcome === true ? "told" : "failed"].push(entry);
          // All race for what the next round of the race has as its key or its unique.
          const race = `add:${Math.floor(round / 2)}`;
          if (await attempt(commands.add(store, race, "mine")) === true) won(race);
          const seen = await attempt(Promise.resolve(store.read(bytesOf("cas"))));
          if (seen !== "error" && seen !== undefined) {
            const next = await attempt(commands.cas(store, "cas", seen.cas, entry));
            if (typeof next === "bigint") won(`cas:${seen.cas}`);
          }
          const own = `own:${server}:${connection}`;
          const written = await attempt(commands.set(store, own, `${round}`));
          const read = await attempt(commands.get(store, own));
          if (written !== "error" && read !== "error") assertEquals(read, `${round}`);
        }
      })
    ),
  );
  place.emulator.faults.clear();
  // One that takes its time: the emulator may still be busy.
  const reader = await place.store({ timeout: 60_000 });
  for (const key of keys) {
    const number = Number(await commands.get(reader, key));
    assertEquals(new Set(told[key]).size, told[key].length, "no number is told twice");
    const [least, most] = [told[key].length, told[key].length + failed[key]];
    assert(number >= least && number <= most, `${key} is ${number}, not ${least} to ${most}`);
    assert(told[key].length > 0);
  }
  for (const [race, count] of winners) assertEquals(count, 1, `${race} was won more than once`);
  for (const kind of ["add:", "cas:"]) assert(winners.keys().some((race) => race.startsWith(kind)));
  const list = (await commands.get(reader, "list"))!.trimEnd().split(" ");
  assertEquals(new Set(list).size, list.length, "nothing is appended twice");
  const possible = new Set([...appended.told, ...appended.failed]);
  for (const entry of appended.told) assert(list.includes(entry), `${entry} is lost`);
  for (const entry of list) assert(possible.has(entry));
});

Deno.test("gcs faults: the epoch's own readings may fail, and a flush holds all the same", async () => {
  await using place = await Place.open();
  const [one, two] = [await place.store(), await place.store()];
  await commands.set(one, "k", "old");
  place.emulator.faults.add({ what: "reset", name: "meta/epoch", after: true, probability: 0.5 });
  await one.flush(place.clock.now());
  assertEquals(await commands.get(two, "k"), undefined);
  await commands.set(two, "k", "new");
  assertEquals(await commands.get(one, "k"), "new");
});

Deno.test("gcs faults: without the epoch no command begins", async () => {
  await using place = await Place.open();
  await commands.set(await place.store(), "k", "v");
  const store = await place.store({ timeout: 600 });
  place.emulator.faults.add({ what: "stall", name: "meta/epoch" });
  await sleep(1100);
  const { insert } = place.emulator.counts;
  assertEquals(await attempt(commands.get(store, "k")), "error");
  assertEquals(await attempt(commands.set(store, "k", "w")), "error");
  assertEquals(place.emulator.counts.insert, insert);
  place.emulator.faults.clear();
  await until(async () => await attempt(commands.get(store, "k")) === "v");
});

Deno.test("gcs faults: a service that takes longer than the epoch may be old is slow, and that is all", async () => {
  await using place = await Place.open({ readLatency: [1200, 1200] });
  const store = await place.store({ timeout: 15_000 });
  assertEquals(await commands.add(store, "k", "1"), true);
  assertEquals(await commands.incr(store, "k"), 2);
  assertEquals(await commands.get(store, "k"), "2");
});

Deno.test("gcs faults: changes that nobody waits for keep their order through all of them", async () => {
  await using place = await Place.open({ writeLatency: [0, 5] });
  const store = await place.store({ timeout: 5000 });
  const { faults } = place.emulator;
  const append = (i: number) => commands.append(store, "k", `${i} `);
  const troubles: Fault[] = [
    { what: 503, operations: ["insert"], times: 2 },
    { what: "reset", operations: ["insert"], times: 1, after: true },
    { what: 429, operations: ["insert"], times: 1 },
    { what: "stall", name: "meta/epoch", times: 3 },
  ];
  for (const trouble of troubles) {
    await commands.set(store, "k", "");
    if (trouble.name === "meta/epoch") {
      // The changes begin when the epoch is known again, and come meanwhile.
      faults.add(trouble);
      await sleep(1100);
    } else faults.add(trouble);
    const made: Promise<boolean>[] = [];
    for (let i = 0; i < 40; i++) {
      made.push(append(i));
      if (i % 10 === 9) await sleep(20);
    }
    assertEquals(new Set(await Promise.all(made)), new Set([true]));
    const expected = made.map((_, i) => `${i} `).join("");
    assertEquals(await commands.get(store, "k"), expected, `${trouble.what}`);
    faults.clear();
  }
});

Deno.test("gcs faults: a service that cannot be reached leaves nothing unclear, and is used when it is back", async () => {
  const first = await Emulator.start();
  const { endpoint } = first;
  const clock = new AdjustableClock();
  const store = await callerOf(openGcsStore({ bucket: "bucket", endpoint, clock, log: () => {} }));
  await first[Symbol.asyncDispose]();
  // A request that goes out on a connection of which nobody knows yet that it is gone is unclear.
  await sleep(100);
  const added = commands.add(store, "k", "1");
  await until(() => figure(store, "retries_connection") > 2);
  await using second = await Emulator.start({ port: Number(new URL(endpoint).port) });
  assertEquals(await added, true);
  assertEquals(await commands.remove(store, "k"), true);
  // Where a lost try might yet create the object again, an expired one would lie in its place.
  assertEquals(second.bucket().generationOf(object("k")), "0");
  await store.close();
});

Deno.test("gcs faults: a bucket that refuses writes is told while it does", async () => {
  await using place = await Place.open();
  const store = await place.store({ countInterval: 50 });
  const stateOf = () => new Map(store.info().own).get("state");
  await commands.set(store, "k", "v");
  place.emulator.faults.add({ what: 403, operations: ["insert", "delete"] });
  const error = await assertRejects(() => commands.set(store, "k", "w"), StoreError);
  assert(error.message.includes("roles/storage.objectUser"), error.message);
  await until(() => place.lines.length === 1);
  assertEquals(place.lines[0], `${error.message}; writes fail until that changes`);
  assertEquals(stateOf(), "away");
  assertEquals(await commands.get(store, "k"), "v");
  // Nobody need write for it to be noticed that writes are taken again.
  place.emulator.faults.clear();
  await until(() => place.lines.length === 2);
  assertEquals(stateOf(), "ok");
  await commands.set(store, "k", "w");
});

Deno.test("gcs faults: a bucket that goes away is an error immediately, and no miss", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await commands.set(store, "k", "v");
  place.emulator.faults.add({ what: 404 });
  await assertRejects(() => commands.get(store, "k"), StoreError, "is not there");
  await assertRejects(() => commands.set(store, "k", "w"), StoreError, "is not there");
  await assertRejects(() => commands.remove(store, "k"), StoreError, "is not there");
});
