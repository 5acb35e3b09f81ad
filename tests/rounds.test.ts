import { assert, assertEquals } from "@std/assert";
import { Rounds } from "../lib/rounds.ts";
import { Harness } from "./server/harness.ts";

/** Rounds with so many members, each of which reads. */
function rounds(members: number): Rounds {
  const all = new Rounds();
  for (let i = 0; i < members; i++) {
    all.join();
    next(all);
  }
  return all;
}

/** The turn that one must wait for before its next read; nothing where there is none. */
function next(all: Rounds): Promise<void> | undefined {
  const { promise, resolve } = Promise.withResolvers<void>();
  return all.next(resolve) ? undefined : promise;
}

/** Lets so many reads complete at one time. */
async function serve(all: Rounds, reads: number): Promise<void> {
  for (let i = 0; i < reads; i++) all.readDone();
  await Promise.resolve();
}

Deno.test("a round: nobody waits among 128 connections, however many are ready", async () => {
  const all = rounds(128);
  await serve(all, 128);
  assertEquals(next(all), undefined);
});

Deno.test("a round: nobody waits among many connections of which few are ready", async () => {
  const all = rounds(5000);
  for (let i = 0; i < 10; i++) await serve(all, 50);
  assertEquals(next(all), undefined);
});

Deno.test("a round: those that were served in a crowd wait until all that were ready are", async () => {
  const all = rounds(300);
  await serve(all, 128);
  const order: string[] = [];
  const first = next(all)?.then(() => order.push("first"));
  await serve(all, 128);
  const second = next(all)?.then(() => order.push("second"));
  assertEquals(order, []);
  await serve(all, 44);
  assertEquals(next(all), undefined);
  await Promise.all([first, second]);
  assertEquals(order, ["first", "second"]);
});

Deno.test("a round: where all have been served nobody waits for more to come", async () => {
  const all = rounds(200);
  await serve(all, 128);
  const turn = next(all);
  assert(turn !== undefined);
  await serve(all, 72);
  assertEquals(next(all), undefined);
  await turn;
});

Deno.test("a round: a few writes say nothing of who is ready, many do", async () => {
  const all = rounds(300);
  await serve(all, 128);
  let waits = true;
  const turn = next(all)?.then(() => waits = false);
  all.writeDone();
  await Promise.resolve();
  await Promise.resolve();
  assert(waits);
  await serve(all, 1);
  await turn;

  for (let i = 0; i < 128; i++) all.writeDone();
  await Promise.resolve();
  assert(next(all) !== undefined);
});

Deno.test("a round: one that ends with a crowd ends all the same", async () => {
  const all = rounds(300);
  await serve(all, 128);
  const turn = next(all);
  assert(turn !== undefined);
  await turn;
  assertEquals(next(all), undefined);
});

Deno.test("a round: nobody waits when so many have left that there is no crowd", async () => {
  const all = rounds(300);
  for (let i = 0; i < 200; i++) all.leave();
  await serve(all, 100);
  assertEquals(next(all), undefined);
});

Deno.test("a round: a read that could not even be begun is not waited for", async () => {
  const all = new Rounds();
  for (let i = 0; i < 200; i++) all.join();
  await using harness = new Harness();
  const read = () => {
    throw new RangeError("Array buffer allocation failed");
  };
  const write = (bytes: Uint8Array) => Promise.resolve(bytes.length);
  await harness.connection({ read, write, close: () => {} }, all).serve();
  for (let i = 0; i < 100; i++) next(all);
  await serve(all, 100);
  assertEquals(next(all), undefined);
});
