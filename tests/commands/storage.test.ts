import { assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import { Harness } from "../server/harness.ts";
import { rules, type Step } from "./rules.ts";

const FORMAT = "CLIENT_ERROR bad command line format\r\n";
const CHUNK = "CLIENT_ERROR bad data chunk\r\n";
const TOO_LARGE = "SERVER_ERROR object too large for cache\r\n";
const VERSION = "VERSION 1.6.45-kvs-test\r\n";
const NUMBER = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";

/** Each command that carries a value, and what must stand behind its length. */
const commands = [
  ["set", ""],
  ["add", ""],
  ["replace", ""],
  ["append", ""],
  ["prepend", ""],
  ["cas", " 1"],
] as const;

function each(steps: (command: string, unique: string) => readonly Step[]): readonly Step[] {
  return commands.flatMap(([command, unique]) => steps(command, unique));
}

rules("storage", {
  "set stores whatever is there": [
    ["set k 1 0 1\r\na\r\n", "STORED\r\n"],
    ["set k 2 0 2\r\nbc\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 2 2\r\nbc\r\nEND\r\n"],
  ],
  "add stores only where nothing is": [
    ["add k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["add k 0 0 1\r\nb\r\n", "NOT_STORED\r\n"],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
  ],
  "replace stores only where something is": [
    ["replace k 0 0 1\r\na\r\n", "NOT_STORED\r\n"],
    ["set k 0 0 1\r\na\r\nreplace k 9 0 1\r\nb\r\n", "STORED\r\nSTORED\r\n"],
    ["get k\r\n", "VALUE k 9 1\r\nb\r\nEND\r\n"],
  ],
  "append and prepend need an item": [
    ["append k 0 0 1\r\na\r\n", "NOT_STORED\r\n"],
    ["prepend k 0 0 1\r\na\r\n", "NOT_STORED\r\n"],
    ["get k\r\n", "END\r\n"],
  ],
  "append and prepend keep flags and expiry, under a new unique": [
    ["set k 5 10 1\r\nb\r\n", "STORED\r\n"],
    ["append k 9 0 1\r\nc\r\nprepend k 9 0 1\r\na\r\n", "STORED\r\nSTORED\r\n"],
    ["gets k\r\n", "VALUE k 5 3 3\r\nabc\r\nEND\r\n"],
    10,
    ["get k\r\n", "END\r\n"],
  ],
  "append of nothing is stored": [
    ["set k 0 0 1\r\na\r\nappend k 0 0 0\r\n\r\n", "STORED\r\nSTORED\r\n"],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
  ],
  "cas stores where the unique is still there": [
    ["cas k 0 0 1 1\r\na\r\n", "NOT_FOUND\r\n"],
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["cas k 4 0 1 1\r\nb\r\n", "STORED\r\n"],
    ["cas k 4 0 1 1\r\nc\r\n", "EXISTS\r\n"],
    ["gets k\r\n", "VALUE k 4 1 2\r\nb\r\nEND\r\n"],
  ],
  "cas with 0 finds another unique, or nothing": [
    ["cas k 0 0 1 0\r\na\r\n", "NOT_FOUND\r\n"],
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["cas k 0 0 1 0\r\nb\r\n", "EXISTS\r\n"],
  ],
  "cas takes 64 bits": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["cas k 0 0 1 18446744073709551615\r\nb\r\n", "EXISTS\r\n"],
    ["cas k 0 0 1 18446744073709551616\r\nb\r\n", FORMAT],
  ],
  "cas without a number as unique has a bad format, and its value is passed over": [
    ["cas k 0 0 1\r\nx\r\n", FORMAT],
    ["cas k 0 0 1 x\r\nx\r\n", FORMAT],
    ["cas k 0 0 1 -1\r\nx\r\n", FORMAT],
    ["cas k 0 0 1 noreply\r\nx\r\n", ""],
    ["get k\r\n", "END\r\n"],
  ],
  "flags are 32 bits, and wrap": [
    ["set k 4294967295 0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 4294967295 1\r\na\r\nEND\r\n"],
    ["set k 4294967296 0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
    ["set k 4294967297 0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 1 1\r\na\r\nEND\r\n"],
  ],
  "flags below 0 count down from 2^64, as C reads them, and are refused in its upper half": [
    ["set k -0 0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
    ["set k -18446744073709551615 0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 1 1\r\na\r\nEND\r\n"],
    ["set k -18446744073709551616 0 1\r\nb\r\n", FORMAT],
    ["set k -9223372036854775808 0 1\r\nb\r\n", FORMAT],
    ["get k\r\n", "VALUE k 1 1\r\na\r\nEND\r\n"],
  ],
  "flags and exptime end at a blank of any kind, or a NUL": [
    ["set k 7\tx 0\v 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 7 1\r\na\r\nEND\r\n"],
    ["set k \t8\x00x +0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 8 1\r\na\r\nEND\r\n"],
  ],
  "a minus alone is a length of 0, and so is one before it": each(
    (command, unique) =>
      ["-", "-0"].map((length) => [
        `${command} none 0 0 ${length}${unique}\r\nversion\r\n`,
        `${CHUNK}ERROR\r\n`,
      ]),
  ),
  "a length has at most 11 letters": [
    ["set k 0 0 00000000001\r\na\r\n", "STORED\r\n"],
    ["set k 0 0 000000000001\r\nversion\r\n", FORMAT + VERSION],
  ],
  "numbers may have leading zeros": [
    ["set k 007 000 0002\r\nab\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 7 2\r\nab\r\nEND\r\n"],
  ],
  "flags and exptime that are no numbers have a bad format, and the value is passed over": each(
    (command, unique) =>
      ["-1 0", "x 0", "1.5 0", "0x2 0", "++2 0", "0 x", "0 1.5", "0 0x2", "0 +-2", "0 -", "0 --1"]
        .map((numbers) => [`${command} k ${numbers} 1${unique}\r\na\r\n`, FORMAT]),
  ),
  "a length that is none has a bad format, and what follows is read as commands": each(
    (command, unique) =>
      ["-1", "x", "1.5", "0x2", "+2", "2147483646", "2147483647", "4294967295", "4294967297"]
        .map((length) => [`${command} k 0 0 ${length}${unique}\r\nversion\r\n`, FORMAT + VERSION]),
  ),
  "a length that is none is answered also with noreply": each(
    (command, unique) => [[`${command} k 0 0 x${unique} noreply\r\n`, FORMAT]],
  ),
  "a value that does not end where it should is a bad chunk, and the old one stays": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["set k 0 0 1\r\nbcd\r\n", `${CHUNK}${FORMAT}`],
    ["set k 0 0 2\r\nb\r\nget k\r\n", `${CHUNK}ERROR\r\n`],
    ["set k 0 0 1\r\nb\n\n", CHUNK],
    ["set k 0 0 3\nb\r\n\r\nversion\r\n", `STORED\r\n${VERSION}`],
    ["get k\r\n", "VALUE k 0 3\r\nb\r\n\r\nEND\r\n"],
  ],
  "a value that ends with a line feed alone is a bad chunk": each(
    (command, unique) => [[`${command} k 0 0 1${unique}\r\na\nxversion\r\n`, CHUNK + VERSION]],
  ),
  "what follows a bad chunk is parsed from the byte after it": [
    ["set k 0 0 4\r\nabcdefversion\r\n", CHUNK + VERSION],
  ],
  "a request that ends before its value is not run": [
    ["set k 0 0 3\r\nab", ""],
    ["set k 0 0 3\r\nabc\r", ""],
    ["set k 0 0 3", ""],
    ["get k\r\n", "END\r\n"],
  ],
});

/** The greatest value that fits for a key, in bytes: item header, cas, ends, and flags where they are. */
function greatest(key: string, flags: number): number {
  return 1024 - 48 - 8 - 1 - 2 - (flags === 0 ? 0 : 4) - key.length;
}

function setOf(key: string, flags: number, length: number): string {
  return `set ${key} ${flags} 0 ${length}\r\n${"x".repeat(length)}\r\n`;
}

rules("item size", {
  "the limit counts key, flags and overhead as memcached does": [
    [setOf("k", 0, greatest("k", 0)), "STORED\r\n"],
    [setOf("k", 0, greatest("k", 0) + 1), TOO_LARGE],
    [setOf("k", 1, greatest("k", 1)), "STORED\r\n"],
    [setOf("k", 1, greatest("k", 1) + 1), TOO_LARGE],
    [setOf("k".repeat(250), 0, greatest("k".repeat(250), 0)), "STORED\r\n"],
    [setOf("k".repeat(250), 0, greatest("k".repeat(250), 0) + 1), TOO_LARGE],
  ],
  "what is too large is answered after its value went by, and the connection goes on": each(
    (command, unique) => [[
      `${command} k 0 0 2000${unique}\r\n${"x".repeat(2000)}\r\nversion\r\n`,
      TOO_LARGE + VERSION,
    ]],
  ),
  "a set that is too large removes the old value": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    [setOf("k", 0, 2000), TOO_LARGE],
    ["get k\r\n", "END\r\n"],
  ],
  "a set that is too large removes the old value also with noreply": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    [setOf("k", 0, 2000).replace("\r", " noreply\r"), ""],
    ["get k\r\n", "END\r\n"],
  ],
  "the other commands keep the old value": commands.slice(1).flatMap((
    [command, unique],
  ): Step[] => [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    [`${command} k 0 0 2000${unique}\r\n${"x".repeat(2000)}\r\n`, TOO_LARGE],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
  ]),
  "a value that would grow over the limit is not stored": [
    [setOf("k", 0, 900), "STORED\r\n"],
    [`append k 0 0 200\r\n${"y".repeat(200)}\r\n`, "NOT_STORED\r\n"],
    [`prepend k 0 0 200\r\n${"y".repeat(200)}\r\n`, "NOT_STORED\r\n"],
    ["incr k 1\r\n", NUMBER],
    ["get k\r\n", `VALUE k 0 900\r\n${"x".repeat(900)}\r\nEND\r\n`],
  ],
}, { context: { limits: { itemSize: 1024 } } });

