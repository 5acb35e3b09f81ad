import { assert, assertEquals } from "@std/assert";
import { bytesOf, giveMemory, takeMemory } from "../../lib/bytes.ts";
import { ReceiveBuffer } from "../../lib/protocol/framing.ts";

/** Receives a text, however much room there is. */
function receive(buffer: ReceiveBuffer, text: string): void {
  let bytes = bytesOf(text);
  while (bytes.length > 0) {
    const room = buffer.room();
    const part = bytes.subarray(0, room.length);
    room.set(part);
    buffer.added(part.length);
    bytes = bytes.subarray(part.length);
  }
}

function heldBy({ bytes, start, end }: ReceiveBuffer): string {
  return new TextDecoder().decode(bytes.subarray(start, end));
}

Deno.test("framing: what has come is held in its order", () => {
  const buffer = new ReceiveBuffer();
  receive(buffer, "ab");
  receive(buffer, "cd");
  assertEquals([heldBy(buffer), buffer.held], ["abcd", 4]);
});

Deno.test("framing: a line end is found where it stands, and none where it has not come", () => {
  const buffer = new ReceiveBuffer();
  receive(buffer, "ab");
  assertEquals(buffer.lineEnd(), -1);
  receive(buffer, "c\r\nde\n");
  assertEquals(buffer.lineEnd(), 4);
  buffer.start = 5;
  assertEquals(buffer.lineEnd(), 7);
  buffer.start = 8;
  assertEquals(buffer.lineEnd(), -1);
});

Deno.test("framing: a line end is found after the bytes have moved to make room", () => {
  const buffer = new ReceiveBuffer();
  receive(buffer, "x".repeat(15_000));
  buffer.start = 14_990;
  assertEquals(buffer.lineEnd(), -1);
  receive(buffer, "yz\n");
  assertEquals(buffer.bytes[buffer.lineEnd()], 0x0a);
  assertEquals(heldBy(buffer), `${"x".repeat(10)}yz\n`);
});

Deno.test("framing: a line end is found far behind the start, wherever the bytes were cut", () => {
  for (const cut of [1, 63, 64, 65, 100, 199, 200]) {
    const line = "x".repeat(200) + "\n";
    const buffer = new ReceiveBuffer();
    receive(buffer, line.slice(0, cut));
    assertEquals(buffer.lineEnd(), -1);
    receive(buffer, line.slice(cut));
    assertEquals(buffer.lineEnd(), 200);
  }
});

Deno.test("framing: bytes are passed over as they come", () => {
  const buffer = new ReceiveBuffer();
  receive(buffer, "abcdef");
  assertEquals([buffer.pass(4), heldBy(buffer)], [0, "ef"]);
  assertEquals([buffer.pass(10), heldBy(buffer)], [8, ""]);
});

Deno.test("framing: memory doubles with what is held, and is given back when nothing is", () => {
  const buffer = new ReceiveBuffer();
  receive(buffer, "x".repeat(60_000));
  assertEquals(buffer.bytes.length, 2 ** 16);
  assertEquals(heldBy(buffer), "x".repeat(60_000));
  buffer.drop();
  assertEquals(buffer.room().length, 2 ** 14);
});

/** A buffer that has received so many bytes of a request that takes more. */
function unfinished(received: number, needed: number): ReceiveBuffer {
  const buffer = new ReceiveBuffer();
  receive(buffer, "x".repeat(Math.min(received, 50)));
  buffer.needed = needed;
  receive(buffer, "x".repeat(received - buffer.held));
  return buffer;
}

Deno.test("framing: a request that says its length has memory for it in few steps, by what has come", () => {
  assertEquals(unfinished(50, 1_000_000).memory, 2 ** 11);
  const sizes = new Set<number>();
  for (let received = 1; received <= 1_000_000; received += 9_999) {
    const { bytes, held, memory } = unfinished(received, 1_000_000);
    assert(bytes.length <= Math.max(8 * held, 2 ** 14) + 2 ** 12, `${bytes.length} for ${held}`);
    assert(memory <= bytes.length + 2 ** 14);
    sizes.add(bytes.length);
  }
  assert(sizes.size <= 5, [...sizes].join());
});

Deno.test("framing: of memory that was given back a request has as much as it takes, up to 64 times what has come", () => {
  const needed = 700_000;
  for (const [received, isWhole] of [[10_000, false], [10_900, false], [11_000, true]] as const) {
    const spare = new Uint8Array(704_512);
    giveMemory(spare);
    const buffer = unfinished(received, needed);
    buffer.room();
    assertEquals(buffer.bytes === spare, isWhole, `${received} bytes`);
    assertEquals(heldBy(buffer), "x".repeat(received));
    if (!isWhole) takeMemory(704_000);
  }
});

