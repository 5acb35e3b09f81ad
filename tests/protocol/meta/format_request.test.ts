import { assertEquals, assertThrows } from "@std/assert";
import { binaryString, ByteBuffer, bytesOf } from "../../../lib/bytes.ts";
import { KeyError } from "../../../lib/protocol/key.ts";
import {
  metaRequests as meta,
  writeMeta,
  writeMetaDebug,
  writeMetaSet,
} from "../../../lib/protocol/meta/format_request.ts";

const any = bytesOf("a b\r\n\0");

const requests: [write: (out: ByteBuffer) => unknown, bytes: string][] = [
  [(out) => meta.get(out, 1, "get", "k", 0), "mg k k f v\r\n"],
  [(out) => meta.get(out, 1, "gets", "é", 0), "mg \xc3\xa9 k f c v\r\n"],
  [(out) => meta.get(out, 1, "get", any, 0), "mg YSBiDQoA b O0 f v q\r\nmn\r\n"],
  [(out) => meta.get(out, 1, "gat", "k", -1), "mg k k f v T-1\r\n"],
  [
    (out) => meta.getMany(out, 1, "gets", ["k", any], 0),
    "mg k k f c v q\r\nmg YSBiDQoA b O1 f c v q\r\nmn\r\n",
  ],
  [(out) => meta.getMany(out, 1, "gat", ["k"], 60), "mg k k f v T60 q\r\nmn\r\n"],
  [(out) => meta.store(out, 1, "set", "k", bytesOf("v"), 0, 0, 0n), "ms k 1\r\nv\r\n"],
  [
    (out) => meta.store(out, 1, "add", any, bytesOf("\r\n"), 5, 60, 0n),
    "ms YSBiDQoA 2 b F5 T60 ME\r\n\r\n\r\n",
  ],
  [(out) => meta.store(out, 1, "replace", "k", bytesOf(""), 0, -1, 0n), "ms k 0 T-1 MR\r\n\r\n"],
  [(out) => meta.store(out, 1, "append", "k", bytesOf("v"), 0, 0, 0n), "ms k 1 MA\r\nv\r\n"],
  [(out) => meta.store(out, 1, "prepend", "k", bytesOf("v"), 0, 0, 0n), "ms k 1 MP\r\nv\r\n"],
  [(out) => meta.store(out, 1, "cas", "k", bytesOf("v"), 0, 0, 0n), "ms k 1 C0\r\nv\r\n"],
  [(out) => meta.delete(out, 1, any), "md YSBiDQoA b\r\n"],
  [(out) => meta.touch(out, 1, "k", 2592001), "mg k T2592001\r\n"],
  [
    (out) => meta.arithmetic(out, 1, "incr", "k", 2n ** 64n - 1n),
    "ma k v D18446744073709551615\r\n",
  ],
  [(out) => meta.arithmetic(out, 1, "decr", any, 1n), "ma YSBiDQoA b v D1 MD\r\n"],
  [(out) => meta.noop(out, 1), "mn\r\n"],
  [(out) => meta.flushAll(out, 1, 10), "flush_all 10\r\n"],
  [(out) => writeMeta(out, "mg", "k", ["v", "N30"]), "mg k v N30\r\n"],
  [(out) => writeMetaSet(out, any, bytesOf("v"), ["I", "T30"]), "ms YSBiDQoA 1 b I T30\r\nv\r\n"],
  [(out) => writeMetaDebug(out, any), "me YSBiDQoA b\r\n"],
];
for (const [write, bytes] of requests) {
  Deno.test(`a meta request is written as ${JSON.stringify(bytes)}`, () => {
    const out = new ByteBuffer(4);
    write(out);
    assertEquals(binaryString(out.view()), bytes);
  });
}

Deno.test("meta commands refuse a key of no bytes, or of more than 250", () => {
  for (const key of ["", "é".repeat(126), new Uint8Array(251)]) {
    assertThrows(() => meta.get(new ByteBuffer(), 1, "get", key, 0), KeyError, "a key has at");
  }
  const out = new ByteBuffer();
  meta.delete(out, 1, new Uint8Array(250));
  assertEquals(out.length, "md ".length + 336 + " b\r\n".length);
});
