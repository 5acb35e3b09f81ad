import type { Rules } from "../rules.ts";

const NOT_NUMERIC = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";

/** What `ma` does and answers. */
export const arithmeticRules: Rules = {
  "ma adds one": [
    ["ms k 1\r\n5\r\nma k\r\nmg k v\r\n", "HD\r\nHD\r\nVA 1\r\n6\r\n"],
  ],
  "ma v returns the number": [
    ["ms k 1\r\n9\r\nma k v\r\n", "HD\r\nVA 2\r\n10\r\n"],
  ],
  "ma D is what is added, of 64 bits": [
    ["ms k 1\r\n5\r\nma k D7 v\r\nma k D0 v\r\n", "HD\r\nVA 2\r\n12\r\nVA 2\r\n12\r\n"],
    ["ma k D18446744073709551615 v\r\n", "VA 2\r\n11\r\n"],
  ],
  "ma M chooses up or down": [
    ["ms k 2\r\n50\r\n", "HD\r\n"],
    ["ma k MI v\r\nma k M+ v\r\nma k MIncr v\r\n", "VA 2\r\n51\r\nVA 2\r\n52\r\nVA 2\r\n53\r\n"],
    ["ma k MD v\r\nma k M- v\r\nma k MDecr v\r\n", "VA 2\r\n52\r\nVA 2\r\n51\r\nVA 2\r\n50\r\n"],
  ],
  "ma M of another mode is refused": [
    ["ms k 1\r\n5\r\n", "HD\r\n"],
    ...["Mi", "Md", "MA", "M", "MX"].map((mode) =>
      [`ma k ${mode}\r\n`, "CLIENT_ERROR invalid mode for ma M token\r\n"] as const
    ),
    ["mg k v\r\n", "VA 1\r\n5\r\n"],
  ],
  "ma down stops at 0, and up wraps at 2^64": [
    ["ms k 1\r\n5\r\nma k MD D9 v\r\n", "HD\r\nVA 1\r\n0\r\n"],
    ["ms k 20\r\n18446744073709551615\r\nma k v\r\n", "HD\r\nVA 1\r\n0\r\n"],
  ],
  "a number that gets shorter is padded in the item, and not in the reply": [
    ["ms k 2\r\n10\r\nma k MD v\r\nmg k v\r\n", "HD\r\nVA 1\r\n9\r\nVA 2\r\n9 \r\n"],
  ],
  "ma returns c, k, O and t in their order": [
    ["ms k 1 T100 c\r\n5\r\n", "HD c#1\r\n"],
    ["ma k k O1 t c v\r\n", "VA 1 kk O1 t100 c#2\r\n6\r\n"],
    ["ma k c t O1 k\r\nmg k c\r\n", "HD c#3 t100 O1 kk\r\nHD c#3\r\n"],
  ],
  "ma returns k and O of what is not there": [["ma k O1 k t c v\r\n", "NF O1 kk\r\n"]],
  "ma T sets another time to live, from where it stands": [
    [
      "ms k 1\r\n5\r\nma k t T30\r\nma k T60 t\r\nmg k t\r\n",
      "HD\r\nHD t-1\r\nHD t60\r\nHD t60\r\n",
    ],
  ],
  "ma keeps flags and time to live": [
    ["ms k 1 F5 T100\r\n5\r\nma k\r\nmg k f t\r\n", "HD\r\nHD\r\nHD f5 t100\r\n"],
  ],
  "ma N makes an item of J": [
    ["ma k N60 J13 v t c\r\n", "VA 2 t60 c#1\r\n13\r\n"],
    ["ma k N60 J13 v\r\nmg k v t\r\n", "VA 2\r\n14\r\nVA 2 t60\r\n14\r\n"],
    ["ma l N0 v\r\nmg l v t\r\n", "VA 1\r\n0\r\nVA 1 t-1\r\n0\r\n"],
    ["ma m N60 t J18446744073709551615 v\r\n", "VA 20 t60\r\n18446744073709551615\r\n"],
  ],
  "ma N makes an item that takes its unique of E": [
    ["ma k N0 E500\r\nms k 1 C500\r\na\r\n", "HD\r\nHD\r\n"],
  ],
  "ma q hides HD and the number, and nothing else": [
    ["ma k q\r\nma k q O1 v\r\nma k N0 q v\r\nmn\r\n", "NF\r\nNF O1\r\nMN\r\n"],
    ["ma k q\r\nma k q v\r\nma k C123456 q\r\nmn\r\nmg k v\r\n", "EX\r\nMN\r\nVA 1\r\n2\r\n"],
    ["ms k 1\r\nx\r\nma k q\r\n", `HD\r\n${NOT_NUMERIC}`],
  ],
  "ma C changes where the unique is still there": [
    ["ms k 1 c\r\n5\r\n", "HD c#1\r\n"],
    ["ma k C{1+1} v k\r\nma k C{1} v\r\nma k C{1} v\r\n", "EX kk\r\nVA 1\r\n6\r\nEX\r\n"],
    ["ma l C5 O1\r\n", "NF O1\r\n"],
  ],
  "ma C0 is no condition": [["ms k 1\r\n5\r\nma k C0 v\r\n", "HD\r\nVA 1\r\n6\r\n"]],
  "ma E sets the unique that the item gets": [
    ["ms k 1\r\n5\r\nma k E1000 c\r\nma k C1000 v\r\n", "HD\r\nHD c#1\r\nVA 1\r\n7\r\n"],
  ],
  "ma of what is no number is refused": [
    ...["", "x", "-5", "1x", "18446744073709551616"].map((value) =>
      [
        `ms k ${value.length}\r\n${value}\r\nma k v\r\nmg k v\r\n`,
        `HD\r\n${NOT_NUMERIC}VA ${value.length}\r\n${value}\r\n`,
      ] as const
    ),
  ],
  "ma of what has expired finds nothing": [
    ["ms k 1 T10\r\n5\r\n", "HD\r\n"],
    10,
    ["ma k\r\n", "NF\r\n"],
  ],
  "ma of a number that keeps its length keeps its marks": [
    ["ms k 1\r\n5\r\nmd k I\r\nma k v\r\nmg k v\r\n", "HD\r\nHD\r\nVA 1\r\n6\r\nVA 1 X W\r\n6\r\n"],
    ["ma k v\r\nmg k v h\r\n", "VA 1\r\n7\r\nVA 1 h1 Z X\r\n7\r\n"],
  ],
  "ma of a number that gets longer keeps its marks and its time too": [
    ["ms k 1 T50\r\n9\r\nmd k I\r\nma k v T70\r\n", "HD\r\nHD\r\nVA 2\r\n10\r\n"],
    ["mg k v t\r\n", "VA 2 t70 X W\r\n10\r\n"],
  ],
};
