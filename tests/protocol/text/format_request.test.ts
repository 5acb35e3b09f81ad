import { assertEquals, assertThrows } from "@std/assert";
import { binaryString, ByteBuffer, bytesOf } from "../../../lib/bytes.ts";
import {
  expectationOf,
  isTextKey,
  KeyError,
  writeArithmetic,
  writeDelete,
  writeGet,
  writeLine,
  writeMetaGet,
  writeMetaSet,
  writeStore,
  writeTouch,
} from "../../../lib/protocol/text/format_request.ts";

function written(write: (out: ByteBuffer) => void): string {
  const out = new ByteBuffer(4);
  write(out);
  return binaryString(out.view());
}

const requests: [write: (out: ByteBuffer) => void, bytes: string][] = [
  [(out) => writeGet(out, "get", ["k"]), "get k\r\n"],
  [(out) => writeGet(out, "gets", ["a", bytesOf("b")]), "gets a b\r\n"],
  [(out) => writeGet(out, "gat", ["a"], -1), "gat -1 a\r\n"],
  [(out) => writeGet(out, "get", ["é"]), "get \xc3\xa9\r\n"],
  [(out) => writeStore(out, "set", "k", bytesOf("v\r\n"), 5, 60), "set k 5 60 3\r\nv\r\n\r\n"],
  [
    (out) => writeStore(out, "cas", "k", bytesOf(""), 0, 0, 2n ** 64n - 1n),
    "cas k 0 0 0 18446744073709551615\r\n\r\n",
  ],
  [(out) => writeDelete(out, "k"), "delete k\r\n"],
  [(out) => writeTouch(out, "k", 2592001), "touch k 2592001\r\n"],
  [(out) => writeArithmetic(out, "decr", "k", 10n), "decr k 10\r\n"],
  [(out) => writeMetaGet(out, bytesOf("a b")), "mg YSBi b f v\r\n"],
  [
    (out) => writeMetaSet(out, bytesOf("a b"), bytesOf("v"), 1, 2, "E"),
    "ms YSBi 1 b F1 T2 ME\r\nv\r\n",
  ],
  [(out) => writeLine(out, "stats items"), "stats items\r\n"],
];
for (const [write, bytes] of requests) {
  Deno.test(`a request is written as ${JSON.stringify(bytes)}`, () => {
    assertEquals(written(write), bytes);
  });
}

Deno.test("a key that the text protocol cannot name is refused, and nothing is written", () => {
  const keys = ["", "a b", "a\n", "a\r", "a\0", "x".repeat(251), "é".repeat(126)];
  for (const key of [...keys, ...keys.map(bytesOf)]) {
    const out = new ByteBuffer();
    out.ascii("version\r\n");
    assertThrows(() => writeGet(out, "get", ["fine", key]), KeyError, "a key");
    assertThrows(() => writeStore(out, "set", key, bytesOf("v"), 0, 0), KeyError, "a key");
    assertEquals(binaryString(out.view()), "version\r\n");
  }
  assertThrows(() => writeMetaGet(new ByteBuffer(), new Uint8Array(251)), KeyError, "at most 250");
  assertEquals(isTextKey(bytesOf("x".repeat(250))), true);
  assertEquals(isTextKey(bytesOf("a b")), false);
});

Deno.test("the shape of a reply follows from the line that asks for it", () => {
  assertEquals(
    [" get a", "stats items", "mg a", "lru_crawler metadump all", "lru_crawler enable", "set"]
      .map(expectationOf),
    ["values", "list", "meta", "dump", "line", "line"],
  );
});
