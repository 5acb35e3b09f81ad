import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { uint64, uint64Of } from "../lib/uint64.ts";

Deno.test("an integer as a number of 64 bits is what BigInt makes of it", () => {
  for (const integer of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]) {
    assertEquals(uint64Of(integer), BigInt(integer));
  }
  fc.assert(fc.property(fc.maxSafeNat(), (integer) => uint64Of(integer) === BigInt(integer)));
});

Deno.test("two halves of 32 bits are one number of 64", () => {
  const half = fc.nat(0xffffffff);
  fc.assert(
    fc.property(
      half,
      half,
      (low, high) => uint64(low, high) === (BigInt(high) << 32n) + BigInt(low),
    ),
  );
});
