import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { binaryString, bytesOf, bytesOfBinaryString } from "../../../lib/bytes.ts";
import {
  type Expect,
  type Reply,
  type ReplyReader,
  Value,
} from "../../../lib/protocol/client_dialect.ts";
import { LineReader } from "../../../lib/protocol/line_reader.ts";
import { readMetaFlags } from "../../../lib/protocol/meta/reply_flags.ts";
import { checkEverySplit, cut, readAll, readOne } from "../read_replies.ts";

const newReader = (): ReplyReader => new LineReader();

const value = (key: string, flags: number, text: string, cas = 0n) =>
  new Value(key, flags, bytesOf(text), cas);

const transcript: readonly [text: string, expect: Expect, reply: Reply][] = [
  ["HD\r\n", "ms", { kind: "status", status: "done" }],
  ["NS\r\n", "ms", { kind: "status", status: "not stored" }],
  ["EX\r\n", "ms", { kind: "status", status: "exists" }],
  ["NF \r\n", "ms", { kind: "status", status: "not found" }],
  ["HD\r\n", "md", { kind: "status", status: "done" }],
  ["NF\r\n", "md", { kind: "status", status: "not found" }],
  ["HD\r\n", "mt", { kind: "status", status: "done" }],
  ["EN\r\n", "mt", { kind: "status", status: "not found" }],
  ["MN\r\n", "mn", { kind: "status", status: "done" }],
  ["VA 2\r\n10\r\n", "ma", { kind: "number", number: 10n }],
  ["VA 3\r\n99 \r\n", "ma", { kind: "number", number: 99n }],
  ["NF\r\n", "ma", { kind: "number", number: undefined }],
  ["EN\r\n", "mg", { kind: "values", values: [] }],
  [
    "VA 5 kk f4294967295 c18446744073709551615\r\nhello\r\n",
    "mg",
    { kind: "values", values: [value("k", 4294967295, "hello", 18446744073709551615n)] },
  ],
  ["VA 0 kk f0 W\r\n\r\n", "mg", { kind: "values", values: [value("k", 0, "")] }],
  ["VA 1 kYSBiDQoA f1 b\r\nv\r\n", "mg", { kind: "values", values: [value("a b\r\n\0", 1, "v")] }],
  ["MN\r\n", "mgs", { kind: "values", values: [] }],
  [
    "VA 2 ka f1 c2\r\nMN\r\nVA 0 kb f0 c3\r\n\r\nMN\r\n",
    "mgs",
    { kind: "values", values: [value("a", 1, "MN", 2n), value("b", 0, "", 3n)] },
  ],
  [
    "VA 1 ka f0\r\nv\r\nSERVER_ERROR out of memory\r\nSERVER_ERROR again\r\nMN\r\n",
    "mgs",
    { kind: "error", line: "SERVER_ERROR out of memory" },
  ],
  ["MN\r\n", "mgs", { kind: "values", values: [] }],
  [
    "VA 1 O2 f1\r\nv\r\nVA 1 kk f0\r\nw\r\nMN\r\n",
    { keys: ["k", "none", bytesOf("a b\r\n")] },
    { kind: "values", values: [value("a b\r\n", 1, "v"), value("k", 0, "w")] },
  ],
  ["CLIENT_ERROR bad\r\n", "ms", { kind: "error", line: "CLIENT_ERROR bad" }],
  ["HD f1 t-1\r\n", "meta", { kind: "meta", line: "HD f1 t-1" }],
  ["EN\r\n", "meta", { kind: "meta", line: "EN" }],
  ["ME k exp=-1 la=3\r\n", "meta", { kind: "meta", line: "ME k exp=-1 la=3" }],
  ["VA 3 f1\r\na\r\n\r\n", "meta", { kind: "meta", line: "VA 3 f1", value: bytesOf("a\r\n") }],
  ["VA 0\r\n\r\n", "meta", { kind: "meta", line: "VA 0", value: bytesOf("") }],
];

Deno.test("a meta reply is read for what it is, however its bytes are split", () => {
  checkEverySplit(newReader, transcript.map(([text, ...rest]) => [bytesOf(text), ...rest]));
});

Deno.test("keys and values of any bytes come through any split of a meta reply", () => {
  const item = fc.record({
    key: fc.uint8Array({ minLength: 1, maxLength: 250 }),
    flags: fc.integer({ min: 0, max: 0xffffffff }),
    value: fc.uint8Array({ maxLength: 300 }),
    cas: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  });
  fc.assert(fc.property(
    fc.array(item, { maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }),
    (items, sizes) => {
      const text = items.map(({ key, flags, value, cas }) =>
        `VA ${value.length} k${Buffer.from(key).toString("base64")} b f${flags} c${cas}\r\n` +
        `${binaryString(value)}\r\n`
      ).join("") + "MN\r\n";
      assertEquals(readAll(newReader, cut(bytesOfBinaryString(text), sizes), ["mgs"]), [{
        kind: "values",
        values: items.map(({ key, flags, value, cas }) =>
          new Value(binaryString(key), flags, new Uint8Array(value), cas)
        ),
      }]);
    },
  ));
});

Deno.test("what is no meta reply to the request is called unreadable", () => {
  const cases: [text: string, expect: Expect, reason: string][] = [
    ["STORED\r\n", "ms", 'the line "STORED"'],
    ["H\r\n", "ms", 'the line "H"'],
    ["HDX\r\n", "ms", 'the line "HDX"'],
    ["HD\r\n", "mg", 'the line "HD"'],
    ["VA\r\n", "mg", 'the line "VA"'],
    ["VA x\r\n", "mg", 'the line "VA x"'],
    ["VA 9999999999 k\r\n", "meta", 'the line "VA 9999999999 k"'],
    ["VA 1 f4294967296\r\n", "mg", 'the line "VA 1 f4294967296"'],
    ["VA 1 cx\r\n", "mg", 'the line "VA 1 cx"'],
    ["VA 1 k\r\nab\r", "mg", "a value longer than announced"],
    ["VA 1\r\nx\r\n", "ma", 'the number "x"'],
    ["HD\r\n", "mgs", 'the line "HD"'],
    ["VA 1 O1\r\n", { keys: ["a"] }, 'the line "VA 1 O1"'],
    ["VA 1 O0\r\n", "mgs", 'the line "VA 1 O0"'],
    ["VA 1 Ox\r\n", { keys: ["a"] }, 'the line "VA 1 Ox"'],
  ];
  for (const [text, expect, reason] of cases) {
    assertEquals(readOne(newReader, bytesOf(text), expect), { kind: "unreadable", reason });
  }
});

Deno.test("the flags of a meta reply are read, and what was not asked for is undefined", () => {
  assertEquals(readMetaFlags("HD c18446744073709551615 f7 t-1 s3 h1 l20 W Z"), {
    code: "HD",
    unique: 18446744073709551615n,
    clientFlags: 7,
    ttl: Infinity,
    size: 3,
    hit: true,
    lastAccess: 20,
    won: true,
    stale: false,
    wonByAnother: true,
  });
  assertEquals(readMetaFlags("VA 5 t30 X"), {
    code: "VA",
    unique: undefined,
    clientFlags: undefined,
    ttl: 30,
    size: undefined,
    hit: undefined,
    lastAccess: undefined,
    won: false,
    stale: true,
    wonByAnother: false,
  });
});
