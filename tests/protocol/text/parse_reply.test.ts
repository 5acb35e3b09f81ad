import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { binaryString, bytesOf, bytesOfBinaryString } from "../../../lib/bytes.ts";
import {
  type Expect,
  type Response,
  ResponseParser,
  Value,
} from "../../../lib/protocol/text/parse_reply.ts";

/** Reads replies out of pieces, and fails when bytes are left over. */
function read(pieces: Uint8Array[], expected: readonly Expect[]): Response[] {
  const parser = new ResponseParser();
  const replies: Response[] = [];
  for (const piece of pieces) {
    // As a connection does: the memory is used again for the next piece.
    const memory = piece.slice();
    parser.push(memory);
    while (replies.length < expected.length) {
      const reply = parser.next(expected[replies.length]!);
      if (reply === undefined) break;
      replies.push(reply);
    }
    assertEquals(parser.pending, false);
    memory.fill(0x58);
  }
  return replies;
}

function readOne(text: string, expect: Expect): Response | undefined {
  return read([bytesOf(text)], [expect])[0];
}

const value = (key: string, flags: number, text: string, cas = 0n) =>
  new Value(key, flags, bytesOf(text), cas);

const transcript: readonly [text: string, expect: Expect, reply: Response][] = [
  ["STORED\r\n", "line", { kind: "line", line: "STORED" }],
  ["NOT_STORED\r\n", "line", { kind: "line", line: "NOT_STORED" }],
  ["18446744073709551615\r\n", "line", { kind: "line", line: "18446744073709551615" }],
  ["VERSION 1.6.18\r\n", "line", { kind: "line", line: "VERSION 1.6.18" }],
  ["END\r\n", "values", { kind: "values", values: [] }],
  [
    "VALUE k 4294967295 5\r\nhello\r\nEND\r\n",
    "values",
    { kind: "values", values: [value("k", 4294967295, "hello")] },
  ],
  [
    "VALUE a 0 0 18446744073709551615\r\n\r\nVALUE a 1 7 2\r\nEND\r\nVA\r\nEND\r\n",
    "values",
    {
      kind: "values",
      values: [value("a", 0, "", 18446744073709551615n), value("a", 1, "END\r\nVA", 2n)],
    },
  ],
  ["ERROR\r\n", "line", { kind: "error", line: "ERROR" }],
  [
    "SERVER_ERROR out of memory\r\n",
    "values",
    { kind: "error", line: "SERVER_ERROR out of memory" },
  ],
  ["CLIENT_ERROR bad\r\n", "list", { kind: "error", line: "CLIENT_ERROR bad" }],
  [
    "STAT pid 1\r\nSTAT version 1.6.18\r\nEND\r\n",
    "list",
    { kind: "lines", lines: ["STAT pid 1", "STAT version 1.6.18"], last: true },
  ],
  ["RESET\r\n", "list", { kind: "line", line: "RESET" }],
  ["END\r\n", "list", { kind: "lines", lines: [], last: true }],
  ["HD f1 t-1\r\n", "meta", { kind: "meta", line: "HD f1 t-1" }],
  ["EN\r\n", "meta", { kind: "meta", line: "EN" }],
  ["VA 3 f1\r\na\r\n\r\n", "meta", { kind: "meta", line: "VA 3 f1", value: bytesOf("a\r\n") }],
  ["VA 0\r\n\r\n", "meta", { kind: "meta", line: "VA 0", value: bytesOf("") }],
];

Deno.test("each reply is read for what it is", () => {
  for (const [text, expect, reply] of transcript) assertEquals(readOne(text, expect), reply);
});

Deno.test("replies are the same wherever their bytes are split in two", () => {
  const bytes = bytesOf(transcript.map(([text]) => text).join(""));
  const expected = transcript.map(([, expect]) => expect);
  const replies = transcript.map(([, , reply]) => reply);
  for (let i = 0; i <= bytes.length; i++) {
    assertEquals(read([bytes.subarray(0, i), bytes.subarray(i)], expected), replies);
  }
  const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  assertEquals(read(single, expected), replies);
});

