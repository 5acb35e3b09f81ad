/**
 * Right requests in all dialects on a few keys, from a seed: what kvs and any memcached since 1.6.18 answer alike.
 * What they do not is in the lists of differences, and is not drawn.
 *
 * @module
 */

import { ask, counting, Opcode, storing, u32 } from "../protocol/binary/frames.ts";

type Random = (below: number) => number;

/** Requests go over one connection a dialect; meta commands over that of text. */
export interface Asked {
  readonly over: "text" | "binary";
  readonly request: string;
}

/** Keys of values, which may be stale or given to a client to renew. */
const marked = ["a", "b".repeat(250)];
/** The key of a value that gets longer: memcached forgets the marks of such a one. */
const GROWING = "n";
const keys = [...marked, GROWING, "none"];
/**
 * None from which 30 requests make one of 2^63: of such a number 1.6.18 says that it is none where a minus
 * happens to stand somewhere behind it in memory.
 */
const numbers = ["0", "1", "9", "99", "007", "4294967295", "100000000000000003"];
const others = ["", "x", "5 ", "-1", "1.5", "12ab", "a\r\nb", "END\r\n", "\x80\x00\xff"];
const times = ["0", "0", "100", "1000"];
const opcodes = {
  reads: [Opcode.get, Opcode.getQ, Opcode.getK, Opcode.getKQ],
  stores: [Opcode.set, Opcode.setQ, Opcode.add, Opcode.addQ, Opcode.replace, Opcode.replaceQ],
  adds: [Opcode.append, Opcode.appendQ, Opcode.prepend, Opcode.prependQ],
  counts: [Opcode.incr, Opcode.incrQ, Opcode.decr, Opcode.decrQ],
  touches: [Opcode.touch, Opcode.gat, Opcode.gatQ, Opcode.gatK, Opcode.gatKQ],
};

/** Draws requests. In the place of a unique stands `{n}`, the n-th that a reply has shown. */
export function askedFrom(random: Random): () => Asked {
  const one = <T>(of: readonly T[]): T => of[random(of.length)]!;
  const some = (...flags: string[]) => flags.filter(() => random(3) === 0).map((f) => ` ${f}`);
  const addition = () => random(2) === 0 ? one(others) : "v".repeat(random(3000));
  const value = () => random(3) === 0 ? one(numbers) : addition();
  const unique = () => `{${1 + random(40)}}`;
  const noreply = () => one(["", "", "", " noreply"]);

  const text = [
    () => `get ${one(keys)} ${one(keys)}\r\n`,
    () => `gets ${one(keys)}\r\n`,
    () => `gat ${one(times)} ${one(keys)} ${one(keys)}\r\n`,
    () => `touch ${one(keys)} ${one(times)}${noreply()}\r\n`,
    () => `delete ${one(keys)}${noreply()}\r\n`,
    () => `${one(["incr", "decr"])} ${GROWING} ${one(numbers)}${noreply()}\r\n`,
    () => {
      const [command, key] = one([
        ...marked.map((key) => [one(["set", "add", "replace"]), key]),
        [one(["set", "append", "prepend"]), GROWING],
      ]);
      const stored = key === GROWING && command !== "set" ? addition() : value();
      const line = `${one([0, 7])} ${one([...times, "-1"])} ${stored.length}${noreply()}`;
      return `${command} ${key} ${line}\r\n${stored}\r\n`;
    },
    () => {
      const stored = value();
      return `cas ${one(keys)} 1 ${one(times)} ${stored.length} ${unique()}\r\n${stored}\r\n`;
    },
  ];
  const meta = [
    () => `mg ${one(keys)}${some("v", "k", "s", "f", "t", "c", "q", "O1").join("")}\r\n`,
    () => `mg ${one(marked)} v c${some("T100", "R2000", "N100", "k", "q").join("")}\r\n`,
    () => `md ${one(keys)}${some("k", "q", "O2", `C${unique()}`).join("")}\r\n`,
    () => `md ${one(marked)} I${some("T100", "k", "q").join("")}\r\n`,
    () =>
      `ma ${GROWING}${some("v", "k", "c", "N100", "J5", "D9", "MD", `C${unique()}`).join("")}\r\n`,
    () => {
      const stored = value();
      const flags = some("c", "k", "F5", "T100", "I", "q", "O3", "ME", `C${unique()}`).join("");
      return `ms ${one(keys)} ${stored.length}${flags}\r\n${stored}\r\n`;
    },
  ];
  const frames = [
    () => ask(one(opcodes.reads), { key: one(keys), opaque: random(99) }),
    () => ask(one([Opcode.delete, Opcode.deleteQ]), { key: one(keys), opaque: random(99) }),
    () => ask(one(opcodes.adds), { key: GROWING, value: addition(), opaque: random(99) }),
    () => ask(one(opcodes.touches), { key: one(keys), extras: u32(one([0, 100])) }),
    () => {
      const extras = counting(BigInt(one(numbers)), BigInt(one(numbers)), one([0, 0xffffffff]));
      return ask(one(opcodes.counts), { key: GROWING, extras, opaque: random(99) });
    },
    () => {
      const extras = storing(one([0, 7]), one([0, 100]));
      return ask(one(opcodes.stores), { key: one(keys), value: value(), extras });
    },
  ];
  return () => {
    const dialect = one([text, meta, frames]);
    return { over: dialect === frames ? "binary" : "text", request: one(dialect)() };
  };
}