rules("item size", {
  "with the limit of 1 MiB a value may have 1,048,516 bytes under a key of one": [
    [setOf("k", 0, 1_048_516), "STORED\r\n"],
    [setOf("k", 0, 1_048_517), TOO_LARGE],
    [setOf("k".repeat(250), 0, 1_048_267), "STORED\r\n"],
    [setOf("k".repeat(250), 0, 1_048_268), TOO_LARGE],
  ],
});

const full = () => {
  const clock = new AdjustableClock();
  const store = openMemoryStore({ clock, log: () => {}, limit: 1000, evict: false });
  return new Harness({ clock, store: () => store });
};
const NO_ROOM = "SERVER_ERROR out of memory storing object\r\n";

Deno.test("storage: after a set that was refused for want of room a get misses", async () => {
  await using harness = full();
  assertEquals(
    await harness.exchange([
      "set k 0 0 1\r\na\r\nset l 0 0 1\r\na\r\n",
      `set k 0 0 2000\r\n${"x".repeat(2000)}\r\nget k\r\nget l\r\n`,
    ]),
    `STORED\r\nSTORED\r\n${NO_ROOM}END\r\nVALUE l 0 1\r\na\r\nEND\r\n`,
  );
});

Deno.test("storage: what another command was refused for want of room stays as it was", async () => {
  await using harness = full();
  const value = "x".repeat(2000);
  assertEquals(
    await harness.exchange([
      "set k 0 0 1\r\na\r\n",
      ...["replace", "append", "prepend"].map((command) => `${command} k 0 0 2000\r\n${value}\r\n`),
      `cas k 0 0 2000 1\r\n${value}\r\nget k\r\n`,
    ]),
    `STORED\r\n${NO_ROOM.repeat(4)}VALUE k 0 1\r\na\r\nEND\r\n`,
  );
});
