import { rules } from "./rules.ts";

const USAGE = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n";
const EXPTIME = "CLIENT_ERROR invalid exptime argument\r\n";

rules("delete", {
  "removes an item": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["delete k\r\n", "DELETED\r\n"],
    ["delete k\r\n", "NOT_FOUND\r\n"],
    ["get k\r\n", "END\r\n"],
  ],
  "does not find an expired item": [
    ["set k 0 5 1\r\na\r\n", "STORED\r\n"],
    5,
    ["delete k\r\n", "NOT_FOUND\r\n"],
  ],
  "takes a 0, and noreply": [
    ["set k 0 0 1\r\na\r\ndelete k 0\r\n", "STORED\r\nDELETED\r\n"],
    ["set k 0 0 1\r\na\r\ndelete k 0 noreply\r\nget k\r\n", "STORED\r\nEND\r\n"],
    ["set k 0 0 1\r\na\r\ndelete k noreply\r\nget k\r\n", "STORED\r\nEND\r\n"],
  ],
  "refuses other words": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["delete k 10\r\n", USAGE],
    ["delete k x\r\n", USAGE],
    ["delete k 0 0\r\n", USAGE],
    ["delete k noreply 0\r\n", USAGE],
    ["delete a b c d e\r\n", USAGE],
    ["delete k x noreply\r\n", ""],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
  ],
});

rules("touch", {
  "sets the expiry and leaves value and unique": [
    ["set k 3 0 1\r\na\r\n", "STORED\r\n"],
    ["touch k 10\r\n", "TOUCHED\r\n"],
    9,
    ["gets k\r\n", "VALUE k 3 1 1\r\na\r\nEND\r\n"],
    1,
    ["get k\r\n", "END\r\n"],
    ["touch k 10\r\n", "NOT_FOUND\r\n"],
  ],
  "with 0 makes an item last": [
    ["set k 0 5 1\r\na\r\n", "STORED\r\n"],
    ["touch k 0\r\n", "TOUCHED\r\n"],
    100,
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
  ],
  "with a negative exptime ends an item": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["touch k -1\r\n", "TOUCHED\r\n"],
    ["get k\r\n", "END\r\n"],
  ],
  "takes a number": [
    ["touch k 000000000001\r\n", EXPTIME],
    ["gat 000000000001 k\r\n", EXPTIME],
    ["touch k -\r\n", "NOT_FOUND\r\n"],
    ["touch k x\r\n", EXPTIME],
    ["touch k 1.5\r\n", EXPTIME],
    ["touch k noreply\r\n", ""],
  ],
});

const A = "VALUE a 0 1\r\nx\r\nEND\r\n";
const SET_A = ["set a 0 0 1\r\nx\r\n", "STORED\r\n"] as const;

rules("flush_all", {
  "makes everything absent that was stored before, and nothing after": [
    [
      "set a 0 0 1\r\nx\r\nflush_all\r\nget a\r\nset b 0 0 1\r\ny\r\n",
      "STORED\r\nOK\r\nEND\r\nSTORED\r\n",
    ],
    ["get a b\r\n", "VALUE b 0 1\r\ny\r\nEND\r\n"],
  ],
  "makes an item absent for every command": [
    ["set a 0 0 1\r\n1\r\nset b 0 0 1\r\n1\r\nset c 0 0 1\r\n1\r\n", "STORED\r\n".repeat(3)],
    ["flush_all\r\n", "OK\r\n"],
    ["incr a 1\r\ntouch a 0\r\ngat 0 a\r\n", "NOT_FOUND\r\nNOT_FOUND\r\nEND\r\n"],
    [
      "delete a\r\nreplace b 0 0 1\r\nx\r\nappend b 0 0 1\r\nx\r\n",
      "NOT_FOUND\r\nNOT_STORED\r\nNOT_STORED\r\n",
    ],
    ["cas c 0 0 1 3\r\nx\r\nadd c 0 0 1\r\nx\r\n", "NOT_FOUND\r\nSTORED\r\n"],
  ],
  "with 0 or less is now": [
    SET_A,
    ["flush_all 0\r\nget a\r\n", "OK\r\nEND\r\n"],
    SET_A,
    ["flush_all -1\r\nget a\r\n", "OK\r\nEND\r\n"],
  ],
  "with a delay takes all that is stored until then": [
    SET_A,
    ["flush_all 10\r\n", "OK\r\n"],
    ["get a\r\n", A],
    5,
    ["set b 0 0 1\r\nx\r\n", "STORED\r\n"],
    4,
    ["get a\r\n", A],
    1,
    ["get a b\r\n", "END\r\n"],
    SET_A,
    ["get a\r\n", A],
  ],
  "replaces one that is pending": [
    SET_A,
    ["flush_all 10\r\nflush_all 100\r\n", "OK\r\nOK\r\n"],
    11,
    ["get a\r\n", A],
    89,
    ["get a\r\n", "END\r\n"],
  ],
  "now replaces one that is pending": [
    ["flush_all 10\r\nflush_all\r\n", "OK\r\nOK\r\n"],
    SET_A,
    11,
    ["get a\r\n", A],
  ],
  "takes a number, and tells noreply from it": [
    ["flush_all x\r\n", EXPTIME],
    ["flush_all 1.5\r\n", EXPTIME],
    ["flush_all noreply\r\n", ""],
    ["flush_all 0 noreply\r\n", ""],
    ["flush_all x noreply\r\n", ""],
  ],
});

rules("flush_all", {
  "is refused where it is forbidden, and silent with noreply": [
    SET_A,
    ["flush_all\r\n", "CLIENT_ERROR flush_all not allowed\r\n"],
    ["flush_all 0\r\n", "CLIENT_ERROR flush_all not allowed\r\n"],
    ["flush_all noreply\r\n", ""],
    ["get a\r\n", A],
  ],
}, { context: { allowFlush: false } });
