import { assert, assertEquals } from "@std/assert";
import { LineDialect } from "../../lib/protocol/text/dialect.ts";
import { type Asked, Receiver, requestsIn } from "./receiving.ts";

const limits = { itemSize: 2 ** 20 };
const dialect = () => new LineDialect(limits);

const badFormat = { op: "malformed", failure: "badRequest: bad command line format" };

const rules: Record<string, [sent: string, requests: Asked[]]> = {
  "a get is a request for each key, all but the last marked": [
    "get a bc\r\n",
    [{ op: "get", key: "a", hasMore: true }, { op: "get", key: "bc" }],
  ],
  "a gats asks for uniques and brings an exptime, for each key": [
    "gats -5 a b\r\n",
    [
      {
        op: "getAndChange",
        key: "a",
        exptime: -5,
        touches: true,
        hasMore: true,
        wantsCas: true,
      },
      { op: "getAndChange", key: "b", exptime: -5, touches: true, wantsCas: true },
    ],
  ],
  "a set brings all its parts": [
    "set k 7 60 5 noreply\r\na\r\nb\x00\r\n",
    [{ op: "store", key: "k", value: "a\r\nb\x00", flags: 7, exptime: 60, noreply: true }],
  ],
  "an exptime of a set is cut to 32 bits": [
    "set k 0 4294967295 0\r\n\r\nset k 0 4294967296 0\r\n\r\nset k 0 -4294967297 0\r\n\r\n",
    [
      { op: "store", key: "k", value: "", exptime: -1 },
      { op: "store", key: "k", value: "" },
      { op: "store", key: "k", value: "", exptime: -1 },
    ],
  ],
  "flags are cut to 32 bits": [
    "set k 4294967297 0 0\r\n\r\nset k 18446744073709551615 0 0\r\n\r\n",
    [
      { op: "store", key: "k", value: "", flags: 1 },
      { op: "store", key: "k", value: "", flags: 4294967295 },
    ],
  ],
  "an exptime of a touch is not cut": [
    "touch k 4294967295\r\n",
    [{ op: "malformed", key: "k", failure: "badRequest: invalid exptime argument" }],
  ],
  "a cas brings a unique of 64 bits": [
    "cas k 0 0 0 18446744073709551615\r\n\r\n",
    [{ op: "store", key: "k", value: "", compares: true, cas: 18446744073709551615n }],
  ],
  "an incr brings a delta of 64 bits": [
    "incr k 18446744073709551615\r\n",
    [{ op: "arithmetic", key: "k", delta: 18446744073709551615n }],
  ],
  "a flush_all may have a delay": [
    "flush_all\r\nflush_all 5 noreply\r\nflush_all noreply\r\n",
    [{ op: "flush" }, { op: "flush", exptime: 5, noreply: true }, { op: "flush", noreply: true }],
  ],
  "a stats brings the words behind it": [
    "stats cachedump 1 0\r\n",
    [{ op: "stats", words: ["cachedump", "1", "0"] }],
  ],
  "nothing is a request before its end": ["set k 0 0 3\r\nab", []],
  "a value too large is passed over, and its key kept": [
    `cas k 0 0 1048576 1 noreply\r\n${"x".repeat(1048576)}\r\n`,
    [{ op: "tooLarge", key: "k", compares: true, cas: 1n, noreply: true }],
  ],
  "a wrong header passes over its value": [
    "set k x 0 3\r\nabc\r\nget",
    [{ ...badFormat, key: "k" }],
  ],
  "a line of less than four bytes with its end is no command": [
    "mn\n\r\na\r\n",
    [badFormat, badFormat, badFormat],
  ],
  "blanks may stand before a command for operators, and before no other": [
    " version\r\n  flush_all\r\n",
    [{ op: "malformed", failure: "unknownCommand" }, { op: "flush" }],
  ],
  "noreply silences what nobody knows": [
    "nonsense noreply\r\n",
    [{ op: "malformed", failure: "unknownCommand", noreply: true }],
  ],
  "HTTP ends the connection": [
    "POST / HTTP/1.1\r\n",
    [{ op: "hangUp", noreply: true, closes: true }],
  ],
};

for (const [rule, [sent, requests]] of Object.entries(rules)) {
  Deno.test(`text requests: ${rule}`, () => assertEquals(requestsIn(dialect, sent), requests));
}

Deno.test("text requests: those of one batch stay as they are until the next is read", () => {
  const receiver = new Receiver(dialect());
  const { input } = receiver;
  const sent = new TextEncoder().encode("set a 0 0 2\r\nxy\r\nget b\r\n");
  input.room().set(sent);
  input.added(sent.length);
  assert(receiver.dialect.next(input, receiver.request));
  const { key, value } = receiver.request;
  assert(receiver.dialect.next(input, receiver.request));
  const texts = [key, value, receiver.request.key].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(texts, ["a", "xy", "b"]);
});

Deno.test("text requests: memory grows with what has come, not with what a header says", () => {
  const receiver = new Receiver(new LineDialect({ itemSize: 2 ** 30 }));
  assertEquals(receiver.feed("set k 0 0 1000000000\r\n"), []);
  for (let i = 0; i < 10; i++) {
    assert(receiver.input.room().length <= 64 * 1024);
    assertEquals(receiver.feed("x".repeat(100)), []);
  }
});

Deno.test("text requests: memory goes back to its first size after a large request", () => {
  const receiver = new Receiver(dialect());
  const first = receiver.input.room().length;
  assertEquals(receiver.feed("set k 0 0 1000000\r\n"), []);
  for (let i = 0; i < 1000; i++) assertEquals(receiver.feed("x".repeat(1000)), []);
  assertEquals(receiver.feed("\r\n").map(({ op }) => op), ["store"]);
  assertEquals(receiver.input.room().length, first);
});

Deno.test("text requests: the line of a retrieval ends somewhere too, and the connection with it", () => {
  const receiver = new Receiver(dialect());
  let asked = receiver.feed("get ");
  let sent = 4;
  while (asked.length === 0 && sent < 64 * 2 ** 20) {
    asked = receiver.feed("a".repeat(100_000));
    sent += 100_000;
  }
  assertEquals(asked, [{ op: "hangUp", noreply: true, closes: true }]);
  assert(sent <= 17 * 2 ** 20);
});
