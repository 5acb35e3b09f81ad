import { rules } from "./rules.ts";

const FORMAT = "CLIENT_ERROR bad command line format\r\n";
const key = (length: number) => "k".repeat(length);

rules("line", {
  "a line feed alone ends it": [["version\n", "VERSION 1.6.45-kvs-test\r\n"]],
  "one carriage return before the line feed is dropped": [
    ["version\r\n", "VERSION 1.6.45-kvs-test\r\n"],
    ["get a\r\r\n", "END\r\n"],
    ["version\r\r\n", "ERROR\r\n"],
  ],
  "commands are in lower case only": [["GET a\r\n", "ERROR\r\n"], ["Version\r\n", "ERROR\r\n"]],
  "an unknown command is an ERROR": [["frobnicate a b\r\n", "ERROR\r\n"]],
  "a command must be a whole word": [
    ["getss a\r\n", "ERROR\r\n"],
    ["ge a\r\n", "ERROR\r\n"],
    ["sets a 0 0 1\r\n", "ERROR\r\n"],
  ],
  "runs of spaces count as one, and spaces at the end as none": [
    ["set  a   7  0    2   \r\nhi\r\n", "STORED\r\n"],
    ["get   a    b  \r\n", "VALUE a 7 2\r\nhi\r\nEND\r\n"],
  ],
  "a space before the command makes it an ERROR": [[" version\r\n", "ERROR\r\n"]],
  "a tab is part of a word": [
    ["set a\tb 0 0 1\r\nx\r\n", "STORED\r\n"],
    ["get a\tb\r\n", "VALUE a\tb 0 1\r\nx\r\nEND\r\n"],
    ["get\ta\r\n", "ERROR\r\n"],
  ],
  "one shorter than two bytes has a bad format": [
    ["\r\n", FORMAT],
    ["\n", FORMAT],
    ["a\r\n", FORMAT],
    [" \n", FORMAT],
  ],
  "a known command with too few words has a bad format": [
    "get",
    "gets",
    "gat",
    "gat 0",
    "gats 0",
    "set",
    "set k",
    "set k 0 0",
    "add k 0 0",
    "replace k 0 0",
    "append k 0 0",
    "prepend k 0 0",
    "cas k 0 0",
    "incr",
    "incr k",
    "decr k",
    "touch",
    "touch k",
    "delete",
    "verbosity",
    "get ",
  ].map((line) => [`${line}\r\n`, FORMAT]),
  "more words than a command has are ignored": [
    ["set k 0 0 1 2 3\r\na\r\n", "STORED\r\n"],
    ["version please\r\n", "VERSION 1.6.45-kvs-test\r\n"],
    ["touch k 0 x y\r\n", "TOUCHED\r\n"],
    ["incr k 1 2 3\r\n", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"],
    ["version\r\nquit now\r\nversion\r\n", "VERSION 1.6.45-kvs-test\r\n"],
  ],
  "only the last word is looked at for noreply, and of many words the 23rd": [
    ["set k 0 0 1 noreply x\r\na\r\n", "STORED\r\n"],
    [`set k 0 0 1 ${"x ".repeat(17)}noreply\r\nb\r\n`, ""],
    ["get k\r\n", "VALUE k 0 1\r\nb\r\nEND\r\n"],
    [`set k 0 0 1 ${"x ".repeat(18)}noreply\r\nb\r\n`, "STORED\r\n"],
    [`set k 0 0 1 ${"x ".repeat(17)}noreply x x\r\nc\r\n`, ""],
    ["get k\r\n", "VALUE k 0 1\r\nc\r\nEND\r\n"],
  ],
  "what speaks HTTP is hung up on without an answer": [
    ["GET / HTTP/1.1\r\nversion\r\n", ""],
    ["POST /x HTTP/1.0\r\nversion\r\n", ""],
    ["get / HTTP/1.1\r\nversion\r\n", ""],
    ["HTTP/1.1\r\nversion\r\n", ""],
  ],
  "one without its end in 2048 bytes ends the connection": [
    ["version\r\n" + "x".repeat(2049), "VERSION 1.6.45-kvs-test\r\n"],
    [`gat 0 ${"k ".repeat(1100)}\r\nversion\r\n`, ""],
    [`set ${"k ".repeat(1100)}\r\nversion\r\n`, ""],
  ].map(([sent, received]) => [sent.replace("\r\nversion\r\n", ""), received] as const),
  "a retrieval may be of any length": [
    [`get ${"k ".repeat(5000)}k\r\n`, "END\r\n"],
    [`gets ${"k ".repeat(5000)}k\r\n`, "END\r\n"],
  ],
  "a key has up to 250 bytes": [
    [`set ${key(250)} 0 0 1\r\na\r\n`, "STORED\r\n"],
    [`get ${key(250)}\r\n`, `VALUE ${key(250)} 0 1\r\na\r\nEND\r\n`],
  ],
  "a key of 251 bytes has a bad format, and a value with it is passed over": [
    [`set ${key(251)} 0 0 1\r\na\r\n`, FORMAT],
    [`get ${key(251)}\r\n`, FORMAT],
    [`gets ${key(251)}\r\n`, FORMAT],
    [`gat 0 ${key(251)}\r\n`, FORMAT],
    [`delete ${key(251)}\r\n`, FORMAT],
    [`incr ${key(251)} 1\r\n`, FORMAT],
    [`touch ${key(251)} 1\r\n`, FORMAT],
  ],
  "a key too long among others leaves no part of an answer": [
    ["set a 0 0 1\r\na\r\n", "STORED\r\n"],
    [`get a ${key(251)} a\r\n`, FORMAT],
    [`get a ${key(251)}\r\nget a\r\n`, `${FORMAT}VALUE a 0 1\r\na\r\nEND\r\n`],
  ],
  "a key may hold any byte but space and line end": [
    ["set \x00\x01\x7f\x80\xff\t\r. 0 0 1\r\na\r\n", "STORED\r\n"],
    ["get \x00\x01\x7f\x80\xff\t\r.\r\n", "VALUE \x00\x01\x7f\x80\xff\t\r. 0 1\r\na\r\nEND\r\n"],
  ],
  "bytes of the binary protocol are no text command": [
    ["version\r\n\x80\x00\x00\r\n", "VERSION 1.6.45-kvs-test\r\nERROR\r\n"],
  ],
  "what stands before quit is answered and what follows is not run": [
    ["set k 0 0 1\r\na\r\nquit\r\nset k 0 0 1\r\nb\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
  ],
  "replies come in the order of requests": [
    [
      "version\r\nget a\r\nx1\r\nincr a 1\r\n",
      "VERSION 1.6.45-kvs-test\r\nEND\r\nERROR\r\nNOT_FOUND\r\n",
    ],
  ],
  "verbosity takes a number": [
    ["verbosity 1\r\n", "OK\r\n"],
    ["verbosity 0 noreply\r\n", ""],
    ["verbosity x\r\n", FORMAT],
    ["verbosity -1\r\n", FORMAT],
    ["verbosity x noreply\r\n", ""],
  ],
  "shutdown is refused where it is not enabled, whatever its mode": [
    ["shutdown\r\n", "SERVER_ERROR: shutdown not enabled\r\n"],
    ["shutdown graceful\r\n", "SERVER_ERROR: shutdown not enabled\r\n"],
    ["shutdown now\r\n", "SERVER_ERROR: shutdown not enabled\r\n"],
    ["shutdown noreply\r\n", ""],
  ],
});

rules("line", {
  "shutdown has no other mode than graceful": [
    ["shutdown now\r\n", "CLIENT_ERROR invalid shutdown mode\r\n"],
    ["shutdown graceful now\r\n", "CLIENT_ERROR invalid shutdown mode\r\n"],
  ],
}, { context: { shutdown: () => {} } });
