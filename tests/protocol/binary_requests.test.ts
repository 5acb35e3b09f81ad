import { assert, assertEquals } from "@std/assert";
import { BinaryDialect } from "../../lib/protocol/binary/dialect.ts";
import { ask, counting, frame, Opcode, storing, u32 } from "./binary/frames.ts";
import { type Asked, Receiver, requestsIn } from "./receiving.ts";

const dialect = () => new BinaryDialect({ itemSize: 2 ** 20 });
const key = "k";
const { get, set, noop } = Opcode;

/** What every request with a key asks for. */
const wish = { wantsCas: true };
const done: Asked = { op: "noop", ...wish };

const rules: Record<string, [sent: string, requests: Asked[]]> = {
  "reads": [
    ask(get, { key, opaque: 7 }) + ask(Opcode.getQ, { key }) + ask(Opcode.getK, { key }) +
    ask(Opcode.getKQ, { key }),
    [
      { op: "get", key, opaque: 7, ...wish },
      { op: "get", key, quiet: true, ...wish },
      { op: "get", key, ...wish },
      { op: "get", key, quiet: true, ...wish },
    ],
  ],
  "reads that touch": [
    ask(Opcode.gat, { key, extras: u32(60) }) + ask(Opcode.gatQ, { key, extras: u32(60) }) +
    ask(Opcode.touch, { key, extras: u32(60) }),
    [
      { op: "getAndChange", key, touches: true, exptime: 60, ...wish },
      { op: "getAndChange", key, touches: true, exptime: 60, quiet: true, ...wish },
      { op: "getAndChange", key, touches: true, exptime: 60, wantsValue: false, ...wish },
    ],
  ],
  "stores": [
    ask(set, { key, value: "a\r\n\0", extras: storing(0xffffffff, 60), opaque: 0xffffffff }) +
    ask(Opcode.addQ, { key, value: "", extras: storing() }) +
    ask(Opcode.replace, { key, value: "a", extras: storing() }) +
    ask(Opcode.append, { key, value: "a" }) + ask(Opcode.prependQ, { key, value: "a" }),
    [
      {
        op: "store",
        key,
        value: "a\r\n\0",
        flags: 0xffffffff,
        exptime: 60,
        opaque: 0xffffffff,
        ...wish,
      },
      { op: "store", key, value: "", mode: "add", quiet: true, ...wish },
      { op: "store", key, value: "a", mode: "replace", ...wish },
      { op: "store", key, value: "a", mode: "append", ...wish },
      { op: "store", key, value: "a", mode: "prepend", quiet: true, ...wish },
    ],
  ],
  "an exptime has no sign": [
    ask(set, { key, value: "a", extras: storing(0, 0xffffffff) }),
    [{ op: "store", key, value: "a", exptime: 0xffffffff, ...wish }],
  ],
  "a unique of 64 bits is a condition, under which add and replace are a set": [
    ask(Opcode.add, { key, value: "a", extras: storing(), cas: 0xfedcba9876543210n }) +
    ask(Opcode.append, { key, value: "a", cas: 1n }),
    [
      { op: "store", key, value: "a", compares: true, cas: 0xfedcba9876543210n, ...wish },
      { op: "store", key, value: "a", mode: "append", compares: true, cas: 1n, ...wish },
    ],
  ],
  "numbers": [
    ask(Opcode.incr, { key, extras: counting(0xffffffffffffffffn, 13n, 60) }) +
    ask(Opcode.decrQ, { key, extras: counting(2n) }),
    [
      {
        op: "arithmetic",
        key,
        delta: 0xffffffffffffffffn,
        initial: 13n,
        vivifies: true,
        vivifyExptime: 60,
        ...wish,
      },
      {
        op: "arithmetic",
        key,
        decrements: true,
        delta: 2n,
        vivifyExptime: 0xffffffff,
        quiet: true,
        ...wish,
      },
    ],
  ],
  "deletions": [
    ask(Opcode.delete, { key, cas: 5n }) + ask(Opcode.deleteQ, { key }),
    [
      { op: "delete", key, compares: true, cas: 5n, ...wish },
      { op: "delete", key, quiet: true, ...wish },
    ],
  ],
  "requests on no key": [
    ask(noop) + ask(Opcode.version) + ask(Opcode.flush) + ask(Opcode.flushQ, { extras: u32(9) }) +
    ask(Opcode.stat),
    [
      done,
      { op: "version", ...wish },
      { op: "flush", ...wish },
      { op: "flush", exptime: 9, quiet: true, ...wish },
      { op: "stats", ...wish },
    ],
  ],
  "a quit ends the connection": [ask(Opcode.quit), [{ op: "quit", closes: true, ...wish }]],
  "a quiet quit": [ask(Opcode.quitQ), [{ op: "quit", closes: true, quiet: true, ...wish }]],
  "the key of a Stat is its words": [
    ask(Opcode.stat, { key: "detail on" }),
    [{ op: "stats", key: "detail on", words: ["detail", "on"], ...wish }],
  ],
  "a login is user and password": [
    ask(Opcode.saslAuth, { key: "PLAIN", value: "id\0user\0pass word" }),
    [{ op: "login", key: "PLAIN", words: ["user", "pass word"], ...wish }],
  ],
  "a login by another mechanism is nobody's": [
    ask(Opcode.saslAuth, { key: "CRAM", value: "\0u\0p" }) +
    ask(Opcode.saslStep, { key: "PLAIN", value: "\0u\0p" }),
    [{ op: "login", key: "CRAM", ...wish }, { op: "login", key: "PLAIN", ...wish }],
  ],
  "a value that is too large is passed over, and the request is there then": [
    ask(set, { key, value: "x".repeat(2 ** 20), extras: storing(7, 9), opaque: 3 }) + ask(noop),
    [{ op: "tooLarge", key, flags: 7, exptime: 9, opaque: 3, ...wish }, done],
  ],
  "an unknown opcode is passed over": [
    ask(0x7f, { key: "abc", value: "x".repeat(5000), opaque: 3 }) + ask(noop),
    [{ op: "malformed", failure: "unknownCommand", opaque: 3 }, done],
  ],
  "a wrong length ends the connection, whatever follows": [
    ask(get, { key, extras: u32(1), opaque: 4 }) + ask(noop),
    [{ op: "malformed", failure: "badFrame", closes: true, opaque: 4 }],
  ],
  "lengths that contradict each other end the connection": [
    ask(get, { key, bodyLength: 0 }) + ask(noop),
    [{ op: "malformed", failure: "unknownCommand", closes: true }],
  ],
  "another magic ends the connection without an answer": [
    ask(noop) + frame(0x81, noop, {}) + ask(noop),
    [done, { op: "hangUp", noreply: true, closes: true }],
  ],
};