Deno.test("framing: a large request is read with a few bytes of the next at most, and its memory serves the next of any client", () => {
  const buffer = unfinished(90_000, 100_000);
  const { bytes } = buffer;
  assertEquals(buffer.room().length, 10_008);
  receive(buffer, "y".repeat(10_003));
  assertEquals(heldBy(buffer), "x".repeat(90_000) + "y".repeat(10_003));
  buffer.start = buffer.end - 3;
  buffer.needed = 0;
  buffer.room();
  assertEquals(heldBy(buffer), "yyy");
  buffer.start = buffer.end;
  assertEquals(buffer.room().length, 2 ** 14);
  assert(unfinished(100_000, 100_000).bytes === bytes);
});

Deno.test("framing: all its memory is freed at the end", () => {
  const buffer = unfinished(90_000, 100_000);
  const { bytes } = buffer;
  buffer.release();
  assertEquals([bytes.length, buffer.held, buffer.memory], [0, 0, 0]);
});

Deno.test("framing: a buffer whose client says little has little memory, before and after a burst", () => {
  const buffer = new ReceiveBuffer();
  assertEquals([buffer.bytes.length, buffer.room().length], [0, 2 ** 11]);
  receive(buffer, "x".repeat(10_000));
  buffer.drop();
  assertEquals(buffer.room().length, 2 ** 14);
  for (let i = 0; i < 4; i++) {
    receive(buffer, "x");
    buffer.drop();
  }
  assertEquals(buffer.room().length, 2 ** 11);
});

Deno.test("framing: what was understood makes room, without more memory", () => {
  const buffer = new ReceiveBuffer();
  receive(buffer, "x".repeat(10));
  const first = buffer.bytes.length;
  for (let i = 0; i < 100; i++) {
    receive(buffer, "x".repeat(1000));
    buffer.start += 1000;
  }
  assertEquals(buffer.held, 10);
  assertEquals(buffer.bytes.length, first);
});

/** A buffer that has received a request of 100,000 bytes, which was understood, and some of the next. */
function understood(behind: string): { buffer: ReceiveBuffer; value: Uint8Array } {
  const buffer = unfinished(90_000, 100_000);
  const { bytes, start } = buffer;
  receive(buffer, "y".repeat(10_000) + behind);
  buffer.start = start + 100_000;
  buffer.needed = 0;
  return { buffer, value: bytes.subarray(start + 100, start + 99_998) };
}

Deno.test("framing: memory of a large request is given away, with room at its beginning, and what is behind the request is not", () => {
  const { buffer, value } = understood("abc");
  assertEquals([value.byteOffset, buffer.offers(value)], [344 + 100, true]);
  const before = buffer.memory;
  const given = buffer.give();
  assert(given.buffer === value.buffer && given.length >= 344 + 100_000 + 8);
  assertEquals([heldBy(buffer), before - buffer.memory], ["abc", given.length]);
  assertEquals(buffer.offers(value), false);
  receive(buffer, "d\n");
  assertEquals([heldBy(buffer), buffer.lineEnd() - buffer.start], ["abcd\n", 4]);
  assert(value.subarray(0, 89_900).every((byte) => byte === 0x78));
});

Deno.test("framing: no memory is given for what is small or lies elsewhere, nor while requests wait", () => {
  const { buffer, value } = understood("");
  assertEquals(buffer.offers(value.subarray(0, 65_535)), false);
  assertEquals(buffer.offers(value.slice()), false);
  buffer.pin();
  assertEquals(buffer.offers(value), false);
  // What waits is over when it reads on.
  buffer.start -= 100_000;
  buffer.needed = 100_008;
  buffer.room();
  buffer.start += 100_000;
  assertEquals(buffer.offers(value), true);
  const grown = new ReceiveBuffer();
  receive(grown, "x".repeat(200_000));
  grown.start = grown.end;
  assertEquals(grown.offers(grown.bytes.subarray(1000, 100_000)), false);
});

Deno.test("framing: no memory is given while it holds more of the next requests than fits elsewhere", () => {
  const { buffer } = understood("z");
  // It was not given, and what follows is read behind.
  receive(buffer, "z".repeat(99_000));
  buffer.start += 90_000;
  const value = buffer.bytes.subarray(buffer.start - 80_000, buffer.start);
  assert(buffer.held > 2 ** 11);
  assertEquals(buffer.offers(value), false);
  buffer.start = buffer.end - 2 ** 11;
  assertEquals(buffer.offers(value), true);
  const held = heldBy(buffer);
  buffer.give();
  assertEquals(heldBy(buffer), held);
});
