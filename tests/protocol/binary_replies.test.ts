import { assertEquals } from "@std/assert";
import { binaryString, ByteBuffer, bytesOfBinaryString } from "../../lib/bytes.ts";
import { BinaryDialect } from "../../lib/protocol/binary/dialect.ts";
import { failures, type Outcome, storeFailed } from "../../lib/protocol/outcome.ts";
import {
  ask,
  counting,
  failure,
  Opcode,
  reply,
  Status,
  storing,
  u32,
  u64,
} from "./binary/frames.ts";
import { replyTo } from "./receiving.ts";

const newDialect = () => new BinaryDialect({ itemSize: 2 ** 20 });

const key = "k";
const extras = storing();
const value: Partial<Outcome> = {
  code: "value",
  item: {
    value: bytesOfBinaryString("a\r\n\xff"),
    flags: 0xdeadbeef,
    cas: 0xfedcba9876543210n,
    fetched: false,
    stale: false,
    binaryKey: false,
  },
};
const shown = { extras: u32(0xdeadbeef), cas: 0xfedcba9876543210n };

const rules: Record<string, [sent: string, outcome: Partial<Outcome>, bytes: string]> = {
  "a hit has flags, value, unique and the opaque": [
    ask(Opcode.get, { key, opaque: 0xffffffff }),
    value,
    reply(Opcode.get, { ...shown, value: "a\r\n\xff", opaque: 0xffffffff }),
  ],
  "a hit of a quiet read is told": [
    ask(Opcode.getQ, { key }),
    value,
    reply(Opcode.getQ, { ...shown, value: "a\r\n\xff" }),
  ],
  "a hit with the key": [
    ask(Opcode.getK, { key }),
    value,
    reply(Opcode.getK, { ...shown, key, value: "a\r\n\xff" }),
  ],
  "a touch has flags and no value": [
    ask(Opcode.touch, { key, extras: u32(5) }),
    value,
    reply(Opcode.touch, shown),
  ],
  "a miss": [
    ask(Opcode.get, { key, opaque: 3 }),
    { code: "miss" },
    failure(Opcode.get, Status.notFound, 3),
  ],
  "a miss with the key has no words": [
    ask(Opcode.gatK, { key, extras: u32(5) }),
    { code: "miss" },
    reply(Opcode.gatK, { key, status: Status.notFound }),
  ],
  "a quiet miss is nothing": [ask(Opcode.getKQ, { key }), { code: "miss" }, ""],
  "what was stored has its unique": [
    ask(Opcode.set, { key, extras, opaque: 3 }),
    { code: "stored", cas: 0xfedcba9876543210n },
    reply(Opcode.set, { cas: 0xfedcba9876543210n, opaque: 3 }),
  ],
  "a quiet store is nothing": [ask(Opcode.setQ, { key, extras }), { code: "stored", cas: 5n }, ""],
  "what was not added exists": [
    ask(Opcode.addQ, { key, extras }),
    { code: "notStored" },
    failure(Opcode.addQ, Status.exists),
  ],
  "what was not replaced is not found": [
    ask(Opcode.replace, { key, extras }),
    { code: "notStored" },
    failure(Opcode.replace, Status.notFound),
  ],
  "what was not appended is not stored": [
    ask(Opcode.append, { key }),
    { code: "notStored" },
    failure(Opcode.append, Status.notStored),
  ],
  "another unique": [
    ask(Opcode.set, { key, extras }),
    { code: "exists" },
    failure(Opcode.set, Status.exists),
  ],
  "nothing to compare with": [
    ask(Opcode.set, { key, extras }),
    { code: "notFound" },
    failure(Opcode.set, Status.notFound),
  ],
  "a number has 64 bits, and a unique": [
    ask(Opcode.incr, { key, extras: counting(1n) }),
    { code: "number", number: 0xfedcba9876543210n, cas: 7n },
    reply(Opcode.incr, { value: u64(0xfedcba9876543210n), cas: 7n }),
  ],
  "a quiet number is nothing": [
    ask(Opcode.incrQ, { key, extras: counting(1n) }),
    { code: "number", number: 1n, cas: 7n },
    "",
  ],
  "what was deleted has no unique": [
    ask(Opcode.delete, { key }),
    { code: "deleted", cas: 7n },
    reply(Opcode.delete),
  ],
  "a quiet deletion is nothing": [ask(Opcode.deleteQ, { key }), { code: "deleted" }, ""],
  "a version is a body": [
    ask(Opcode.version),
    { code: "version", text: "1.6.45" },
    reply(Opcode.version, { value: "1.6.45" }),
  ],
  "mechanisms are a body": [
    ask(Opcode.saslMechanisms),
    { code: "mechanisms", text: "PLAIN" },
    reply(Opcode.saslMechanisms, { value: "PLAIN" }),
  ],
  "a login that succeeds says so": [
    ask(Opcode.saslAuth, { key: "PLAIN", value: "x" }),
    { code: "authenticated" },
    reply(Opcode.saslAuth, { value: "Authenticated" }),
  ],
  "figures are a frame each, and one without a name": [
    ask(Opcode.stat, { opaque: 9 }),
    { code: "figures", figures: [["pid", 12], ["version", "x"]] },
    reply(Opcode.stat, { key: "pid", value: "12", opaque: 9 }) +
    reply(Opcode.stat, { key: "version", value: "x", opaque: 9 }) +
    reply(Opcode.stat, { opaque: 9 }),
  ],
  "no figures are the frame without a name": [
    ask(Opcode.stat),
    { code: "figures", figures: [] },
    reply(Opcode.stat),
  ],
  "an error of the store has its sentence as body": [
    ask(Opcode.setQ, { key, extras, opaque: 3 }),
    { code: "failed", failure: storeFailed("no disk") },
    reply(Opcode.setQ, { status: Status.internalError, value: "no disk", opaque: 3 }),
  ],
  "a flush that is not allowed": [
    ask(Opcode.flushQ),
    { code: "failed", failure: failures.flushNotAllowed },
    failure(Opcode.flushQ, Status.authFailure),
  ],
};

for (const [rule, [sent, outcome, bytes]] of Object.entries(rules)) {
  Deno.test(`binary replies: ${rule}`, () =>
    assertEquals(replyTo(newDialect(), sent, outcome), bytes));
}

const statuses = [
  [failures.unknownCommand, Status.unknownCommand],
  [failures.badFrame, Status.invalidArguments],
  [failures.tooLarge, Status.tooLarge],
  [failures.outOfMemory, Status.outOfMemory],
  [failures.notNumeric, Status.notNumeric],
  [failures.unauthenticated, Status.authFailure],
  [failures.wrongPassword, Status.authFailure],
] as const;
for (const [{ code }, status] of statuses) {
  Deno.test(`binary replies: ${code} has status ${status} and memcached's words`, () => {
    const failed = Object.values(failures).find((failure) => failure.code === code)!;
    assertEquals(
      replyTo(newDialect(), ask(Opcode.get, { key, opaque: 3 }), {
        code: "failed",
        failure: failed,
      }),
      failure(Opcode.get, status, 3),
    );
  });
}

Deno.test("binary replies: a request whose commit failed is answered by its opcode and opaque", () => {
  const out = new ByteBuffer();
  const dialect = newDialect();
  const tag = 0xff * 2 ** 32 + 0xffffffff;
  dialect.fail(tag, storeFailed("no disk"), out);
  assertEquals(
    binaryString(out.view()),
    reply(0xff, { status: Status.internalError, value: "no disk", opaque: 0xffffffff }),
  );
});
