import { assertEquals, assertThrows } from "@std/assert";
import { binaryString, ByteBuffer, bytesOf } from "../../../lib/bytes.ts";
import { KeyError } from "../../../lib/protocol/key.ts";
import {
  expectationOf,
  textRequests as text,
  writeLine,
  writeLogin,
} from "../../../lib/protocol/text/format_request.ts";

function written(write: (out: ByteBuffer) => unknown): string {
  const out = new ByteBuffer(4);
  write(out);
  return binaryString(out.view());
}

const requests: [write: (out: ByteBuffer) => unknown, bytes: string][] = [
  [(out) => text.get(out, 1, "get", "k", 0), "get k\r\n"],
  [(out) => text.get(out, 1, "get", "é", 0), "get \xc3\xa9\r\n"],
  [(out) => text.get(out, 1, "gat", "a", -1), "gat -1 a\r\n"],
  [(out) => text.getMany(out, 1, "gets", ["a", bytesOf("b")], 0), "gets a b\r\n"],
  [(out) => text.getMany(out, 1, "gats", ["a", "b"], 60), "gats 60 a b\r\n"],
  [
    (out) => text.store(out, 1, "set", "k", bytesOf("v\r\n"), 5, 60, 0n),
    "set k 5 60 3\r\nv\r\n\r\n",
  ],
  [
    (out) => text.store(out, 1, "cas", "k", bytesOf(""), 0, 0, 2n ** 64n - 1n),
    "cas k 0 0 0 18446744073709551615\r\n\r\n",
  ],
  [(out) => text.delete(out, 1, "k"), "delete k\r\n"],
  [(out) => text.touch(out, 1, "k", 2592001), "touch k 2592001\r\n"],
  [(out) => text.arithmetic(out, 1, "decr", "k", 10n), "decr k 10\r\n"],
  [(out) => text.flushAll(out, 1, 0), "flush_all\r\n"],
  [(out) => text.flushAll(out, 1, 10), "flush_all 10\r\n"],
  [(out) => text.stats(out, 1, "items"), "stats items\r\n"],
  [(out) => text.noop(out, 1), "version\r\n"],
  [(out) => text.verbosity(out, 1, 2), "verbosity 2\r\n"],
  [(out) => text.quit(out, 1), "quit\r\n"],
  [(out) => writeLogin(out, "ann", "secret"), "set auth 0 0 10\r\nann secret\r\n"],
  [(out) => writeLine(out, "lru_crawler enable"), "lru_crawler enable\r\n"],
];
for (const [write, bytes] of requests) {
  Deno.test(`a text request is written as ${JSON.stringify(bytes)}`, () => {
    assertEquals(written(write), bytes);
  });
}

Deno.test("a key that the text protocol cannot name is refused", () => {
  const keys = ["", "a b", "a\n", "a\r", "a\0", "x".repeat(251), "é".repeat(126)];
  const value = bytesOf("v");
  for (const key of [...keys, ...keys.map(bytesOf)]) {
    const out = new ByteBuffer();
    assertThrows(() => text.getMany(out, 1, "get", ["fine", key], 0), KeyError, "a key");
    assertThrows(() => text.store(out, 1, "set", key, value, 0, 0, 0n), KeyError, "a key");
  }
});

Deno.test("the shape of a reply follows from the line that asks for it", () => {
  assertEquals(
    [" get a", "stats items", "mg a", "lru_crawler metadump all", "lru_crawler enable", "set"]
      .map(expectationOf),
    ["values", "list", "meta", "dump", "line", "line"],
  );
});
