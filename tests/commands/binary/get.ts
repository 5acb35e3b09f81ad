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
import type { Rules } from "../rules.ts";

const { get, getQ, getK, getKQ, gat, gatQ, gatK, gatKQ, touch, set, noop } = Opcode;

const k = "k";
/** Stores a value of `k` with flags, and an exptime where there is one. */
const store = (value: string, flags = 0, exptime = 0) =>
  [ask(set, { key: k, value, extras: storing(flags, exptime) }), reply(set, { cas: 1n })] as const;

/** Reads, of one key each. */
export const getRules: Rules = {
  "Get brings flags, value and unique": [
    [
      ask(set, { key: k, value: "a\r\n\x00\xff", extras: storing(0xdeadbeef) }),
      reply(set, { cas: 1n }),
    ],
    [
      ask(get, { key: k, opaque: 0x01020304 }),
      reply(get, { extras: u32(0xdeadbeef), value: "a\r\n\x00\xff", cas: 1n, opaque: 0x01020304 }),
    ],
  ],
  "Get of an empty value has flags alone": [
    store(""),
    [ask(get, { key: k }), reply(get, { extras: u32(0), cas: 1n })],
  ],
  "Get of nothing says so in words": [
    [ask(get, { key: k, opaque: 7 }), failure(get, Status.notFound, 7)],
  ],
  "GetK returns the key too": [
    store("a"),
    [ask(getK, { key: k }), reply(getK, { extras: u32(0), key: k, value: "a", cas: 1n })],
  ],
  "GetK of nothing returns the key and no words": [
    [
      ask(getK, { key: "none", opaque: 9 }),
      reply(getK, { key: "none", status: Status.notFound, opaque: 9 }),
    ],
  ],
  "GetQ and GetKQ do not say a miss": [
    [
      ask(getQ, { key: k }) + ask(getKQ, { key: k }) + ask(noop, { opaque: 3 }),
      reply(noop, { opaque: 3 }),
    ],
    store("a"),
    [
      ask(getQ, { key: k, opaque: 1 }) + ask(getKQ, { key: k, opaque: 2 }) +
      ask(getQ, { key: "none" }) + ask(noop),
      reply(getQ, { extras: u32(0), value: "a", cas: 1n, opaque: 1 }) +
      reply(getKQ, { extras: u32(0), key: k, value: "a", cas: 1n, opaque: 2 }) + reply(noop),
    ],
  ],
  "a key may have any bytes, and 250 of them": [
    [
      ask(set, { key: "\x00 \r\n\xff", value: "a", extras: storing() }) +
      ask(set, { key: k.repeat(250), value: "b", extras: storing() }),
      reply(set, { cas: 1n }) + reply(set, { cas: 2n }),
    ],
    [
      ask(getK, { key: "\x00 \r\n\xff" }) + ask(get, { key: k.repeat(250) }),
      reply(getK, { extras: u32(0), key: "\x00 \r\n\xff", value: "a", cas: 1n }) +
      reply(get, { extras: u32(0), value: "b", cas: 2n }),
    ],
  ],
  "a cas in a Get means nothing": [
    store("a"),
    [ask(get, { key: k, cas: 999n }), reply(get, { extras: u32(0), value: "a", cas: 1n })],
  ],
  "data type and vbucket mean nothing": [
    store("a"),
    [
      ask(get, { key: k, dataType: 5, status: 77 }),
      reply(get, { extras: u32(0), value: "a", cas: 1n }),
    ],
  ],
  "GAT reads and sets another time to live": [
    store("a", 5),
    [
      ask(gat, { key: k, extras: u32(50), opaque: 6 }),
      reply(gat, { extras: u32(5), value: "a", cas: 1n, opaque: 6 }),
    ],
    49,
    [ask(get, { key: k }), reply(get, { extras: u32(5), value: "a", cas: 1n })],
    1,
    [ask(get, { key: k }), failure(get, Status.notFound)],
  ],
  "GATK returns the key, and GATQ and GATKQ do not say a miss": [
    [
      ask(gatQ, { key: k, extras: u32(50) }) + ask(gatKQ, { key: k, extras: u32(50) }) + ask(noop),
      reply(noop),
    ],
    [
      ask(gatK, { key: k, extras: u32(50) }) + ask(gat, { key: k, extras: u32(50) }),
      reply(gatK, { key: k, status: Status.notFound }) + failure(gat, Status.notFound),
    ],
    store("a"),
    [
      ask(gatK, { key: k, extras: u32(0) }) + ask(gatQ, { key: k, extras: u32(0) }) +
      ask(gatKQ, { key: k, extras: u32(0) }),
      reply(gatK, { extras: u32(0), key: k, value: "a", cas: 1n }) +
      reply(gatQ, { extras: u32(0), value: "a", cas: 1n }) +
      reply(gatKQ, { extras: u32(0), key: k, value: "a", cas: 1n }),
    ],
  ],
  "Touch sets another time to live, and returns flags without a value": [
    store("a", 5),
    [ask(touch, { key: k, extras: u32(50) }), reply(touch, { extras: u32(5), cas: 1n })],
    50,
    [ask(touch, { key: k, extras: u32(0), opaque: 2 }), failure(touch, Status.notFound, 2)],
  ],
  "Touch with 0 lets an item live for ever": [
    store("a", 0, 10),
    [ask(touch, { key: k, extras: u32(0) }), reply(touch, { extras: u32(0), cas: 1n })],
    100,
    [ask(get, { key: k }), reply(get, { extras: u32(0), value: "a", cas: 1n })],
  ],
  "a read serves what is stale as any other item": [
    store("a"),
    [ask(get, { key: k, cas: unique(1) }), reply(get, { extras: u32(0), value: "a", cas: 1n })],
  ],
};
