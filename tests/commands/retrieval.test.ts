import { rules } from "./rules.ts";

rules("retrieval", {
  "get returns flags, length and value": [
    ["set k 5 0 3\r\nabc\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 5 3\r\nabc\r\nEND\r\n"],
  ],
  "gets returns the cas unique as well": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["gets k\r\n", "VALUE k 0 1 1\r\na\r\nEND\r\n"],
  ],
  "a miss is END alone": [["get k\r\n", "END\r\n"], ["gets k l m\r\n", "END\r\n"]],
  "hits come in the order of the keys, and as often as they are asked for": [
    ["set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n", "STORED\r\nSTORED\r\n"],
    ["get b x a b\r\n", "VALUE b 0 1\r\n2\r\nVALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nEND\r\n"],
  ],
  "an empty value is a value": [
    ["set k 0 0 0\r\n\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 0 0\r\n\r\nEND\r\n"],
  ],
  "a value may hold line ends and look like a reply": [
    ["set k 0 0 12\r\n\r\nEND\r\nget a\r\n", "STORED\r\n"],
    ["get k\r\n", "VALUE k 0 12\r\n\r\nEND\r\nget a\r\nEND\r\n"],
  ],
  "noreply is a key like any other": [
    ["set noreply 0 0 1\r\na\r\n", "STORED\r\n"],
    ["get noreply\r\n", "VALUE noreply 0 1\r\na\r\nEND\r\n"],
    ["gat 0 x noreply\r\n", "VALUE noreply 0 1\r\na\r\nEND\r\n"],
  ],
  "gat returns the value and sets the expiry": [
    ["set a 3 0 1\r\nx\r\nset b 0 0 1\r\ny\r\n", "STORED\r\nSTORED\r\n"],
    ["gat 10 a none b\r\n", "VALUE a 3 1\r\nx\r\nVALUE b 0 1\r\ny\r\nEND\r\n"],
    9,
    ["get a b\r\n", "VALUE a 3 1\r\nx\r\nVALUE b 0 1\r\ny\r\nEND\r\n"],
    1,
    ["get a b\r\n", "END\r\n"],
  ],
  "gats keeps the cas unique": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["gats 10 k\r\n", "VALUE k 0 1 1\r\na\r\nEND\r\n"],
    ["gats 20 k\r\n", "VALUE k 0 1 1\r\na\r\nEND\r\n"],
    ["cas k 0 0 1 1\r\nb\r\n", "STORED\r\n"],
  ],
  "gat with 0 makes an item last": [
    ["set k 0 5 1\r\na\r\n", "STORED\r\n"],
    ["gat 0 k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
    100,
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
  ],
  "gat with a negative exptime gives the value a last time": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["gat -1 k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
    ["get k\r\n", "END\r\n"],
  ],
  "gat takes a number for exptime": [
    ["gat x k\r\n", "CLIENT_ERROR invalid exptime argument\r\n"],
    ["gats 1.5 k\r\n", "CLIENT_ERROR invalid exptime argument\r\n"],
    ["gat 1x k l\r\n", "CLIENT_ERROR invalid exptime argument\r\n"],
  ],
});
