import {
  ask,
  failure,
  Opcode,
  reply,
  Status,
  storing,
  u32,
  unique,
} from "../../protocol/binary/frames.ts";
import type { Rules, Step } from "../rules.ts";

const { get, set, setQ, add, addQ, replace, replaceQ, append, appendQ, prepend, prependQ, noop } =
  Opcode;
const { notFound, exists, notStored, tooLarge } = Status;

const key = "k";
const extras = storing();
const large = "x".repeat(2 ** 20);

/** That `k` has this value, and the n-th unique. */
function has(value: string, n: bigint, flags = 0): Step {
  return [ask(get, { key }), reply(get, { extras: u32(flags), value, cas: n })];
}

/** That `k` is not there. */
const isMissing: Step = [ask(get, { key }), failure(get, notFound)];

/** What stores a value. */
export const storeRules: Rules = {
  "Set stores whatever is there, and returns the unique": [
    [
      ask(set, { key, value: "a", extras: storing(1), opaque: 5 }),
      reply(set, { cas: 1n, opaque: 5 }),
    ],
    [ask(set, { key, value: "bc", extras: storing(2) }), reply(set, { cas: 2n })],
    has("bc", 2n, 2),
  ],
  "Set reads its time as the text protocol does, but without a sign": [
    [ask(set, { key, value: "a", extras: storing(0, 10) }), reply(set, { cas: 1n })],
    9,
    has("a", 1n),
    1,
    isMissing,
    [ask(set, { key, value: "a", extras: storing(0, 2592001) }), reply(set, { cas: 2n })],
    isMissing,
    [ask(set, { key, value: "a", extras: storing(0, 0xffffffff) }), reply(set, { cas: 3n })],
    has("a", 3n),
  ],
  "Set with a unique stores where it is still there": [
    [ask(set, { key, value: "a", extras }), reply(set, { cas: 1n })],
    [ask(set, { key, value: "b", extras, cas: unique(1) }), reply(set, { cas: 2n })],
    [ask(set, { key, value: "c", extras, cas: unique(1), opaque: 4 }), failure(set, exists, 4)],
    has("b", 2n),
  ],
  "Set, Add and Replace with a unique find nothing to compare with": [
    ...[set, add, replace].map((opcode): Step => [
      ask(opcode, { key, value: "a", extras, cas: 5n }),
      failure(opcode, notFound),
    ]),
    isMissing,
  ],
  "Add stores only where nothing is": [
    [ask(add, { key, value: "a", extras }), reply(add, { cas: 1n })],
    [ask(add, { key, value: "b", extras, opaque: 8 }), failure(add, exists, 8)],
    has("a", 1n),
  ],
  "Replace stores only where something is": [
    [ask(replace, { key, value: "a", extras, opaque: 8 }), failure(replace, notFound, 8)],
    [ask(set, { key, value: "a", extras }), reply(set, { cas: 1n })],
    [ask(replace, { key, value: "b", extras: storing(7) }), reply(replace, { cas: 2n })],
    has("b", 2n, 7),
  ],
  "Add and Replace with a unique store where it is still there": [
    [ask(set, { key, value: "a", extras }), reply(set, { cas: 1n })],
    [ask(add, { key, value: "b", extras, cas: unique(1) }), reply(add, { cas: 2n })],
    [ask(replace, { key, value: "c", extras, cas: unique(2) }), reply(replace, { cas: 3n })],
    [
      ask(add, { key, value: "d", extras, cas: unique(2) }) +
      ask(replace, { key, value: "d", extras, cas: unique(2) }),
      failure(add, exists) + failure(replace, exists),
    ],
    has("c", 3n),
  ],
  "Append and Prepend add to a value, whose flags and time stay": [
    [ask(set, { key, value: "b", extras: storing(5, 10) }), reply(set, { cas: 1n })],
    [ask(append, { key, value: "c" }), reply(append, { cas: 2n })],
    [ask(prepend, { key, value: "a", opaque: 3 }), reply(prepend, { cas: 3n, opaque: 3 })],
    has("abc", 3n, 5),
    10,
    isMissing,
  ],
  "Append and Prepend find nothing to add to": [
    [
      ask(append, { key, value: "a", opaque: 1 }) + ask(prepend, { key, value: "a" }) +
      ask(append, { key, value: "a", cas: 5n }),
      failure(append, notStored, 1) + failure(prepend, notStored) + failure(append, notStored),
    ],
    isMissing,
  ],
  "Append and Prepend with a unique store where it is still there": [
    [ask(set, { key, value: "b", extras }), reply(set, { cas: 1n })],
    [ask(append, { key, value: "c", cas: unique(1) }), reply(append, { cas: 2n })],
    [
      ask(append, { key, value: "c", cas: unique(1) }) +
      ask(prepend, { key, value: "c", cas: unique(1) }),
      failure(append, exists) + failure(prepend, exists),
    ],
    has("bc", 2n),
  ],
  "quiet stores do not say that they have stored": [
    [
      ask(setQ, { key, value: "b", extras }) + ask(appendQ, { key, value: "c" }) +
      ask(prependQ, { key, value: "a" }) + ask(replaceQ, { key, value: "d", extras }) +
      ask(addQ, { key: "l", value: "e", extras }) + ask(noop, { opaque: 1 }),
      reply(noop, { opaque: 1 }),
    ],
    has("d", 1n),
  ],
  "quiet stores say that they have not stored, under their own opcode and opaque": [
    [
      ask(replaceQ, { key, value: "a", extras, opaque: 1 }) +
      ask(appendQ, { key, value: "a", opaque: 2 }) +
      ask(prependQ, { key, value: "a", opaque: 3 }) +
      ask(setQ, { key, value: "a", extras, cas: 5n, opaque: 4 }) +
      ask(addQ, { key, value: "a", extras, opaque: 5 }) +
      ask(addQ, { key, value: "a", extras, opaque: 6 }) + ask(noop),
      failure(replaceQ, notFound, 1) + failure(appendQ, notStored, 2) +
      failure(prependQ, notStored, 3) + failure(setQ, notFound, 4) +
      failure(addQ, exists, 6) + reply(noop),
    ],
  ],
  "a Set that is too large is told so when it has come, and drops the old value": [
    ...[set, setQ].flatMap((opcode): Step[] => [
      [ask(setQ, { key, value: "a", extras }) + ask(noop), reply(noop)],
      [
        ask(opcode, { key, value: large, extras, opaque: 9 }) + ask(noop),
        failure(opcode, tooLarge, 9) + reply(noop),
      ],
      isMissing,
    ]),
  ],
  "an Add, Replace, Append or Prepend that is too large leaves the old value": [
    [ask(set, { key, value: "a", extras }), reply(set, { cas: 1n })],
    ...[add, replace].map((opcode): Step => [
      ask(opcode, { key, value: large, extras }),
      failure(opcode, tooLarge),
    ]),
    ...[append, prepend].map((opcode): Step => [
      ask(opcode, { key, value: large }),
      failure(opcode, tooLarge),
    ]),
    has("a", 1n),
  ],
};
