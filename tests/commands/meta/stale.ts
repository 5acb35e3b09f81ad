import type { Rules } from "../rules.ts";

/** Items that somebody is to renew: who is told so, and who is told that another was. */
export const staleRules: Rules = {
  "the first reader of a stale item wins, later ones learn that somebody has": [
    ["ms k 1\r\na\r\nmd k I T30\r\n", "HD\r\nHD\r\n"],
    ["mg k t s v\r\n", "VA 1 t30 s1 X W\r\na\r\n"],
    ["mg k t v\r\nmg k\r\n", "VA 1 t30 Z X\r\na\r\nHD Z X\r\n"],
  ],
  "the reader that wins is shown whether and when it was read before": [
    ["ms k 1\r\na\r\nmd k I\r\n", "HD\r\nHD\r\n"],
    5,
    ["mg k h l\r\nmg k h l\r\n", "HD h0 l5 X W\r\nHD h1 l0 Z X\r\n"],
  ],
  "the reader that wins leaves no trace if it says so": [
    ["ms k 1\r\na\r\nmd k I\r\nmg k u\r\n", "HD\r\nHD\r\nHD X W\r\n"],
    ["mg k h\r\n", "HD h0 Z X\r\n"],
  ],
  "a stale item that is stored is stale no more": [
    ["ms k 1\r\na\r\nmd k I\r\nmg k\r\nms k 1\r\nb\r\n", "HD\r\nHD\r\nHD X W\r\nHD\r\n"],
    ["mg k v\r\n", "VA 1\r\nb\r\n"],
  ],
  "a stale item is stale no more after a set, a cas, an append": [
    ["ms k 1\r\na\r\nmd k I\r\nset k 0 0 1\r\nb\r\nmg k\r\n", "HD\r\nHD\r\nSTORED\r\nHD\r\n"],
    ["md k I\r\nappend k 0 0 1\r\nc\r\nmg k v\r\n", "HD\r\nSTORED\r\nVA 2\r\nbc\r\n"],
    ["md k I E55\r\ncas k 0 0 1 55\r\nd\r\nmg k v\r\n", "HD\r\nSTORED\r\nVA 1\r\nd\r\n"],
  ],
  "a plain get serves a stale item, and takes the win from nobody": [
    ["ms k 1\r\na\r\nmd k I\r\n", "HD\r\nHD\r\n"],
    ["get k\r\n", "VALUE k 0 1\r\na\r\nEND\r\n"],
    ["mg k v\r\n", "VA 1 X W\r\na\r\n"],
  ],
  "another md I lets the next reader win again": [
    ["ms k 1\r\na\r\nmd k I\r\nmg k\r\nmg k\r\n", "HD\r\nHD\r\nHD X W\r\nHD Z X\r\n"],
    ["md k I\r\nmg k\r\nmg k\r\n", "HD\r\nHD X W\r\nHD Z X\r\n"],
  ],
  "ms I with an older unique stores, and the item stays stale": [
    ["ms k 1 c T100\r\na\r\n", "HD c#1\r\n"],
    ["md k I\r\nms k 1 I C{1} T30 F5\r\nb\r\n", "HD\r\nHD\r\n"],
    ["mg k v f t\r\n", "VA 1 f5 t100 X W\r\nb\r\n"],
  ],
  "ms I with the very unique stores, and the item is fresh": [
    ["ms k 1\r\na\r\nmd k I E70\r\nmg k\r\n", "HD\r\nHD\r\nHD X W\r\n"],
    ["ms k 1 I C70 T30\r\nb\r\nmg k v t\r\n", "HD\r\nVA 1 t30\r\nb\r\n"],
  ],
  "ms I with a later unique does not store": [
    ["ms k 1 E70\r\na\r\nms k 1 I C71 c\r\nb\r\nmg k v\r\n", "HD\r\nEX c0\r\nVA 1\r\na\r\n"],
  ],
  "ms I of nothing finds nothing": [["ms k 1 I C5\r\na\r\n", "NF\r\n"]],
  "ms I without C is a plain ms": [["ms k 1 I\r\na\r\nmg k v\r\n", "HD\r\nVA 1\r\na\r\n"]],
  "mg N makes an empty item, whose maker wins": [
    ["mg k N30 v t s k\r\n", "VA 0 t30 s0 kk W\r\n\r\n"],
    ["mg k N30 v t\r\nmg k v\r\n", "VA 0 t30 Z\r\n\r\nVA 0 Z\r\n\r\n"],
    ["ms k 1\r\na\r\nmg k N30 v t\r\n", "HD\r\nVA 1 t-1\r\na\r\n"],
  ],
  "mg N counts t from where it stands": [
    ["mg k t N30\r\nmg l N30 t\r\nmg k t\r\n", "HD t-1 W\r\nHD t30 W\r\nHD t30 Z\r\n"],
  ],
  "what N makes has the time of N or T, whichever stands last": [
    ["mg k N30 T60 t\r\nmg l T60 N30 t\r\n", "HD t60 W\r\nHD t30 W\r\n"],
    ["mg k t\r\nmg l t\r\n", "HD t60 Z\r\nHD t30 Z\r\n"],
    ["ma n N30 T60 t\r\nma o T60 N30 t\r\n", "HD t60\r\nHD t30\r\n"],
    ["mg n t\r\nmg o t\r\n", "HD t60\r\nHD t30\r\n"],
    ["mg p T-1 N0\r\nmg p\r\nmg q N0 T-1\r\nmg q\r\n", "HD W\r\nHD Z\r\nHD W\r\nEN\r\n"],
  ],
  "what N makes shows the time that it has where t stands": [
    ["mg k N30 t T60\r\nmg l T60 t N30\r\n", "HD t30 W\r\nHD t60 W\r\n"],
    ["mg k t\r\nmg l t\r\n", "HD t60 Z\r\nHD t30 Z\r\n"],
    ["ma n N30 t T60\r\nma o T60 t N30\r\n", "HD t30\r\nHD t60\r\n"],
  ],
  "mg N of what is there changes nothing": [
    ["ms k 1 T100\r\na\r\nmg k N30 t v\r\nmg k t\r\n", "HD\r\nVA 1 t100\r\na\r\nHD t100\r\n"],
  ],
  "mg N of what has expired makes a new item": [
    ["ms k 1 T10\r\na\r\n", "HD\r\n"],
    10,
    ["mg k N30 v\r\n", "VA 0 W\r\n\r\n"],
  ],
  "what mg N makes goes when its time has come": [
    ["mg k N30\r\n", "HD W\r\n"],
    30,
    ["mg k N30\r\nmg k N30\r\n", "HD W\r\nHD Z\r\n"],
  ],
  "mg N E sets the unique of what it makes, and of nothing else": [
    ["mg k N30 E99\r\nms k 1 C99\r\na\r\n", "HD W\r\nHD\r\n"],
    ["mg k N30 E55 c\r\nms k 1 C55\r\nb\r\n", "HD c#1\r\nEX\r\n"],
  ],
  "mg q shows the win of what N makes": [[
    "mg k N30 q\r\nmg k N30 q\r\nmn\r\n",
    "HD W\r\nHD Z\r\nMN\r\n",
  ]],
  "mg R lets the first reader near the end win": [
    ["ms k 1 T100\r\na\r\nmg k R30\r\n", "HD\r\nHD\r\n"],
    71,
    ["mg k R30 t\r\nmg k R30 t\r\nmg k\r\n", "HD t29 W\r\nHD t29 Z\r\nHD Z\r\n"],
    ["ms k 1 T100\r\nb\r\nmg k R30 v\r\n", "HD\r\nVA 1\r\nb\r\n"],
  ],
  "mg R of as many seconds as t shows wins nothing": [
    ["ms k 1 T30\r\na\r\n", "HD\r\n"],
    0.25,
    ["mg k R30 t\r\n", "HD t30\r\n"],
    1,
    ["mg k R30 t\r\n", "HD t29 W\r\n"],
  ],
  "mg R means nothing where an item does not expire": [
    ["ms k 1\r\na\r\nmg k R30\r\nmg k R2000000\r\n", "HD\r\nHD\r\nHD\r\n"],
  ],
  "mg R, N and T act in the order in which they stand": [
    ["ms k 1\r\na\r\nmg k T10 R30 t\r\n", "HD\r\nHD t10 W\r\n"],
    ["ms k 1 T10\r\na\r\nmg k T100 R30\r\nmg k T10\r\n", "HD\r\nHD\r\nHD\r\n"],
    ["mg k R30 T100 t\r\nmg k t\r\n", "HD t100 W\r\nHD t100 Z\r\n"],
  ],
  "what N has made is not won again by R": [
    ["mg k N10 R30\r\nmg k R30\r\n", "HD W\r\nHD Z\r\n"],
  ],
  "the win is lost with the item": [
    [
      "ms k 1\r\na\r\nmd k I\r\nmg k\r\nmd k\r\nmg k N30\r\n",
      "HD\r\nHD\r\nHD X W\r\nHD\r\nHD W\r\n",
    ],
  ],
  "u does not keep a reader from winning": [
    ["ms k 1\r\na\r\nmd k I\r\nmg k u h\r\nmg k u h\r\n", "HD\r\nHD\r\nHD h0 X W\r\nHD h0 Z X\r\n"],
  ],
};
