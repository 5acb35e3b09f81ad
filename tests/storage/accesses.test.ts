import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { Accesses } from "../../lib/storage/accesses.ts";

const k: Uint8Array = bytesOf("k");

Deno.test("accesses: the last one of a version is known, and the one before is returned", () => {
  const accesses = new Accesses(64);
  assertEquals(accesses.of(k, 7), -1);
  assertEquals(accesses.note(k, 7, 100), -1);
  assertEquals(accesses.of(k, 7), 100);
  assertEquals(accesses.note(k, 7, 105), 100);
  assertEquals(accesses.of(k, 7), 105);
});

Deno.test("accesses: an item that takes the place of another starts anew", () => {
  const accesses = new Accesses(64);
  accesses.note(k, 7, 100);
  assertEquals(accesses.of(k, 8), -1);
  assertEquals(accesses.note(k, 8, 101), -1);
  assertEquals([accesses.of(k, 7), accesses.of(k, 8)], [-1, 101]);
});

Deno.test("accesses: of more keys than there is room for those are known that were read last", () => {
  const accesses = new Accesses(64);
  for (let i = 0; i < 5000; i++) accesses.note(bytesOf(`k${i}`), 1, i);
  let known = 0;
  for (let i = 0; i < 5000; i++) {
    const seconds = accesses.of(bytesOf(`k${i}`), 1);
    assert(seconds === -1 || seconds === i);
    if (seconds === i) known++;
  }
  assertEquals(known, 64);
  assertEquals(accesses.of(bytesOf("k4999"), 1), 4999);
  assertEquals(accesses.of(bytesOf("k0"), 1), -1);
});
