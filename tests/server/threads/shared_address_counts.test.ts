import { assert, assertEquals } from "@std/assert";
import { SharedAddressCounts } from "../../../lib/server/threads/shared_address_counts.ts";

Deno.test("an address has its share over all threads, and makes room by leaving", () => {
  const memory = SharedAddressCounts.memory(10);
  const one = new SharedAddressCounts(memory);
  const other = new SharedAddressCounts(memory);
  assert(one.enter("10.0.0.1", 2) && other.enter("10.0.0.1", 2));
  assertEquals([one.enter("10.0.0.1", 2), other.enter("10.0.0.1", 2)], [false, false]);
  assert(other.enter("10.0.0.2", 2));
  one.leave("10.0.0.1");
  assertEquals([other.enter("10.0.0.1", 2), one.enter("10.0.0.1", 2)], [true, false]);
});

Deno.test("counts of a second are none in the next one", () => {
  let second = 7;
  const counts = new SharedAddressCounts(SharedAddressCounts.memory(10), () => second);
  assertEquals([counts.enter("::1", 1), counts.enter("::1", 1)], [true, false]);
  second++;
  assertEquals([counts.enter("::1", 1), counts.enter("::1", 1)], [true, false]);
});

Deno.test("more addresses than are remembered let others in, and none is counted for another", () => {
  const counts = new SharedAddressCounts(SharedAddressCounts.memory(1));
  for (let i = 0; i < 20_000; i++) assert(counts.enter(`10.0.${i >> 8}.${i & 255}`, 1));
});