Deno.test("values of any bytes come through any split", () => {
  const item = fc.record({
    key: fc.uint8Array({ minLength: 1, maxLength: 20 })
      .map((bytes) => binaryString(bytes.map((byte) => byte <= 32 ? 33 : byte))),
    flags: fc.integer({ min: 0, max: 0xffffffff }),
    value: fc.uint8Array({ maxLength: 300 }),
    cas: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  });
  fc.assert(fc.property(
    fc.array(item, { maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }),
    (items, sizes) => {
      const text = items.map(({ key, flags, value, cas }) =>
        `VALUE ${key} ${flags} ${value.length} ${cas}\r\n${binaryString(value)}\r\n`
      ).join("") + "END\r\n";
      const bytes = bytesOfBinaryString(text);
      const pieces: Uint8Array[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length]!;
        pieces.push(bytes.subarray(at, at + size));
        at += size;
      }
      const [reply] = read(pieces, ["values"]);
      assert(reply?.kind === "values");
      assertEquals(
        reply.values.map(({ key, flags, value, cas }) => ({ key, flags, value, cas })),
        items.map((item) => ({ ...item, value: new Uint8Array(item.value) })),
      );
    },
  ));
});

Deno.test("no bytes make the parser throw, and what it keeps is bounded", () => {
  const word = fc.constantFrom(
    "VALUE k 0 5",
    "VALUE ",
    "VA 3",
    "STAT a b",
    "END",
    "\r\n",
    "\n",
    " ",
    "9",
  );
  const junk = fc.oneof(word.map(bytesOf), fc.uint8Array({ maxLength: 40 }));
  const expect = fc.constantFrom<Expect>("line", "values", "list", "meta", "dump");
  fc.assert(fc.property(fc.array(junk), expect, (pieces, expect) => {
    const parser = new ResponseParser();
    for (const piece of pieces) {
      parser.push(piece);
      for (let reply = parser.next(expect); reply; reply = parser.next(expect)) {
        if (reply.kind === "unreadable") return;
      }
    }
  }));
});

Deno.test("a dump is given in parts, with or without OK, with LF or CRLF", () => {
  const parser = new ResponseParser();
  parser.push(bytesOf("OK\r\nkey=a exp=-1 \nkey=b exp=1"));
  assertEquals(parser.next("dump"), { kind: "lines", lines: ["key=a exp=-1 "], last: false });
  assertEquals(parser.next("dump"), undefined);
  parser.push(bytesOf("23\r\nkey=c exp=-1\nEND\r\n"));
  assertEquals(parser.next("dump"), {
    kind: "lines",
    lines: ["key=b exp=123", "key=c exp=-1"],
    last: true,
  });
  assertEquals(readOne("mg a\r\nEN\r\n", "dump"), { kind: "lines", lines: ["mg a"], last: true });
  assertEquals(readOne("BUSY currently processing crawler request\r\n", "dump"), {
    kind: "error",
    line: "BUSY currently processing crawler request",
  });
});

Deno.test("what is no reply to the request is called unreadable", () => {
  const cases: [text: string, expect: Expect, reason: string][] = [
    ["STORED\r\n", "values", 'the line "STORED"'],
    ["VALUE k 0 -1\r\n", "values", 'the line "VALUE k 0 -1"'],
    ["VALUE k x 1\r\n", "values", 'the line "VALUE k x 1"'],
    ["VALUE k 4294967296 1\r\n", "values", 'the line "VALUE k 4294967296 1"'],
    ["VALUE k 0\r\n", "values", 'the line "VALUE k 0"'],
    ["VALUE k 0 1 x\r\n", "values", 'the line "VALUE k 0 1 x"'],
    ["VALUE k 0 1073741825\r\n", "values", 'the line "VALUE k 0 1073741825"'],
    ["VALUE k 0 1\r\nab\r", "values", "a value longer than announced"],
    ["VA 9999999999 k\r\n", "meta", 'the line "VA 9999999999 k"'],
    ["STAT a b\r\nSTORED\r\n", "list", 'the line "STORED"'],
    ["x".repeat(20_000), "line", "a line of more than 16384 bytes"],
  ];
  for (const [text, expect, reason] of cases) {
    const parser = new ResponseParser();
    parser.push(bytesOf(text));
    assertEquals(parser.next(expect), { kind: "unreadable", reason });
  }
});
