/** Meta commands and frames of the binary protocol that are half right, from a seed. */

import { ask, counting, Opcode, storing, u32 } from "../protocol/binary/frames.ts";

type Random = (below: number) => number;

const keys = ["a", "b", "counter", "YQ==", "Y-g=", "====", "k".repeat(250), "k".repeat(251)];
const numbers = ["0", "1", "30", "-1", "", "x", "2147483648", "18446744073709551615", "+1", "1e3"];
const values = ["", "1", "\r\n", "mn\r\n", "\x80\x00", "x".repeat(3000)];

/** Draws meta commands, right ones and such as have been damaged. */
export function metaRequestsFrom(random: Random): () => string {
  const one = <T>(of: readonly T[]): T => of[random(of.length)];
  const flag = () =>
    one([
      () => one([..."bcfhklqstuvxIPL"]),
      () => one([..."TNRCEFDJ"]) + one(numbers),
      () => `M${one(["E", "A", "P", "R", "S", "I", "D", "+", "-", "", "x"])}`,
      () => `O${"1".repeat(random(40))}`,
      () => String.fromCharCode(random(256)),
    ])();
  const flags = () => Array.from({ length: random(8) }, () => ` ${flag()}`).join("");
  const key = () => one(keys);
  const storage = () => {
    const value = one(values);
    const length = random(8) > 0 ? value.length : one(numbers);
    return `ms ${key()} ${length}${flags()}\r\n${value}${one(["\r\n", "\r\n", "\r\n", "\n", ""])}`;
  };
  const kinds = [
    () => `${one(["mg", "md", "ma", "mg"])} ${key()}${flags()}\r\n`,
    () => `${one(["mg", "md", "ma", "me", "ms", "mn"])}${one([" ", "  ", ""])}${key()}\r\n`,
    storage,
    () => `ms ${one(["a", "b"])} 2 T${random(50)}\r\n10\r\n`,
    () =>
      one(["mg a v N30 k\r\n", "md a I T30\r\n", "mg a t c v R100\r\n", "ma counter N0 v q\r\n"]),
    () => one(["get a b\r\n", "append a 0 0 1\r\n1\r\n", "incr counter 1\r\n", "mn\r\n"]),
  ];
  return () => damaged(one(kinds)(), random, 10);
}

/** The opcodes, some more than once. */
const opcodes = [...Object.values(Opcode), 0x1f, 0x7f, 0xff].filter((opcode) =>
  opcode !== Opcode.quit && opcode !== Opcode.quitQ
);

/** Draws frames, right ones and such as have been damaged. Most of the damage ends a connection. */
export function binaryRequestsFrom(random: Random): () => string {
  const one = <T>(of: readonly T[]): T => of[random(of.length)];
  const parts = () => ({
    key: one(["a", "b", "counter", "\x00\xff", "k".repeat(250)]),
    opaque: random(2 ** 31),
    cas: random(4) > 0 ? 0n : BigInt(random(1000)),
  });
  const { get, getQ, getK, getKQ, touch, gat, gatKQ, incr, decrQ, stat } = Opcode;
  const { set, setQ, add, replaceQ, append, prependQ } = Opcode;
  const kinds = [
    () =>
      ask(one([set, set, setQ, add, replaceQ]), {
        ...parts(),
        value: one(values),
        extras: storing(random(2 ** 31), random(50)),
      }),
    () => ask(one([append, prependQ]), { ...parts(), value: one(values) }),
    () => ask(one([get, getQ, getK, getKQ, Opcode.delete]), parts()),
    () => ask(one([touch, gat, gatKQ]), { ...parts(), extras: u32(random(50)) }),
    () =>
      ask(one([incr, decrQ]), { ...parts(), extras: counting(BigInt(random(9)), 5n, random(50)) }),
    () =>
      ask(stat, {
        key: one(["", "settings", "items", "nonsense", "detail dump", "detail on", "conns"]),
      }),
  ];
  const broken = () =>
    ask(one(opcodes), {
      ...parts(),
      value: one([...values, "x".repeat(random(100))]),
      extras: one(["", "abcd", storing(), counting(1n)]),
      ...one([{}, { bodyLength: random(2 ** 31) }, { keyLength: random(2 ** 16) }, {
        extrasLength: random(256),
      }]),
    });
  return () => random(40) === 0 ? broken() : damaged(one(kinds)(), random, 80);
}

/** One of so many with a byte less, another or more, or without its end. */
function damaged(request: string, random: Random, oneOf: number): string {
  if (random(oneOf) > 0) return request;
  const at = random(request.length + 1);
  const rest = request.slice(at);
  const other = String.fromCharCode(random(256));
  return request.slice(0, at) + [rest.slice(1), other + rest, other + rest.slice(1), ""][random(4)];
}
