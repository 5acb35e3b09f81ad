import { assertEquals } from "@std/assert";
import { bytesOfBinaryString } from "../lib/bytes.ts";
import { signedOfC, unsignedOfC } from "../lib/c_number.ts";

const read = (of: typeof signedOfC, text: string) => of(bytesOfBinaryString(text), 0, text.length);

Deno.test("a number of C is read with a sign, behind blanks, up to a blank or a NUL", () => {
  const texts = ["5", "+5", "-5", " \t\n\v\f\r5", "5 6", "5\t", "5\x006", "0005", "-0"];
  assertEquals(
    texts.map((text) => read(signedOfC, text)),
    [5n, 5n, -5n, 5n, 5n, 5n, 5n, 5n, 0n],
  );
  for (const none of ["", " ", "-", "+", "+-5", "--5", "5x", "x", "\x005", "1.5"]) {
    assertEquals([read(signedOfC, none), read(unsignedOfC, none)], [undefined, undefined], none);
  }
});

Deno.test("a number of C has 64 bits, whatever zeros stand before it", () => {
  const zeros = "0".repeat(50);
  assertEquals(
    [
      read(signedOfC, "9223372036854775807"),
      read(signedOfC, "9223372036854775808"),
      read(signedOfC, "-9223372036854775808"),
      read(signedOfC, "-9223372036854775809"),
      read(unsignedOfC, `${zeros}18446744073709551615`),
      read(unsignedOfC, "18446744073709551616"),
      read(unsignedOfC, "999999999999999"),
      read(unsignedOfC, "9007199254740993"),
      read(unsignedOfC, "1".repeat(1000)),
    ],
    [
      2n ** 63n - 1n,
      undefined,
      -(2n ** 63n),
      undefined,
      2n ** 64n - 1n,
      undefined,
      999999999999999n,
      9007199254740993n,
      undefined,
    ],
  );
});

Deno.test("an unsigned number of C below 0 counts down from 2^64, in the lower half of that", () => {
  assertEquals(
    [
      read(unsignedOfC, "-0"),
      read(unsignedOfC, "-18446744073709551615"),
      read(unsignedOfC, "-9223372036854775809"),
      read(unsignedOfC, "-9223372036854775808"),
      read(unsignedOfC, "-1"),
      read(unsignedOfC, "-18446744073709551616"),
    ],
    [0n, 1n, 2n ** 63n - 1n, undefined, undefined, undefined],
  );
});

Deno.test("a number of C is read from its place among other bytes", () => {
  const bytes = bytesOfBinaryString("12345");
  assertEquals([unsignedOfC(bytes, 1, 3), signedOfC(bytes, 4, 5)], [23n, 5n]);
});
