/** memcached's -C: no item has a unique, and none is the right one. */

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
} from "../protocol/binary/frames.ts";
import { rules } from "./rules.ts";

const { get, set, append, incr, delete: remove } = Opcode;
const { exists, notFound } = Status;
const key = "k";
const extras = storing();

rules("without uniques", {
  "gets and gats tell 0": [
    ["set k 0 0 1\r\na\r\ngets k\r\n", "STORED\r\nVALUE k 0 1 0\r\na\r\nEND\r\n"],
    ["gats 0 k\r\n", "VALUE k 0 1 0\r\na\r\nEND\r\n"],
  ],
  "cas of what is there finds another unique": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["cas k 0 0 1 0\r\nb\r\ncas k 0 0 1 1\r\nb\r\n", "EXISTS\r\nEXISTS\r\n"],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
  ],
  "cas of nothing finds nothing": [["cas k 0 0 1 1\r\na\r\n", "NOT_FOUND\r\n"]],
  "meta commands tell 0": [
    [
      "ms k 1 c\r\n1\r\nmg k c\r\nma k c\r\nmg l N0 c\r\n",
      "HD c0\r\nHD c0\r\nHD c0\r\nHD c0 W\r\n",
    ],
  ],
  "meta commands that compare find another unique": [
    [
      "ms k 1\r\n1\r\nms k 1 C1\r\n2\r\nms k 1 MR C2\r\n2\r\nms k 1 MA C1\r\n2\r\n",
      "HD\r\nEX\r\nEX\r\nEX\r\n",
    ],
    ["ma k C1\r\nmd k C1\r\nmd k x C1\r\nmg k v\r\n", "EX\r\nEX\r\nEX\r\nVA 1\r\n1\r\n"],
    ["ms l 1 C1\r\n2\r\nmd l C1\r\nma l C1\r\n", "NF\r\nNF\r\nNF\r\n"],
  ],
  "frames tell 0": [
    [ask(set, { key, value: "1", extras }), reply(set)],
    [ask(append, { key, value: "2" }), reply(append)],
    [ask(get, { key }), reply(get, { extras: u32(0), value: "12" })],
    [ask(incr, { key, extras: counting(1n) }), reply(incr, { value: u64(13n) })],
  ],
  "frames with a unique find another one": [
    [ask(set, { key, value: "1", extras }), reply(set)],
    [
      ask(set, { key, value: "2", extras, cas: 1n }) + ask(append, { key, value: "2", cas: 1n }) +
      ask(incr, { key, extras: counting(1n), cas: 1n }) + ask(remove, { key, cas: 1n }),
      failure(set, exists) + failure(append, exists) + failure(incr, exists) +
      failure(remove, exists),
    ],
    [ask(set, { key: "l", value: "2", extras, cas: 1n }), failure(set, notFound)],
  ],
  "a stale item is renewed by who has won it": [
    ["ms k 1\r\na\r\nmd k I\r\nmg k c v\r\n", "HD\r\nHD\r\nVA 1 c0 X W\r\na\r\n"],
    ["ms k 1\r\nb\r\nmg k v\r\n", "HD\r\nVA 1\r\nb\r\n"],
  ],
}, { context: { usesCas: false } });
