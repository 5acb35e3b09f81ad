import type { Rules } from "../rules.ts";

/** What `md` does and answers. */
export const deleteRules: Rules = {
  "md deletes": [
    ["md k\r\n", "NF\r\n"],
    ["ms k 1\r\na\r\nmd k\r\nmg k\r\nmd k\r\n", "HD\r\nHD\r\nEN\r\nNF\r\n"],
  ],
  "md returns k and O in their order, whatever came of it": [
    ["md k O1 k\r\n", "NF O1 kk\r\n"],
    ["ms k 1\r\na\r\nmd k k O1 C5\r\nmd k k O1\r\n", "HD\r\nEX kk O1\r\nHD kk O1\r\n"],
  ],
  "md returns nothing for other flags": [
    ["ms k 1\r\na\r\nmd k c f h l s t v\r\n", "HD\r\nHD\r\n"],
  ],
  "md q hides HD and nothing else": [
    ["md k q\r\nmd k q O1\r\nmn\r\n", "NF\r\nNF O1\r\nMN\r\n"],
    ["ms k 1\r\na\r\nmd k q C5\r\nmd k q\r\nmn\r\n", "HD\r\nEX\r\nMN\r\n"],
    ["ms k 1\r\na\r\nmd k q I\r\nmd k x q\r\nmn\r\nmg k v\r\n", "HD\r\nMN\r\nVA 0\r\n\r\n"],
  ],
  "md C deletes where the unique is still there": [
    ["ms k 1 c\r\na\r\n", "HD c#1\r\n"],
    ["md k C{1+1}\r\nmd k C0\r\nmg k\r\nmd k C{1}\r\nmg k\r\n", "EX\r\nEX\r\nHD\r\nHD\r\nEN\r\n"],
    ["md k C5\r\n", "NF\r\n"],
  ],
  "md of what has expired finds nothing": [
    ["ms k 1 T10\r\na\r\n", "HD\r\n"],
    10,
    ["md k\r\n", "NF\r\n"],
  ],
  "md T alone only deletes": [["ms k 1\r\na\r\nmd k T30\r\nmg k\r\n", "HD\r\nHD\r\nEN\r\n"]],
  "md I marks as stale, under a new unique, and keeps the rest": [
    ["ms k 1 c F5 T100\r\na\r\n", "HD c#1\r\n"],
    ["md k I\r\n", "HD\r\n"],
    ["mg k c f t v\r\n", "VA 1 c#2 f5 t100 X W\r\na\r\n"],
  ],
  "md I T sets another time to live": [
    ["ms k 1 T100\r\na\r\nmd k I T30\r\n", "HD\r\nHD\r\n"],
    ["mg k t v\r\n", "VA 1 t30 X W\r\na\r\n"],
    30,
    ["mg k t v\r\n", "EN\r\n"],
  ],
  "md I C marks where the unique is still there": [
    ["ms k 1 c\r\na\r\n", "HD c#1\r\n"],
    [
      "md k I C{1+1}\r\nmg k v\r\nmd k I C{1}\r\nmg k v\r\n",
      "EX\r\nVA 1\r\na\r\nHD\r\nVA 1 X W\r\na\r\n",
    ],
  ],
  "md I E sets the unique": [
    ["ms k 1\r\na\r\nmd k I E777\r\nms k 1 C777\r\nb\r\n", "HD\r\nHD\r\nHD\r\n"],
  ],
  "md I of nothing finds nothing": [["md k I\r\nmg k\r\n", "NF\r\nEN\r\n"]],
  "md x keeps the key, without value, flags and time": [
    ["ms k 3 F5 T100\r\nabc\r\nmd k x\r\n", "HD\r\nHD\r\n"],
    ["mg k v f t s\r\n", "VA 0 f0 t-1 s0\r\n\r\n"],
  ],
  "md x keeps the unique, but for E": [
    ["ms k 3 c\r\nabc\r\n", "HD c#1\r\n"],
    ["md k x\r\nmg k c\r\nmd k x E99\r\nms k 1 C99\r\na\r\n", "HD\r\nHD c#1\r\nHD\r\nHD\r\n"],
  ],
  "md x takes F and T": [
    ["ms k 3\r\nabc\r\nmd k x F9 T60\r\n", "HD\r\nHD\r\n"],
    ["mg k v f t\r\n", "VA 0 f9 t60\r\n\r\n"],
  ],
  "md x I empties and marks as stale": [
    ["ms k 3 c\r\nabc\r\n", "HD c#1\r\n"],
    ["md k x I T30\r\nmg k v t c\r\n", "HD\r\nVA 0 t30 c#2 X W\r\n\r\n"],
  ],
  "md x of nothing finds nothing": [["md k x\r\nmg k\r\n", "NF\r\nEN\r\n"]],
};
