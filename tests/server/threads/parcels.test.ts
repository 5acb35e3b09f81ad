import { assertEquals } from "@std/assert";
import { Parcels } from "../../../lib/server/threads/parcels.ts";

const KIB = 1024;

Deno.test("what a thread tells in a turn is one message, and what is beyond its bound is left out until some is taken", async () => {
  const told: string[][] = [];
  const taken: (() => void)[] = [];
  const left: number[] = [];
  const messages = Promise.withResolvers<void>();
  const parcels = new Parcels<string>((items) => {
    told.push([...items]);
    messages.resolve();
    return new Promise((resolve) => taken.push(() => resolve(undefined)));
  }, (count) => void left.push(count));
  assertEquals(parcels.add("a", 200 * KIB), true);
  assertEquals(parcels.add("b", 56 * KIB), true);
  assertEquals(parcels.add("c", 1), false);
  await messages.promise;
  assertEquals(told, [["a", "b"]]);
  assertEquals(parcels.add("d", 1), false);
  taken[0]!();
  // The promise that was resolved tells in the next turn at the latest.
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(left, [2]);
  assertEquals(parcels.add("e", 256 * KIB), true);
  parcels.flush();
  assertEquals(told, [["a", "b"], ["e"]]);
});
