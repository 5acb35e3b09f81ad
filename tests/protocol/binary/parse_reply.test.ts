import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { Opcode, Status } from "../../../lib/protocol/binary/frame.ts";
import { BinaryReader } from "../../../lib/protocol/binary/parse_reply.ts";
import {
  type Expect,
  type Reply,
  type ReplyReader,
  Value,
} from "../../../lib/protocol/client_dialect.ts";
import { checkEverySplit, checkJunk, cut, OPAQUE, readAll, readOne } from "../read_replies.ts";

const newReader = (): ReplyReader => new BinaryReader();
const nothing = new Uint8Array();

interface Parts {
  status?: number;
  extras?: Uint8Array;
  key?: Uint8Array;
  value?: Uint8Array;
  cas?: bigint;
  opaque?: number;
  magic?: number;
  bodyLength?: number;
}

/** A reply as a server sends it. */
function frame(opcode: number, parts: Parts = {}): Uint8Array {
  const { extras = nothing, key = nothing, value = nothing } = parts;
  const length = extras.length + key.length + value.length;
  const bytes = new Uint8Array(24 + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = parts.magic ?? 0x81;
  bytes[1] = opcode;
  view.setUint16(2, key.length);
  bytes[4] = extras.length;
  view.setUint16(6, parts.status ?? 0);
  view.setUint32(8, parts.bodyLength ?? length);
  view.setUint32(12, parts.opaque ?? OPAQUE);
  view.setBigUint64(16, parts.cas ?? 0n);
  bytes.set(extras, 24);
  bytes.set(key, 24 + extras.length);
  bytes.set(value, 24 + extras.length + key.length);
  return bytes;
}

function join(...frames: Uint8Array[]): Uint8Array {
  return new Uint8Array(frames.flatMap((frame) => [...frame]));
}

function flags(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

const hit = (opcode: number, key: string, value: string, cas: bigint, kept = 0) =>
  frame(opcode, { extras: flags(kept), key: bytesOf(key), value: bytesOf(value), cas });
const failure = (opcode: number, status: number, text = "") =>
  frame(opcode, { status, value: bytesOf(text) });
const figure = (name: string, value: string) =>
  frame(Opcode.stat, { key: bytesOf(name), value: bytesOf(value) });

const largest = 18446744073709551615n;

const transcript: readonly [bytes: Uint8Array, expect: Expect, reply: Reply][] = [
  [frame(Opcode.set, { cas: 5n }), "stored", { kind: "status", status: "done" }],
  [
    failure(Opcode.set, Status.exists, "Data exists for key."),
    "stored",
    { kind: "status", status: "exists" },
  ],
  [
    failure(Opcode.set, Status.notFound, "Not found"),
    "stored",
    { kind: "status", status: "not found" },
  ],
  [
    failure(Opcode.add, Status.exists, "Data exists for key."),
    "stored",
    { kind: "status", status: "not stored" },
  ],
  [
    failure(Opcode.replace, Status.notFound, "Not found"),
    "stored",
    { kind: "status", status: "not stored" },
  ],
  [
    failure(Opcode.append, Status.notStored, "Not stored."),
    "stored",
    { kind: "status", status: "not stored" },
  ],
  [
    failure(Opcode.set, Status.tooLarge, "Too large."),
    "stored",
    { kind: "error", line: "SERVER_ERROR object too large for cache" },
  ],
  [
    failure(Opcode.set, Status.outOfMemory, "Out of memory"),
    "stored",
    { kind: "error", line: "SERVER_ERROR out of memory storing object" },
  ],
  [
    failure(Opcode.set, Status.internalError, "the disk is full"),
    "stored",
    { kind: "error", line: "SERVER_ERROR the disk is full" },
  ],
  [failure(Opcode.set, 0x99), "stored", { kind: "error", line: "SERVER_ERROR status 153" }],
  [frame(Opcode.delete), "deleted", { kind: "status", status: "done" }],
  [
    failure(Opcode.delete, Status.notFound, "Not found"),
    "deleted",
    { kind: "status", status: "not found" },
  ],
  [frame(Opcode.touch, { extras: flags(7) }), "touched", { kind: "status", status: "done" }],
  [
    failure(Opcode.touch, Status.notFound, "Not found"),
    "touched",
    { kind: "status", status: "not found" },
  ],
  [frame(Opcode.incr, { value: uint64(largest) }), "number", { kind: "number", number: largest }],
  [frame(Opcode.decr, { value: uint64(0n) }), "number", { kind: "number", number: 0n }],
  [
    failure(Opcode.incr, Status.notFound, "Not found"),
    "number",
    { kind: "number", number: undefined },
  ],
  [
    failure(Opcode.incr, Status.notNumeric, "Non-numeric server-side value for incr or decr"),
    "number",
    { kind: "error", line: "CLIENT_ERROR cannot increment or decrement non-numeric value" },
  ],
  [
    hit(Opcode.getK, "k", "hello", largest, 0xffffffff),
    "value",
    { kind: "values", values: [new Value("k", 0xffffffff, bytesOf("hello"), largest)] },
  ],
  [
    frame(Opcode.getK, { status: Status.notFound, key: bytesOf("k") }),
    "value",
    { kind: "values", values: [] },
  ],
  [
    failure(Opcode.gatK, Status.notFound, "Not found"),
    "value",
    { kind: "values", values: [] },
  ],
  [frame(Opcode.noop), "values", { kind: "values", values: [] }],
  [
    join(
      hit(Opcode.getKQ, "a", "", 1n),
      hit(Opcode.getKQ, " \0", "\x81\n", 2n ** 53n + 1n, 5),
      frame(Opcode.noop),
    ),
    "values",
    {
      kind: "values",
      values: [
        new Value("a", 0, bytesOf(""), 1n),
        new Value(" \0", 5, bytesOf("\x81\n"), 2n ** 53n + 1n),
      ],
    },
  ],
  [
    join(
      hit(Opcode.getKQ, "a", "v", 1n),
      failure(Opcode.getKQ, Status.notFound, "Not found"),
      failure(Opcode.getKQ, Status.outOfMemory, "Out of memory"),
      frame(Opcode.noop),
    ),
    "values",
    { kind: "error", line: "SERVER_ERROR out of memory storing object" },
  ],
  [frame(Opcode.noop), "values", { kind: "values", values: [] }],
  [frame(Opcode.flush), "done", { kind: "status", status: "done" }],
  [
    frame(Opcode.version, { value: bytesOf("1.6.45") }),
    "version",
    { kind: "text", text: "1.6.45" },
  ],
  [
    join(figure("pid", "1"), figure("empty", ""), frame(Opcode.stat)),
    "stats",
    { kind: "stats", entries: [["pid", "1"], ["empty", ""]] },
  ],
  [frame(Opcode.stat), "stats", { kind: "stats", entries: [] }],
  [failure(Opcode.stat, Status.notFound, "Not found"), "stats", { kind: "error", line: "ERROR" }],
  [
    frame(Opcode.saslMechanisms, { value: bytesOf("PLAIN") }),
    "mechanisms",
    { kind: "text", text: "PLAIN" },
  ],
  [
    failure(Opcode.saslMechanisms, Status.unknownCommand, "Unknown command"),
    "mechanisms",
    { kind: "error", line: "ERROR" },
  ],
  [
    frame(Opcode.saslAuth, { value: bytesOf("Authenticated") }),
    "authenticated",
    { kind: "status", status: "done" },
  ],
  [
    failure(Opcode.saslAuth, Status.authFailure, "Auth failure."),
    "authenticated",
    { kind: "error", line: "CLIENT_ERROR authentication failure" },
  ],
];

Deno.test("a binary reply is read for what it is, however its bytes are split", () => {
  checkEverySplit(newReader, transcript);
});

Deno.test("keys and values of any bytes come through any split of a binary reply", () => {
  const item = fc.record({
    key: fc.uint8Array({ minLength: 1, maxLength: 250 }),
    flags: fc.integer({ min: 0, max: 0xffffffff }),
    value: fc.uint8Array({ maxLength: 300 }),
    cas: fc.bigInt({ min: 0n, max: largest }),
  });
  fc.assert(fc.property(
    fc.array(item, { maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }),
    (items, sizes) => {
      const bytes = join(
        ...items.map((item) => frame(Opcode.getKQ, { ...item, extras: flags(item.flags) })),
        frame(Opcode.noop),
      );
      assertEquals(readAll(newReader, cut(bytes, sizes), ["values"]), [{
        kind: "values",
        values: items.map(({ key, flags, value, cas }) =>
          new Value(binaryString(key), flags, new Uint8Array(value), cas)
        ),
      }]);
    },
  ));
});

Deno.test("no bytes make the reader of frames throw or stand still", () => {
  const opcodes = Object.values(Opcode);
  checkJunk(
    newReader,
    [
      ...opcodes.map((opcode) => frame(opcode, { key: bytesOf("k") })),
      ...opcodes.map((opcode) => hit(opcode, "key", "value", 3n)),
      ...opcodes.map((opcode) => failure(opcode, Status.notFound, "Not found")),
      frame(Opcode.getK, { extras: flags(0), bodyLength: 2 ** 30 }),
      new Uint8Array([0x81]),
    ],
    [
      ...["value", "values", "stored", "deleted", "touched", "number", "done", "version"],
      ...["stats", "end", "mechanisms", "authenticated", "line", "dump", "mg"],
    ] as Expect[],
  );
});

Deno.test("what is no binary reply to the request is called unreadable", () => {
  const cases: [name: string, bytes: Uint8Array, expect: Expect, reason: string][] = [
    ["a request", frame(Opcode.set, { magic: 0x80 }), "stored", " where a frame begins"],
    ["text", bytesOf("ERROR Too many open connections\r\n"), "stored", "where a frame begins"],
    ["text, however short", bytesOf("E"), "stored", '"E" where a frame begins'],
    [
      "another's opaque",
      frame(Opcode.set, { opaque: 8 }),
      "stored",
      "opaque 8 where 7 is expected",
    ],
    ["another opcode", frame(Opcode.delete), "stored", "opcode 4 in the reply to another"],
    [
      "a body shorter than what is in it",
      frame(Opcode.set, { key: bytesOf("key"), bodyLength: 2 }),
      "stored",
      "a body of 2 bytes with 0 of extras and 3 of key",
    ],
    [
      "a value without flags",
      frame(Opcode.getK, { key: bytesOf("k") }),
      "value",
      "a body of 1 bytes with 0 of extras and 1 of key",
    ],
    [
      "a value beyond 1 GiB",
      frame(Opcode.getK, { extras: flags(0), bodyLength: 2 ** 31 }),
      "value",
      "a body of 2147483648 bytes with 4 of extras and 0 of key",
    ],
    [
      "an error beyond 1 MiB",
      frame(Opcode.set, { status: Status.internalError, bodyLength: 2 ** 20 + 1 }),
      "stored",
      "a body of 1048577 bytes with 0 of extras and 0 of key",
    ],
    ["a short number", frame(Opcode.incr, { value: flags(1) }), "number", "a number of 4 bytes"],
    ["a frame for a line", frame(Opcode.noop), "line", 'a frame where "line" is expected'],
  ];
  for (const [name, bytes, expect, reason] of cases) {
    const reply = readOne(newReader, bytes, expect);
    assert(reply?.kind === "unreadable" && reply.reason.endsWith(reason), name);
  }
});

Deno.test("figures without end are given up at 64 MiB", () => {
  const reader = newReader();
  const frames = join(...Array.from({ length: 50 }, () => figure("name", "x".repeat(10_000))));
  let reply: Reply | undefined;
  for (let sent = 0; reply === undefined && sent < 200; sent++) {
    reader.push(frames);
    reply = reader.next("stats", OPAQUE);
  }
  assertEquals(reply, { kind: "unreadable", reason: "a reply of more than 67108864 bytes" });
});

Deno.test("an announced length alone takes no memory of a binary reply", () => {
  const before = Deno.memoryUsage().rss;
  const readers = Array.from({ length: 100 }, () => {
    const reader = newReader();
    reader.push(frame(Opcode.getK, { extras: flags(0), bodyLength: 2 ** 30 }));
    assertEquals(reader.next("value", OPAQUE), undefined);
    return reader;
  });
  assert(Deno.memoryUsage().rss - before < 500 * 2 ** 20);
  assertEquals(readers.length, 100);
});
