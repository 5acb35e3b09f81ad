import { assertEquals } from "@std/assert";
import { SharedCount } from "../lib/count.ts";

Deno.test("a count that threads share goes below zero, and beyond 2^31", () => {
  const count = new SharedCount(new BigInt64Array(new SharedArrayBuffer(16)), 1);
  assertEquals([count.add(2), count.add(-3), count.value], [2, -1, -1]);
  count.add(2 ** 31);
  assertEquals([count.add(1), count.value], [2 ** 31, 2 ** 31]);
});
