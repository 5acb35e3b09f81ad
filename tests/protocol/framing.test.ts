import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
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
