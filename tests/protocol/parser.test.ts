import { assert, assertEquals } from "@std/assert";
import { binaryString, bytesOfBinaryString } from "../../lib/bytes.ts";
import { Parser } from "../../lib/protocol/parser.ts";

const limits = { itemSize: 2 ** 20 };

/** Gives bytes to a parser, however often it must be asked for room. */
function feed(parser: Parser, sent: string): void {
  let bytes = bytesOfBinaryString(sent);
  while (bytes.length > 0) {
    const room = parser.room();
    const part = bytes.subarray(0, room.length);
    room.set(part);
    parser.added(part.length);
    bytes = bytes.subarray(part.length);
    if (bytes.length > 0) assertEquals(parser.next(), undefined, "a request before its end");
  }
}

/** What the parser has, with bytes as text. */
function parsed(parser: Parser): unknown[] {
  const requests: unknown[] = [];
  for (let request; (request = parser.next()) !== undefined;) {
    requests.push(Object.fromEntries(
      Object.entries(request).map(([name, value]) => [
        name,
        value instanceof Uint8Array ? binaryString(value) : value,
      ]),
    ));
  }
  return requests;
}

function requestsIn(sent: string): unknown[] {
  const parser = new Parser(limits);
  feed(parser, sent);
  return parsed(parser);
}

const get = { op: "get", unique: false, noreply: false };
const plain = { flags: 0, exptime: 0, cas: 0n, noreply: false };
const badFormat = {
  op: "malformed",
  reply: { kind: "error", line: "CLIENT_ERROR bad command line format" },
  noreply: false,
};

const rules: Record<string, [sent: string, requests: unknown[]]> = {
  "a get is a request for each key, the last one marked": [
    "get a bc\r\n",
    [{ ...get, key: "a", last: false }, { ...get, key: "bc", last: true }],
  ],
  "a gats asks for uniques and brings an exptime": [
    "gats -5 a\r\n",
    [{ op: "gat", key: "a", unique: true, exptime: -5, last: true, noreply: false }],
  ],
  "a set brings all its parts": [
    "set k 7 60 5 noreply\r\na\r\nb\x00\r\n",
    [{ op: "set", key: "k", flags: 7, exptime: 60, cas: 0n, value: "a\r\nb\x00", noreply: true }],
  ],
  "a cas brings a unique of 64 bits": [
    "cas k 0 0 0 18446744073709551615\r\n\r\n",
    [{ ...plain, op: "cas", key: "k", cas: 18446744073709551615n, value: "" }],
  ],
  "an incr brings a delta of 64 bits": [
    "incr k 18446744073709551615\r\n",
    [{ op: "incr", key: "k", delta: 18446744073709551615n, noreply: false }],
  ],
  "a flush_all may have a delay": [
    "flush_all\r\nflush_all 5 noreply\r\nflush_all noreply\r\n",
    [
      { op: "flush_all", delay: 0, noreply: false },
      { op: "flush_all", delay: 5, noreply: true },
      { op: "flush_all", delay: 0, noreply: true },
    ],
  ],
  "a stats brings the words behind it": [
    "stats cachedump 1 0\r\n",
    [{ op: "stats", words: ["cachedump", "1", "0"], noreply: false }],
  ],
  "nothing is a request before its end": ["set k 0 0 3\r\nab", []],
  "a value too large is passed over, and its key kept": [
    `cas k 0 0 1048576 1 noreply\r\n${"x".repeat(1048576)}\r\n`,
    [{ op: "too_large", command: "cas", key: "k", noreply: true }],
  ],
  "a wrong header passes over its value": ["set k x 0 3\r\nabc\r\nget", [badFormat]],
};

for (const [rule, [sent, requests]] of Object.entries(rules)) {
  Deno.test(`parser: ${rule}`, () => {
    if (sent.length < 1000) assertEquals(requestsIn(sent), requests);
    const parser = new Parser(limits);
    const found: unknown[] = [];
    const step = Math.ceil(sent.length / 2000);
    for (let i = 0; i < sent.length; i += step) {
      feed(parser, sent.slice(i, i + step));
      found.push(...parsed(parser));
    }
    assertEquals(found, requests);
  });
}

Deno.test("parser: requests of one batch stay as they are until the next is read", () => {
  const parser = new Parser(limits);
  feed(parser, "set a 0 0 2\r\nxy\r\nget b\r\n");
  const first = parser.next();
  const second = parser.next();
  assertEquals(parser.next(), undefined);
  assert(first?.op === "set" && second?.op === "get");
  assertEquals([first.key, first.value, second.key].map(binaryString), ["a", "xy", "b"]);
});

Deno.test("parser: memory grows with what has come, not with what a header says will come", () => {
  const parser = new Parser({ itemSize: 2 ** 30 });
  feed(parser, "set k 0 0 1000000000\r\n");
  assertEquals(parser.next(), undefined);
  for (let i = 0; i < 10; i++) {
    assert(parser.room().length <= 64 * 1024);
    feed(parser, "x".repeat(100));
    assertEquals(parser.next(), undefined);
  }
});

Deno.test("parser: memory goes back to its first size after a large request", () => {
  const parser = new Parser(limits);
  const first = parser.room().length;
  feed(parser, "set k 0 0 1000000\r\n");
  assertEquals(parser.next(), undefined);
  for (let i = 0; i < 1000; i++) {
    feed(parser, "x".repeat(1000));
    assertEquals(parser.next(), undefined);
  }
  assert(parser.room().length > 0);
  feed(parser, "\r\n");
  assertEquals(parser.next()?.op, "set");
  assertEquals(parser.room().length, first);
});

Deno.test("parser: a line of a retrieval ends somewhere too, and the connection with it", () => {
  const parser = new Parser(limits);
  let request;
  let sent = 0;
  feed(parser, "get ");
  while ((request = parser.next()) === undefined && sent < 64 * 2 ** 20) {
    const room = parser.room();
    room.fill(0x61);
    parser.added(room.length);
    sent += room.length;
  }
  assertEquals(request, { op: "malformed", reply: { kind: "close" }, noreply: false });
  assert(sent <= 17 * 2 ** 20);
});
