/** Frames of the binary protocol as properties draw them: few keys, all opcodes, right and wrong. */

import fc from "fast-check";
import { ask, counting, Opcode, storing, u32 } from "../protocol/binary/frames.ts";

const key = fc.constantFrom("a", "b", "c", "k".repeat(250), "\x00\xff");
const value = fc.oneof(
  fc.string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)), maxLength: 40 }),
  fc.constantFrom("", "1", "99", "18446744073709551615", "\x80\x00", "x".repeat(1500)),
);
const opaque = fc.nat(0xffffffff);
const cas = fc.oneof(
  { arbitrary: fc.constant(0n), weight: 4 },
  fc.bigInt({ min: 1n, max: 30n }),
);
const seconds = fc.constantFrom(0, 1, 100, 2592001, 0xffffffff);

const { get, getQ, getK, getKQ, touch, gat, gatQ, gatK, gatKQ, incr, incrQ, decr, decrQ } = Opcode;
const { set, setQ, add, addQ, replace, replaceQ, append, appendQ, prepend, prependQ } = Opcode;
const { delete: remove, deleteQ, noop, stat, flushQ, saslMechanisms, saslAuth } = Opcode;

const read = fc.record({ opcode: fc.constantFrom(get, getQ, getK, getKQ), key, opaque, cas });
const touching = fc.record({
  opcode: fc.constantFrom(touch, gat, gatQ, gatK, gatKQ),
  key,
  opaque,
  extras: seconds.map(u32),
});
const store = fc.record({
  opcode: fc.constantFrom(set, set, setQ, add, addQ, replace, replaceQ),
  key,
  opaque,
  cas,
  value,
  extras: fc.tuple(opaque, seconds).map(([flags, seconds]) => storing(flags, seconds)),
});
const extend = fc.record({
  opcode: fc.constantFrom(append, appendQ, prepend, prependQ),
  key,
  opaque,
  cas,
  value,
});
const count = fc.record({
  opcode: fc.constantFrom(incr, incrQ, decr, decrQ),
  key,
  opaque,
  cas,
  extras: fc.tuple(fc.bigInt({ min: 0n, max: 9n }), seconds).map(([n, s]) =>
    counting(n, 10n * n, s)
  ),
});
const removal = fc.record({ opcode: fc.constantFrom(remove, deleteQ), key, opaque, cas });
const other = fc.oneof(
  fc.record({ opcode: fc.constantFrom(noop, flushQ, saslMechanisms), opaque }),
  fc.record({ opcode: fc.constantFrom(0x1b, 0x1f, 0x7f), opaque, key, value }),
  fc.record({
    opcode: fc.constant(stat),
    opaque,
    key: fc.constantFrom("nonsense", "sizes", "detail on", "detail dump", "cachedump 1 0"),
  }),
  fc.record({ opcode: fc.constant(saslAuth), opaque, key, value }),
);

/** A frame from its first byte to its last, behind which the connection goes on. */
export const binaryFrame: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: store, weight: 5 },
  { arbitrary: read, weight: 4 },
  { arbitrary: count, weight: 3 },
  { arbitrary: extend, weight: 2 },
  { arbitrary: touching, weight: 2 },
  removal,
  other,
).map(({ opcode, ...parts }) => ask(opcode, parts));

/** A frame that ends the connection. */
export const binaryMisfit: fc.Arbitrary<string> = fc.constantFrom(
  ask(get),
  ask(get, { key: "k".repeat(251) }),
  ask(set, { key: "a", value: "x" }),
  ask(get, { key: "a", bodyLength: 0 }),
  ask(Opcode.quit),
  "get a\r\n".padEnd(24),
);
