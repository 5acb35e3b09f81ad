import { rules, type Step } from "./rules.ts";

const HIT = "VALUE k 0 1\r\na\r\nEND\r\n";
const MISS = "END\r\n";
const DAYS_30 = 60 * 60 * 24 * 30;

function setFor(exptime: number): Step {
  return [`set k 0 ${exptime} 1\r\na\r\n`, "STORED\r\n"];
}

const now = Math.floor(Date.now() / 1000);

rules("exptime", {
  "0 is never": [setFor(0), 10 * 365 * 86400, ["get k\r\n", HIT]],
  "up to 30 days counts from now": [
    setFor(DAYS_30),
    DAYS_30 - 2,
    ["get k\r\n", HIT],
    2,
    ["get k\r\n", MISS],
  ],
  "one second is not rounded to none": [setFor(1), ["get k\r\n", HIT], 1, ["get k\r\n", MISS]],
  "over 30 days is a moment in Unix time": [
    setFor(now + 100),
    ["get k\r\n", HIT],
    90,
    ["get k\r\n", HIT],
    11,
    ["get k\r\n", MISS],
  ],
  "a moment in the past is stored and has expired": [
    setFor(now - 100),
    ["get k\r\n", MISS],
    setFor(DAYS_30 + 1),
    ["get k\r\n", MISS],
  ],
  "less than 0 is stored and has expired": [
    setFor(-1),
    ["get k\r\n", MISS],
    ["add k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", HIT],
    setFor(-2147483648),
    ["get k\r\n", MISS],
  ],
  "an expired item is absent to every command": [
    ["set k 0 5 1\r\n1\r\n", "STORED\r\n"],
    5,
    ["get k\r\ngat 0 k\r\ntouch k 0\r\n", `${MISS}${MISS}NOT_FOUND\r\n`],
    ["incr k 1\r\ndecr k 1\r\ndelete k\r\n", "NOT_FOUND\r\n".repeat(3)],
    [
      "replace k 0 0 1\r\na\r\nappend k 0 0 1\r\na\r\nprepend k 0 0 1\r\na\r\n",
      "NOT_STORED\r\n".repeat(3),
    ],
    ["cas k 0 0 1 1\r\na\r\n", "NOT_FOUND\r\n"],
    ["add k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["get k\r\n", HIT],
  ],
  "each set gives an item a new one": [
    setFor(5),
    setFor(50),
    10,
    ["get k\r\n", HIT],
    setFor(0),
    100,
    ["get k\r\n", HIT],
  ],
  "replace and cas bring their own": [
    ["set k 0 5 1\r\na\r\nreplace k 0 50 1\r\na\r\n", "STORED\r\nSTORED\r\n"],
    10,
    ["get k\r\n", HIT],
    ["cas k 0 5 1 2\r\na\r\n", "STORED\r\n"],
    5,
    ["get k\r\n", MISS],
  ],
});
