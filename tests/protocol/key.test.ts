import { assertEquals, assertThrows } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { isTextKey, keyBytes, KeyError } from "../../lib/protocol/key.ts";

Deno.test("text can name what has no space, line end or NUL, as bytes and as text", () => {
  for (const key of ["x".repeat(250), "é".repeat(125), "\x7f", "a\tb"]) {
    assertEquals([isTextKey(key), isTextKey(bytesOf(key))], [true, true]);
  }
  for (const key of ["", "a b", "a\r", "a\n", "\0", "é ", "x".repeat(251), "é".repeat(126)]) {
    assertEquals([isTextKey(key), isTextKey(bytesOf(key))], [false, false]);
  }
});

Deno.test("a key has 1 to 250 bytes, whatever they are", () => {
  assertEquals(keyBytes(" \r\n\0"), bytesOf(" \r\n\0"));
  assertThrows(() => keyBytes(""), KeyError, "at least one byte");
  assertThrows(() => keyBytes("é".repeat(126)), KeyError, "at most 250 bytes, this one has 252");
});
