import { rules, type Step } from "./rules.ts";

const NOT_A_NUMBER = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
const BAD_DELTA = "CLIENT_ERROR invalid numeric delta argument\r\n";

function holding(value: string, ...steps: Step[]): Step[] {
  return [[`set n 5 0 ${value.length}\r\n${value}\r\n`, "STORED\r\n"], ...steps];
}

rules("arithmetic", {
  "incr adds and decr takes away": holding(
    "10",
    ["incr n 5\r\n", "15\r\n"],
    ["decr n 4\r\n", "11\r\n"],
    ["get n\r\n", "VALUE n 5 2\r\n11\r\nEND\r\n"],
  ),
  "a key without an item is not found": [
    ["incr n 1\r\n", "NOT_FOUND\r\n"],
    ["decr n 1\r\n", "NOT_FOUND\r\n"],
  ],
  "incr wraps at 2^64": holding(
    "18446744073709551615",
    ["incr n 1\r\n", "0\r\n"],
  ),
  "incr and decr keep all 64 bits": holding(
    "9007199254740993",
    ["incr n 9007199254740993\r\n", "18014398509481986\r\n"],
    ["incr n 18428729675200069630\r\n", "0\r\n"],
    ["incr n 18446744073709551615\r\n", "18446744073709551615\r\n"],
    ["decr n 1\r\n", "18446744073709551614\r\n"],
  ),
  "decr stops at 0": holding("5", ["decr n 6\r\n", "0\r\n"], ["decr n 1\r\n", "0\r\n"]),
  "a number that gets shorter keeps its length, with spaces behind it": holding(
    "100",
    ["decr n 1\r\n", "99\r\n"],
    ["get n\r\n", "VALUE n 5 3\r\n99 \r\nEND\r\n"],
    ["incr n 1\r\n", "100\r\n"],
    ["get n\r\n", "VALUE n 5 3\r\n100\r\nEND\r\n"],
  ),
  "a number that gets longer makes the value longer": holding(
    "9",
    ["incr n 1\r\n", "10\r\n"],
    ["get n\r\n", "VALUE n 5 2\r\n10\r\nEND\r\n"],
  ),
  "flags and expiry stay, and the unique is new": [
    ["set n 5 10 1\r\n1\r\n", "STORED\r\n"],
    ["incr n 1\r\n", "2\r\n"],
    ["gets n\r\n", "VALUE n 5 1 2\r\n2\r\nEND\r\n"],
    10,
    ["incr n 1\r\n", "NOT_FOUND\r\n"],
  ],
  "leading zeros and spaces around a number are taken": [
    ...holding("007", ["incr n 1\r\n", "8\r\n"]),
    ...holding("  7", ["incr n 1\r\n", "8\r\n"]),
    ...holding("7  ", ["incr n 1\r\n", "8\r\n"]),
    ...holding("0000000000000000000000001", ["incr n 1\r\n", "2\r\n"]),
  ],
  "a plus before a number is taken, and blanks of all kinds around it": [
    ...holding("+7", ["incr n 1\r\n", "8\r\n"]),
    ...holding("\t\r\n7\v\f", ["incr n 1\r\n", "8\r\n"]),
  ],
  "a number below 0 counts down from 2^64, and is none in its upper half": [
    ...holding("-0", ["incr n 1\r\n", "1\r\n"], ["get n\r\n", "VALUE n 5 2\r\n1 \r\nEND\r\n"]),
    ...holding("-18446744073709551615", ["incr n 1\r\n", "2\r\n"]),
    ...holding("-18446744073709551616", ["incr n 1\r\n", NOT_A_NUMBER]),
    ...holding("-9223372036854775808", ["incr n 1\r\n", NOT_A_NUMBER]),
  ],
  "a delta has at most 22 letters": holding(
    "1",
    ["incr n 0018446744073709551615\r\n", "0\r\n"],
    ["incr n 0000000000000000000001\r\n", "1\r\n"],
    ["incr n 00000000000000000000001\r\n", BAD_DELTA],
  ),
  "what stands behind a number and a blank is lost": holding(
    "12 ab",
    ["incr n 1\r\n", "13\r\n"],
    ["get n\r\n", "VALUE n 5 5\r\n13   \r\nEND\r\n"],
  ),
  "a value that is no number is refused and stays": [
    "",
    "a",
    "12ab",
    "-5",
    "1.5",
    "0x1",
    "1e3",
    "+",
    "+ 1",
    "++1",
    "-",
    "1-",
  ]
    .concat("18446744073709551616", "99999999999999999999999", " ")
    .flatMap((value) =>
      holding(
        value,
        ["incr n 1\r\n", NOT_A_NUMBER],
        ["decr n 1\r\n", NOT_A_NUMBER],
        ["get n\r\n", `VALUE n 5 ${value.length}\r\n${value}\r\nEND\r\n`],
      )
    ),
  "a delta is an unsigned number of 64 bits": holding(
    "0",
    ["incr n 18446744073709551615\r\n", "18446744073709551615\r\n"],
    ["decr n 18446744073709551615\r\n", "0\r\n"],
    ["incr n 007\r\n", "7\r\n"],
    ...["x", "-1", "+1", "1.5", "0x1", "18446744073709551616", "1a"].map((delta): Step => [
      `incr n ${delta}\r\n`,
      BAD_DELTA,
    ]),
    ["decr n x\r\n", BAD_DELTA],
  ),
  "a delta that is none is told before the missing key": [["incr none x\r\n", BAD_DELTA]],
});
