/**
 * Odd requests from a seed: words too many and too few, numbers at the edges of 32 and 64 bits, keys of 249 to
 * 251 bytes, flags in any order and number, values that do not end where they should, frames whose lengths are
 * wrong. kvs answers them as the current memcached does; where it does not by choice (docs/memcached.md), they
 * are not drawn.
 *
 * @module
 */

import { ask, counting, Opcode, storing, u32 } from "../protocol/binary/frames.ts";

type Random = (below: number) => number;

/** What one connection sends, request after request. In the place of a unique stands `{n}`. */
export type Send = readonly string[];

/**
 * What lines end with: it fills what is missing of a value. memcached sends no reply before a value that has yet to
 * come.
 */
export const LAST = "\r\nmn\r\n".repeat(40);

/** The key of numbers, which is never read: memcached pads it otherwise where a reader before is not yet gone. */
const NUMBER = "n";
const keys = ["a", "a", "b", "none", "k".repeat(249), "l".repeat(250), "a\tb", "\x80\xff", "YWI="];
const tooLong = "m".repeat(251);
const edges = [
  ...[
    "0",
    "-0",
    "1",
    "007",
    "-1",
    "+1",
    "-",
    "+",
    "x",
    "1x",
    "1.5",
    "0x1",
    "2592000",
    "2592001",
  ],
  ...["2147483645", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295"],
  ...["4294967296", "4294967297", "9007199254740993", "9223372036854775807", "9223372036854775808"],
  ...[
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
  ],
  ...["-18446744073709551615", "-18446744073709551616", "99999999999999999999", "00000000001"],
  ...[
    "000000000001",
    "0000000000000000000001",
    "00000000000000000000001",
    "00018446744073709551615",
  ],
];
const times = ["0", "0", "100", "1000", "2592000", "2592001", "2147483647", "-0"];
const numbers = [
  "0",
  "9",
  "99 ",
  " 5",
  "+5",
  "-0",
  "5\t6",
  "1\n",
  "18446744073709551615",
  "12ab",
  "x",
]
  .concat("18446744073709551616", "9999999999999999999", "000000000000000000001", "-1", "");
const values = ["", "x", "a\r\nb", "END\r\n", "\x80\x00\xff", "1".repeat(30)];
const letters = ["v", "k", "s", "f", "t", "c", "q", "h", "u", "x", "I", "O1", "Pa", "L"];
const modes = ["S", "E", "A", "P", "R", "I", "D", "+", "-", "s", "", "x", "Append"];
const oddFlags = ["z", "W", "B", "_", "[", "0", "5x", "-", "\t", "\x80", "{", "vv", "kx"];
const simple = ["version", "version x", "mn", "mn x", "get", "gat 0", "set", "set a 0 0", "incr a"]
  .concat(
    "touch a",
    "delete",
    "cas a 0 0 1",
    "ms a",
    "mg",
    "me",
    " get a",
    "GET a",
    "",
    "a",
    "noreply",
  )
  .concat("abc noreply", "get\ta", "shutdown", "shutdown x", "shutdown noreply", "flush_all x")
  .concat("flush_all 0 noreply", "flush_all -1", "verbosity", "verbosity x", "verbosity 0 noreply");

/**
 * Draws what connections send over one protocol. memcached uses a connection's memory again for another, with a
 * unique in it that a text command then gives to its item, so that the two are not mixed.
 */
export function sendsFrom(random: Random, over: "text" | "binary"): () => Send {
  const one = <T>(of: readonly T[]): T => of[random(of.length)]!;
  const rarely = (part: string, usual: string) => random(12) === 0 ? part : usual;
  const key = () => rarely(tooLong, one(keys));
  const number = () => random(2) === 0 ? one(edges) : `${random(120)}`;
  const time = () => random(4) === 0 ? one(edges) : one(times);
  const unique = () => random(5) === 0 ? one(edges) : `{${1 + random(9)}}`;
  const value = () => random(4) === 0 ? "v".repeat(random(900)) : one(values);
  const noreply = () =>
    one(["", "", " noreply", " noreply x", " x", "  noreply  ", " x".repeat(19)]);
  const end = () => rarely("\n", rarely(" \r\n", "\r\n"));
  const tail = () => rarely(one(["\n", "x\r\n", "\r", "\r\n\r\n"]), "\r\n");
  const lengthOf = (value: string) =>
    rarely(
      one([`${value.length + 1}`, `0${value.length}`, "-", "-0", "-1", "x", "+1"]),
      `${value.length}`,
    );
  const words = (...parts: string[]) => parts.join(rarely("  ", " "));

  const classic = [
    () => words(one(["get", "gets"]), one(keys), one(keys)) + end(),
    () => words(one(["gat", "gats"]), time(), one(keys)) + end(),
    () => words("touch", key(), time()) + noreply() + end(),
    () => words("delete", key()) + one(["", " 0", " noreply", " 0 noreply"]) + end(),
    () => one(simple) + end(),
    () => {
      const stored = value();
      const command = one(["set", "set", "add", "replace", "append", "prepend", "cas"]);
      const line = words(command, key(), number(), time(), lengthOf(stored));
      return `${line}${
        command === "cas" ? ` ${unique()}` : ""
      }${noreply()}${end()}${stored}${tail()}`;
    },
  ];
  const flag = () =>
    random(3) > 0 ? one(letters) : one([
      `T${time()}`,
      `R${time()}`,
      `C${unique()}`,
      `F${number()}`,
      `D${number()}`,
      `J${number()}`,
      `M${one(modes)}`,
      `E${one(["5000000000", "18446744073709551615"])}`,
    ]);
  const flags = () => {
    const count = random(20) === 0 ? 15 + random(10) : random(6);
    return Array.from({ length: count }, () => ` ${rarely(one(oddFlags), flag())}`).join("");
  };
  const vivify = () => random(4) === 0 ? ` N${one(times)}` : "";
  const meta = [
    () => `mg ${one(keys)}${flags()}${end()}`,
    () => `mg ${one(keys)} v c${vivify()}${flags()}${end()}`,
    () => `md ${key()}${one(["", " I"])}${flags()}${end()}`,
    () => `me ${one(keys)}${end()}`,
    () => `mg ${one(["YWI=", "YQ==", "YQ", "====", "!!!!", "YQ==YQ=="])} b v c k${end()}`,
    () => {
      const stored = value();
      return `ms ${one(keys)} ${lengthOf(stored)}${flags()}${vivify()}${end()}${stored}${tail()}`;
    },
  ];
  const count = [
    () => {
      const stored = one(numbers);
      return `set ${NUMBER} 0 0 ${stored.length}\r\n${stored}\r\n`;
    },
    () => words(one(["incr", "decr"]), NUMBER, number()) + noreply() + end(),
    () => `ma ${NUMBER}${vivify()}${flags().replace(/ T\S*/g, "")}${end()}`,
  ];

  const opaque = () => one([0, 1, 0xffffffff, random(1000)]);
  const span = () => one([0, 100, 1000, 2592000, 2592001, 0x7fffffff]);
  const boundTo = (frame: string) =>
    random(5) === 0 ? `${frame.slice(0, 16)}{cas  ${1 + random(6)}}${frame.slice(24)}` : frame;
  const { set, setQ, add, addQ, replace, replaceQ, append, appendQ, prepend, prependQ } = Opcode;
  const frames = [
    () =>
      ask(one([Opcode.get, Opcode.getQ, Opcode.getK, Opcode.getKQ]), {
        key: one(keys),
        opaque: opaque(),
      }),
    () => {
      const extras = storing(one([0, 7, 0xffffffff]), span());
      const opcode = one([set, setQ, add, addQ, replace, replaceQ]);
      return ask(opcode, { key: one(keys), value: value(), extras, opaque: opaque() });
    },
    () => ask(one([append, appendQ, prepend, prependQ]), { key: one(keys), value: value() }),
    () => ask(one([Opcode.delete, Opcode.deleteQ]), { key: one(keys), opaque: opaque() }),
    () =>
      ask(one([Opcode.touch, Opcode.gat, Opcode.gatQ, Opcode.gatKQ]), {
        key: one(keys),
        extras: u32(span()),
      }),
    () => ask(one([Opcode.noop, Opcode.flush, Opcode.flushQ]), { opaque: opaque() }),
    () => {
      const extras = counting(
        one([0n, 1n, 2n ** 63n, 2n ** 64n - 1n]),
        one([0n, 5n]),
        one([0, 0xffffffff, 100]),
      );
      return ask(one([Opcode.incr, Opcode.incrQ, Opcode.decr, Opcode.decrQ]), {
        key: NUMBER,
        extras,
      });
    },
  ];
  const wrong = () =>
    ask(one([Opcode.get, set, Opcode.incr, append, Opcode.delete, Opcode.noop, Opcode.flush]), {
      key: one(["", one(keys), tooLong]),
      value: one(["x", "abc"]),
      extras: one(["\0", u32(0), "\0".repeat(21)]),
      opaque: opaque(),
    });
  return () => {
    if (over === "binary") {
      const sent = Array.from({ length: 1 + random(12) }, () => boundTo(one(frames)()));
      return random(4) === 0 ? [...sent, wrong()] : sent;
    }
    const kind = one([[...classic, ...meta], [...classic, ...meta, ...count]]);
    return [...Array.from({ length: 1 + random(12) }, () => one(kind)()), LAST];
  };
}
