import {
  ask,
  failure,
  frame,
  Opcode,
  reply,
  Status,
  storing,
  u32,
} from "../../protocol/binary/frames.ts";
import type { Rules, Step } from "../rules.ts";

const { get, set, setQ, add, append, incr, noop, version, quit, quitQ, stat, touch, gat } = Opcode;
const { delete: remove, flush, saslMechanisms, saslAuth, saslStep, verbosity } = Opcode;
const { invalidArguments, unknownCommand, notFound } = Status;

const key = "k";
const extras = storing();

/** After each the connection is closed: nothing behind it is answered. */
function ends(...steps: [sent: string, received: string][]): Step[] {
  return steps.map(([sent, received]) => [sent + ask(noop), received]);
}

/** After each the connection goes on. */
function goesOn(...steps: [sent: string, received: string][]): Step[] {
  return steps.map(([sent, received]) => [sent + ask(noop), received + reply(noop)]);
}

/** Frames that are about no item, and such as are malformed. */
export const frameRules: Rules = {
  "Noop is answered, with its opaque": [[
    ask(noop, { opaque: 0xffffffff }),
    reply(noop, { opaque: 0xffffffff }),
  ]],
  "Version says a version": [[ask(version), reply(version)]],
  "Quit is answered, and ends the connection": ends([
    ask(quit, { opaque: 7 }),
    reply(quit, { opaque: 7 }),
  ]),
  "QuitQ ends the connection without an answer": ends([
    ask(get, { key }) + ask(quitQ),
    failure(get, notFound),
  ]),
  "an unknown opcode is answered, and its body passed over": goesOn(
    ...[0x1f, 0x25, 0x7f, 0xff, verbosity].map((opcode): [string, string] => [
      ask(opcode, { key: "abc", extras: u32(0), value: "value", opaque: 3 }),
      failure(opcode, unknownCommand, 3),
    ]),
  ),
  "SASL is unknown to a server that has no users for it": goesOn(
    [ask(saslMechanisms), failure(saslMechanisms, unknownCommand)],
    [ask(saslAuth, { key: "PLAIN", value: "\0a\0b" }), failure(saslAuth, unknownCommand)],
    [ask(saslStep, { key: "PLAIN", value: "x" }), failure(saslStep, unknownCommand)],
    [ask(saslAuth, { key: "k".repeat(250), value: "x" }), failure(saslAuth, unknownCommand)],
  ),
  "a key of 251 bytes ends the connection": ends(
    ...[get, remove, verbosity, 0x7f].map((opcode): [string, string] => [
      ask(opcode, { key: "k".repeat(251), opaque: 5 }),
      failure(opcode, invalidArguments, 5),
    ]),
    [ask(set, { key: "k".repeat(251), extras, value: "a" }), failure(set, invalidArguments)],
  ),
  "a missing key ends the connection": ends(
    ...[get, remove, append].map((opcode): [string, string] => [
      ask(opcode),
      failure(opcode, invalidArguments),
    ]),
    [ask(set, { extras, value: "a" }), failure(set, invalidArguments)],
    [ask(touch, { extras: u32(0) }), failure(touch, invalidArguments)],
  ),
  "a key where none belongs ends the connection": ends(
    ...[noop, version, quit, flush].map((opcode): [string, string] => [
      ask(opcode, { key }),
      failure(opcode, invalidArguments),
    ]),
  ),
  "extras of another length than the command's end the connection": ends(
    [ask(get, { key, extras: u32(0) }), failure(get, invalidArguments)],
    [ask(set, { key, extras: u32(0), value: "a" }), failure(set, invalidArguments)],
    [ask(setQ, { key, value: "a", opaque: 2 }), failure(setQ, invalidArguments, 2)],
    [ask(add, { key, extras: extras + u32(0) }), failure(add, invalidArguments)],
    [ask(append, { key, extras, value: "a" }), failure(append, invalidArguments)],
    [ask(incr, { key, extras: u32(1) }), failure(incr, invalidArguments)],
    [ask(gat, { key }), failure(gat, invalidArguments)],
    [ask(flush, { extras: "ab" }), failure(flush, invalidArguments)],
    [ask(noop, { extras: u32(0) }), failure(noop, invalidArguments)],
  ),
  "a value where none belongs ends the connection": ends(
    [ask(get, { key, value: "x" }), failure(get, invalidArguments)],
    [ask(remove, { key, value: "x" }), failure(remove, invalidArguments)],
    [ask(noop, { value: "x" }), failure(noop, invalidArguments)],
  ),
  "a key longer than the body ends the connection": ends(
    [ask(get, { key, bodyLength: 0, opaque: 4 }), failure(get, unknownCommand, 4)],
    [ask(set, { key, extras, bodyLength: 8 }), failure(set, unknownCommand)],
  ),
  "a body beyond 2^30 ends the connection before it has come": ends([
    ask(set, { key, extras, bodyLength: 2 ** 30 + 1, opaque: 4 }),
    failure(set, invalidArguments, 4),
  ]),
  "a frame that begins with another byte ends the connection without an answer": [
    [ask(noop) + frame(0x81, noop, {}) + ask(noop), reply(noop)],
    [ask(noop) + "get k\r\n".padEnd(24), reply(noop)],
  ],
  "a frame in which the client leaves is not answered": [
    [ask(noop) + ask(set, { key, extras, value: "abc" }).slice(0, -1), reply(noop)],
    [ask(get, { key }), failure(get, notFound)],
  ],
  "Stat of an unknown name is not found": goesOn([
    ask(stat, { key: "nonsense", opaque: 3 }),
    failure(stat, notFound, 3),
  ]),
  "Stat of what only lines can tell is not found": goesOn(
    [ask(stat, { key: "cachedump 1 0" }), failure(stat, notFound)],
    [ask(stat, { key: "detail x" }), failure(stat, notFound)],
  ),
  "Stat ends with a frame without a name": [
    [
      ask(stat, { key: "sizes", opaque: 3 }),
      reply(stat, { key: "sizes_status", value: "disabled", opaque: 3 }) +
      reply(stat, { opaque: 3 }),
    ],
    [ask(stat, { key: "items" }), reply(stat)],
    [ask(stat, { key: "reset", opaque: 2 }), reply(stat, { opaque: 2 })],
  ],
  "Stat detail counts by prefix": [
    [ask(stat, { key: "detail on", opaque: 1 }), reply(stat, { opaque: 1 })],
    [
      ask(setQ, { key: "a:1", extras, value: "x" }) + ask(get, { key: "a:2" }),
      failure(get, notFound),
    ],
    [
      ask(stat, { key: "detail dump" }),
      reply(stat, { key: "detailed", value: "PREFIX a get 1 hit 0 set 1 del 0\r\nEND\r\n" }) +
      reply(stat),
    ],
    [ask(stat, { key: "detail off" }), reply(stat)],
  ],
};
