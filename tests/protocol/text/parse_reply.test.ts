import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { binaryString, bytesOf, bytesOfBinaryString } from "../../../lib/bytes.ts";
import {
  type Expect,
  type Reply,
  type ReplyReader,
  Value,
} from "../../../lib/protocol/client_dialect.ts";
import { LineReader } from "../../../lib/protocol/line_reader.ts";
import { checkEverySplit, checkJunk, cut, OPAQUE, readAll, readOne } from "../read_replies.ts";

const newReader = (): ReplyReader => new LineReader();
const read = (text: string, expect: Expect) => readOne(newReader, bytesOf(text), expect);

const value = (key: string, flags: number, text: string, cas = 0n) =>
  new Value(key, flags, bytesOf(text), cas);

const transcript: readonly [text: string, expect: Expect, reply: Reply][] = [
  ["STORED\r\n", "stored", { kind: "status", status: "done" }],
  ["NOT_STORED\r\n", "stored", { kind: "status", status: "not stored" }],
  ["EXISTS\r\n", "stored", { kind: "status", status: "exists" }],
  ["NOT_FOUND\r\n", "stored", { kind: "status", status: "not found" }],
  ["DELETED\r\n", "deleted", { kind: "status", status: "done" }],
  ["NOT_FOUND\r\n", "deleted", { kind: "status", status: "not found" }],
  ["TOUCHED\r\n", "touched", { kind: "status", status: "done" }],
  ["OK\r\n", "done", { kind: "status", status: "done" }],
  ["18446744073709551615\r\n", "number", { kind: "number", number: 18446744073709551615n }],
  ["99 \r\n", "number", { kind: "number", number: 99n }],
  ["NOT_FOUND\r\n", "number", { kind: "number", number: undefined }],
  ["VERSION 1.6.18\r\n", "version", { kind: "text", text: "1.6.18" }],
  ["VERSION 1.6.18\r\n", "line", { kind: "line", line: "VERSION 1.6.18" }],
  ["END\r\n", "values", { kind: "values", values: [] }],
  [
    "VALUE k 4294967295 5\r\nhello\r\nEND\r\n",
    "value",
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
  ["ERROR\r\n", "stored", { kind: "error", line: "ERROR" }],
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
  [
    "STAT pid 1\r\nSTAT slab_reassign_last\r\nEND\r\n",
    "stats",
    { kind: "stats", entries: [["pid", "1"], ["slab_reassign_last", ""]] },
  ],
  ["RESET\r\n", "list", { kind: "line", line: "RESET" }],
  ["RESET\r\n", "stats", { kind: "stats", entries: [["RESET", ""]] }],
  ["-ERR no\r\n", "stats", { kind: "unreadable", reason: 'the line "-ERR no"' }],
  ["END\r\n", "stats", { kind: "stats", entries: [] }],
];

Deno.test("a text reply is read for what it is, however its bytes are split", () => {
  checkEverySplit(newReader, transcript.map(([text, ...rest]) => [bytesOf(text), ...rest]));
});

Deno.test("values of any bytes come through any split of a text reply", () => {
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
      const [reply] = readAll(newReader, cut(bytesOfBinaryString(text), sizes), ["values"]);
      assert(reply?.kind === "values");
      assertEquals(
        reply.values.map(({ key, flags, value, cas }) => ({ key, flags, value, cas })),
        items.map((item) => ({ ...item, value: new Uint8Array(item.value) })),
      );
    },
  ));
});

Deno.test("no bytes make the reader of lines throw or stand still", () => {
  checkJunk(
    newReader,
    [
      ...["VALUE k 0 5", "VALUE ", "VA 3", "VA 3 kYQ== b c5", "MN", "HD", "STAT a b", "END", "EN"],
      ...["\r\n", "\n", " ", "9", "ERROR", "NOT_FOUND"],
    ].map(bytesOf),
    [
      ...["value", "values", "stored", "number", "version", "stats", "line", "list", "dump"],
      ...["mg", "mgs", "ms", "md", "mt", "ma", "mn", "meta", "end", "mechanisms"],
    ] as Expect[],
  );
});

Deno.test("a dump is returned in parts, with or without OK, with LF or CRLF", () => {
  const reader = newReader();
  reader.push(bytesOf("OK\r\nkey=a exp=-1 \nkey=b exp=1"));
  assertEquals(reader.next("dump", OPAQUE), {
    kind: "lines",
    lines: ["key=a exp=-1 "],
    last: false,
  });
  assertEquals(reader.next("dump", OPAQUE), undefined);
  reader.push(bytesOf("23\r\nkey=c exp=-1\nEND\r\n"));
  assertEquals(reader.next("dump", OPAQUE), {
    kind: "lines",
    lines: ["key=b exp=123", "key=c exp=-1"],
    last: true,
  });
  assertEquals(read("mg a\r\nEN\r\n", "dump"), { kind: "lines", lines: ["mg a"], last: true });
  assertEquals(read("BUSY currently processing crawler request\r\n", "dump"), {
    kind: "error",
    line: "BUSY currently processing crawler request",
  });
});

Deno.test("what is no text reply to the request is called unreadable", () => {
  const cases: [text: string, expect: Expect, reason: string][] = [
    ["STORED\r\n", "values", 'the line "STORED"'],
    ["DELETED\r\n", "stored", 'the line "DELETED"'],
    ["HD\r\n", "stored", 'the line "HD"'],
    ["-1\r\n", "number", 'the line "-1"'],
    ["1.6.18\r\n", "version", 'the line "1.6.18"'],
    ["VALUE k 0 -1\r\n", "values", 'the line "VALUE k 0 -1"'],
    ["VALUE k x 1\r\n", "values", 'the line "VALUE k x 1"'],
    ["VALUE k 4294967296 1\r\n", "values", 'the line "VALUE k 4294967296 1"'],
    ["VALUE k 0\r\n", "values", 'the line "VALUE k 0"'],
    ["VALUE k 0 1 x\r\n", "values", 'the line "VALUE k 0 1 x"'],
    ["VALUE k 0 1073741825\r\n", "values", 'the line "VALUE k 0 1073741825"'],
    ["VALUE k 0 1\r\nab\r", "values", "a value longer than announced"],
    ["STAT a b\r\nSTORED\r\n", "list", 'the line "STORED"'],
    ["x".repeat(20_000), "stored", "a line of more than 16384 bytes"],
    ["OK\r\n", "mechanisms", "a reply in lines where one to 'mechanisms' is expected"],
  ];
  for (const [text, expect, reason] of cases) {
    assertEquals(read(text, expect), { kind: "unreadable", reason });
  }
});

Deno.test("a list without end is given up at 64 MiB", () => {
  const reader = newReader();
  const lines = bytesOf(`STAT name ${"x".repeat(10_000)}\r\n`.repeat(100));
  let reply: Reply | undefined;
  for (let sent = 0; reply === undefined && sent < 100; sent++) {
    reader.push(lines);
    reply = reader.next("stats", OPAQUE);
  }
  assertEquals(reply, { kind: "unreadable", reason: "a list of more than 67108864 bytes" });
});

Deno.test("an announced length alone takes no memory", () => {
  const before = Deno.memoryUsage().rss;
  for (let i = 0; i < 100; i++) {
    const each = newReader();
    each.push(bytesOf("VALUE k 0 1073741824\r\nx"));
    assertEquals(each.next("value", OPAQUE), undefined);
  }
  assert(Deno.memoryUsage().rss - before < 500 * 2 ** 20);
});