for (const [rule, [sent, requests]] of Object.entries(rules)) {
  Deno.test(`binary requests: ${rule}`, () => assertEquals(requestsIn(dialect, sent), requests));
}

Deno.test("binary requests: memory grows with what has come, not with what a header says", () => {
  const receiver = new Receiver(new BinaryDialect({ itemSize: 2 ** 30 }));
  const promise = ask(set, { key, extras: storing(), bodyLength: 1_000_000_000 });
  assertEquals(receiver.feed(promise), []);
  for (let i = 0; i < 10; i++) {
    assert(receiver.input.room().length <= 64 * 1024);
    assertEquals(receiver.feed("x".repeat(100)), []);
  }
});

Deno.test("binary requests: a client that has yet to log in gets little memory, whatever it announces", () => {
  const receiver = new Receiver(new BinaryDialect({ itemSize: 2 ** 30 }, true));
  assertEquals(receiver.feed(ask(set, { key, extras: storing(), bodyLength: 9 + 2 ** 20 })), []);
  for (let i = 1; i < 32; i++) {
    assertEquals(receiver.feed("x".repeat(2 ** 15)), []);
    assert(receiver.input.room().length <= 2 ** 14);
  }
  assertEquals(receiver.feed("x".repeat(2 ** 15)).map(({ op }) => op), ["tooLarge"]);
});

Deno.test("binary requests: what is too large takes no memory while it goes by", () => {
  const receiver = new Receiver(dialect());
  const first = receiver.input.room().length;
  assertEquals(
    receiver.feed(ask(set, { key, extras: storing(), bodyLength: 9 + 100 * 2 ** 20 })),
    [],
  );
  for (let i = 0; i < 100; i++) {
    assertEquals(receiver.feed("x".repeat(2 ** 15)), []);
    assert(receiver.input.room().length <= Math.max(first, 2 ** 14));
  }
});
