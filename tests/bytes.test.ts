/** Memory that replies lie in, used again and again. */

import { assert, assertEquals } from "@std/assert";
import {
  ByteBuffer,
  bytesOf,
  copyWords,
  giveMemory,
  MOST_BY_WORDS,
  ROOM_BEFORE,
  ROOM_BEHIND,
  takeMemory,
  trimMemory,
} from "../lib/bytes.ts";

const MUCH = 100_000;

Deno.test("memory that was given back is used again for what needs about as much", () => {
  const first = takeMemory(MUCH);
  assert(first.length >= MUCH);
  giveMemory(first);
  assert(takeMemory(MUCH + 100) === first, "a little more fits into the same pages");
  giveMemory(first);
  const little = takeMemory(MUCH / 4);
  assert(little !== first && little.length < MUCH);
  assert(takeMemory(MUCH) === first);
});

Deno.test("of memory that was given back no more than 32 MiB are kept, and little pieces not at all", () => {
  const pieces = Array.from({ length: 40 }, () => takeMemory(2 ** 20));
  for (const piece of pieces) giveMemory(piece);
  const kept = pieces.filter(({ length }) => length > 0);
  assert(kept.length > 0 && kept.length <= 32, `${kept.length} MiB`);
  const taken = new Set(kept.map(() => takeMemory(2 ** 20)));
  assert(kept.every((piece) => taken.has(piece)));
  const little = takeMemory(1000);
  giveMemory(little);
  assert(takeMemory(1000) !== little);
});

Deno.test("memory that nobody needs is freed, half of it each time, and what is needed stays", () => {
  const pieces = Array.from({ length: 8 }, () => takeMemory(2 ** 20));
  for (const piece of pieces) giveMemory(piece);
  const kept = () => pieces.filter(({ length }) => length > 0).length;
  // What was given back since the last call may be needed again.
  trimMemory();
  assertEquals(kept(), 8);
  const taken = [takeMemory(2 ** 20), takeMemory(2 ** 20)];
  taken.forEach(giveMemory);
  trimMemory();
  assert(kept() >= 2 && kept() < 8, `${kept()} MiB`);
  assert(taken.every(({ length }) => length > 0), "what was needed last goes last");
  for (let i = 0; i < 30; i++) trimMemory();
  assertEquals(kept(), 0);
});

Deno.test("a buffer shows what was written to it, whoever had its memory before", () => {
  for (const letter of ["a", "b", "c"]) {
    const buffer = new ByteBuffer(0, true);
    buffer.ascii("head ");
    buffer.append(bytesOf(letter.repeat(MUCH)));
    assertEquals(new TextDecoder().decode(buffer.view()), `head ${letter.repeat(MUCH)}`);
    const { bytes } = buffer;
    buffer.clear(1);
    assertEquals([buffer.length, buffer.view().length], [0, 0]);
    assert(bytes.length > 0, "it is kept for another");
    buffer.append(bytesOf("x".repeat(MUCH / 2 + 1)));
    assertEquals(buffer.view(), bytesOf("x".repeat(MUCH / 2 + 1)));
    buffer.release();
    assertEquals(buffer.bytes.length, 0);
  }
});

Deno.test("few bytes are copied by words, whatever their number and places, and no others change", () => {
  const from = Uint8Array.from({ length: 300 }, (_, i) => i * 7 + 1);
  for (let length = 0; length <= MOST_BY_WORDS; length++) {
    for (const [start, at] of [[0, 0], [3, 5], [8, 1]] as const) {
      const to = new Uint8Array(300).fill(0xee);
      const expected = to.slice();
      expected.set(from.subarray(start, start + length), at);
      copyWords(new DataView(from.buffer), start, length, new DataView(to.buffer), at);
      assertEquals(to, expected);
    }
  }
});

Deno.test("a buffer takes a part of some memory, of any length, also where it must grow for it", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 13);
  const view = new DataView(bytes.buffer);
  for (const length of [0, 1, 7, 8, 9, 100, MOST_BY_WORDS, MOST_BY_WORDS + 1, 900]) {
    const buffer = new ByteBuffer(4);
    for (let i = 0; i < 5; i++) buffer.appendFrom(bytes, view, 3 * i, 3 * i + length);
    const parts = Array.from({ length: 5 }, (_, i) => [...bytes.subarray(3 * i, 3 * i + length)]);
    assertEquals([...buffer.view()], parts.flat());
  }
});

/** A value of so many bytes with room around it, and who has it. */
function lent(size: number) {
  const memory = new Uint8Array(ROOM_BEFORE + size + ROOM_BEHIND);
  const value = memory.subarray(ROOM_BEFORE, ROOM_BEFORE + size).fill(118);
  return { value, lender: { borrowers: 0, roomBefore: ROOM_BEFORE } };
}

/** A buffer with a value that is borrowed between two texts. */
function around(head: string, { value, lender }: ReturnType<typeof lent>, tail: string) {
  const buffer = new ByteBuffer(0, true);
  buffer.ascii(head);
  buffer.borrow(value, lender);
  buffer.ascii(tail);
  return buffer;
}

const textOf = (buffer: ByteBuffer) =>
  buffer.parts().map((part) => new TextDecoder().decode(part)).join("");

Deno.test("what is borrowed goes in one part with what is around it, where its owner has room", () => {
  const of = lent(MUCH);
  const whole = `head ${"v".repeat(MUCH)}\r\nEND\r\n`;
  const buffer = around("head ", of, "\r\nEND\r\n");
  assertEquals([buffer.parts().length, buffer.total, buffer.isBorrowed], [1, whole.length, true]);
  assertEquals(buffer.parts()[0].buffer, of.value.buffer);
  assert(textOf(buffer) === whole);
  const alone = around("", of, "");
  assert(textOf(alone) === "v".repeat(MUCH));
  alone.clear();
  buffer.clear();
  assertEquals(of.lender.borrowers, 0);
});

Deno.test("what is borrowed twice has the same bytes before it, or is copied, or goes in parts", () => {
  for (const size of [MUCH, 3 * MUCH]) {
    const of = lent(size);
    const value = "v".repeat(size);
    const first = around("head ", of, "\r\n");
    assertEquals(first.parts().length, 1);
    const same = around("head ", of, "\r\n");
    const other = around("Head ", of, "\r\n");
    const long = around("h".repeat(ROOM_BEFORE + 1), of, "\r\n");
    assertEquals(same.parts().length, 1);
    assertEquals([other.isBorrowed, long.isBorrowed], [size > MUCH, size > MUCH]);
    assert(textOf(other) === `Head ${value}\r\n`);
    assert(textOf(long) === `${"h".repeat(ROOM_BEFORE + 1)}${value}\r\n`);
    for (const buffer of [first, same]) assert(textOf(buffer) === `head ${value}\r\n`);
    for (const buffer of [first, same, other, long]) buffer.clear();
    assertEquals(of.lender.borrowers, 0);
    assert(textOf(around("Head ", of, "\r\n")) === `Head ${value}\r\n`);
  }
});
