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
  unique,
} from "../../protocol/binary/frames.ts";
import type { Rules, Step } from "../rules.ts";

const { get, set, incr, incrQ, decr, decrQ, noop, flush, flushQ } = Opcode;
const { delete: remove, deleteQ: removeQ } = Opcode;
const { notFound, exists, notNumeric } = Status;

const key = "k";
const isMissing: Step = [ask(get, { key }), failure(get, notFound)];

/** Stores a value of `k`, which gets the first unique. */
function stored(value: string, flags = 0, exptime = 0): Step {
  return [ask(set, { key, value, extras: storing(flags, exptime) }), reply(set, { cas: 1n })];
}

/** Numbers, deletions, flushes. */
export const changeRules: Rules = {
  "Increment and Decrement return the number in 64 bits, and the unique": [
    stored("5"),
    [
      ask(incr, { key, extras: counting(3n), opaque: 4 }),
      reply(incr, { value: u64(8n), cas: 2n, opaque: 4 }),
    ],
    [ask(decr, { key, extras: counting(1n) }), reply(decr, { value: u64(7n), cas: 3n })],
    [ask(get, { key }), reply(get, { extras: u32(0), value: "7", cas: 3n })],
  ],
  "Increment wraps at 2^64, and Decrement stops at 0": [
    stored("18446744073709551615"),
    [ask(incr, { key, extras: counting(2n) }), reply(incr, { value: u64(1n), cas: 2n })],
    [ask(decr, { key, extras: counting(9n) }), reply(decr, { value: u64(0n), cas: 3n })],
    [
      ask(incr, { key, extras: counting(0xffffffffffffffffn) }),
      reply(incr, { value: u64(0xffffffffffffffffn), cas: 4n }),
    ],
  ],
  "Increment and Decrement make the item of the initial value": [
    [
      ask(incr, { key, extras: counting(5n, 13n, 0) }),
      reply(incr, { value: u64(13n), cas: 1n }),
    ],
    [ask(get, { key }), reply(get, { extras: u32(0), value: "13", cas: 1n })],
    [
      ask(decr, { key: "l", extras: counting(5n, 0xffffffffffffffffn, 0) }),
      reply(decr, { value: u64(0xffffffffffffffffn), cas: 2n }),
    ],
  ],
  "the item that Increment makes has its time to live": [
    [ask(incr, { key, extras: counting(5n, 13n, 10) }), reply(incr, { value: u64(13n), cas: 1n })],
    [ask(incr, { key, extras: counting(5n, 13n, 99) }), reply(incr, { value: u64(18n), cas: 2n })],
    10,
    isMissing,
  ],
  "Increment and Decrement make no item where the time is 0xffffffff": [
    [
      ask(incr, { key, extras: counting(5n, 13n), opaque: 1 }) +
      ask(decr, { key, extras: counting(5n, 13n), opaque: 2 }),
      failure(incr, notFound, 1) + failure(decr, notFound, 2),
    ],
    isMissing,
  ],
  "Increment of what is no number is refused": [
    stored("x"),
    [
      ask(incr, { key, extras: counting(1n), opaque: 6 }) +
      ask(decr, { key, extras: counting(1n, 5n, 0) }),
      failure(incr, notNumeric, 6) + failure(decr, notNumeric),
    ],
    [ask(get, { key }), reply(get, { extras: u32(0), value: "x", cas: 1n })],
  ],
  "Increment with a unique changes where it is still there": [
    stored("5"),
    [
      ask(incr, { key, extras: counting(1n), cas: unique(1) }),
      reply(incr, { value: u64(6n), cas: 2n }),
    ],
    [ask(incr, { key, extras: counting(1n), cas: unique(1) }), failure(incr, exists)],
  ],
  "quiet Increment and Decrement say errors alone": [
    stored("5"),
    [
      ask(incrQ, { key, extras: counting(3n) }) + ask(decrQ, { key, extras: counting(1n) }) +
      ask(incrQ, { key: "l", extras: counting(1n), opaque: 1 }) +
      ask(decrQ, { key: "l", extras: counting(1n, 5n, 0) }) +
      ask(incrQ, { key, extras: counting(3n), cas: 99999n, opaque: 2 }) + ask(noop),
      failure(incrQ, notFound, 1) + failure(incrQ, exists, 2) + reply(noop),
    ],
    [ask(get, { key: "l" }), reply(get, { extras: u32(0), value: "5", cas: 2n })],
  ],
  "Delete deletes, and returns no unique": [
    [ask(remove, { key, opaque: 1 }), failure(remove, notFound, 1)],
    stored("a"),
    [ask(remove, { key, opaque: 2 }), reply(remove, { opaque: 2 })],
    isMissing,
  ],
  "Delete with a unique deletes where it is still there": [
    stored("a"),
    [ask(remove, { key, cas: 99999n }), failure(remove, exists)],
    [ask(remove, { key, cas: unique(1) }), reply(remove)],
    [ask(remove, { key, cas: unique(1) }), failure(remove, notFound)],
  ],
  "quiet Delete says errors alone": [
    stored("a"),
    [
      ask(removeQ, { key, cas: 99999n, opaque: 1 }) + ask(removeQ, { key }) +
      ask(removeQ, { key, opaque: 2 }) + ask(noop),
      failure(removeQ, exists, 1) + failure(removeQ, notFound, 2) + reply(noop),
    ],
  ],
  "Flush flushes, now or later": [
    stored("a"),
    [ask(flush, { opaque: 3 }), reply(flush, { opaque: 3 })],
    isMissing,
    [ask(set, { key, value: "b", extras: storing() }), reply(set, { cas: 2n })],
    [ask(flush, { extras: u32(10) }), reply(flush)],
    [ask(get, { key }), reply(get, { extras: u32(0), value: "b", cas: 2n })],
    11,
    isMissing,
  ],
  "quiet Flush says nothing": [
    stored("a"),
    [ask(flushQ) + ask(flushQ, { extras: u32(0) }) + ask(noop), reply(noop)],
    isMissing,
  ],
};
