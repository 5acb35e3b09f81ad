import type { Rules } from "../rules.ts";

const TOO_LARGE = "SERVER_ERROR object too large for cache\r\n";
const large = "x".repeat(2 ** 20);

/** What `ms` does and answers. */
export const setRules: Rules = {
  "ms stores whatever is there": [
    ["ms k 1\r\na\r\n", "HD\r\n"],
    ["ms k 2\r\nbc\r\n", "HD\r\n"],
    ["get k\r\n", "VALUE k 0 2\r\nbc\r\nEND\r\n"],
  ],
  "ms stores any bytes": [
    ["ms k 6\r\n\r\n\x00\xff\r\n\r\n", "HD\r\n"],
    ["mg k v\r\n", "VA 6\r\n\r\n\x00\xff\r\n\r\n"],
    ["ms k 0\r\n\r\n", "HD\r\n"],
    ["mg k v s\r\n", "VA 0 s0\r\n\r\n"],
  ],
  "ms F and T give flags and a time to live": [
    ["ms k 1 F4294967295 T100\r\na\r\n", "HD\r\n"],
    ["mg k f t\r\n", "HD f4294967295 t100\r\n"],
    ["ms k 1\r\na\r\n", "HD\r\n"],
    ["mg k f t\r\n", "HD f0 t-1\r\n"],
  ],
  "ms T reads its time as set does": [
    ["ms k 1 T-1\r\na\r\nmg k\r\n", "HD\r\nEN\r\n"],
    ["ms k 1 T2592001\r\na\r\nmg k\r\n", "HD\r\nEN\r\n"],
    ["ms k 1 T2592000\r\na\r\nmg k t\r\n", "HD\r\nHD t2592000\r\n"],
  ],
  "ms returns c, k, s, O and b in their order": [
    ["ms k 3 c k s O9\r\nabc\r\n", "HD c#1 kk s3 O9\r\n"],
    ["ms k 3 O9 s k c\r\nabc\r\n", "HD O9 s3 kk c#2\r\n"],
    ["mg k c\r\n", "HD c#2\r\n"],
  ],
  "ms returns nothing for other flags": [
    ["ms k 1 f h l t u v x R30 D1 J1 P L\r\na\r\n", "HD\r\n"],
  ],
  "ms q hides HD and nothing else": [
    ["ms k 1 q\r\na\r\nms k 1 q c k O1\r\nb\r\nmn\r\n", "MN\r\n"],
    ["ms k 1 q ME\r\nx\r\nms l 1 MR q k\r\nx\r\nmn\r\n", "NS\r\nNS kl\r\nMN\r\n"],
    ["ms l 1 q C5 O7\r\nx\r\nms k 1 q C1234567\r\nx\r\nmn\r\n", "NF O7\r\nEX\r\nMN\r\n"],
    [
      "ms k 1 q\r\nxy\r\n",
      "CLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad command line format\r\n",
    ],
  ],
  "ms ME stores only where nothing is": [
    ["ms k 1 ME\r\na\r\nms k 1 ME c k\r\nb\r\n", "HD\r\nNS c0 kk\r\n"],
    ["mg k v\r\n", "VA 1\r\na\r\n"],
  ],
  "ms MR stores only where something is": [
    ["ms k 1 MR c O1\r\na\r\n", "NS c0 O1\r\n"],
    ["ms k 1\r\na\r\nms k 1 MR F5\r\nb\r\n", "HD\r\nHD\r\n"],
    ["mg k v f\r\n", "VA 1 f5\r\nb\r\n"],
  ],
  "ms MA and MP add to a value, whose flags and time stay": [
    ["ms k 1 F5 T100\r\nb\r\n", "HD\r\n"],
    ["ms k 1 MA F9 T50 s\r\nc\r\n", "HD s2\r\n"],
    ["ms k 1 MP s c\r\na\r\n", "HD s3 c#1\r\n"],
    ["mg k v f t c\r\n", "VA 3 f5 t100 c#1\r\nabc\r\n"],
  ],
  "ms MA and MP find nothing to add to": [
    ["ms k 1 MA c k\r\na\r\nms k 1 MP\r\na\r\n", "NS c0 kk\r\nNS\r\n"],
    ["mg k\r\n", "EN\r\n"],
  ],
  "ms MA and MP make the item where N says so": [
    ["ms k 1 MA N100 F7 c s\r\na\r\n", "HD c#1 s1\r\n"],
    ["mg k v t f\r\n", "VA 1 t100 f7\r\na\r\n"],
    ["ms k 2 MP N50 s\r\nbc\r\n", "HD s3\r\n"],
    ["mg k v t f\r\n", "VA 3 t100 f7\r\nbca\r\n"],
    ["ms l 1 MP N0 T50\r\na\r\nmg l t\r\n", "HD\r\nHD t-1\r\n"],
  ],
  "ms N means nothing in the other modes": [
    ["ms k 1 N100\r\na\r\nmg k t\r\n", "HD\r\nHD t-1\r\n"],
    ["ms l 1 MR N100\r\na\r\n", "NS\r\n"],
  ],
  "ms MS sets, and a mode is its first letter": [
    ["ms k 1 MS\r\na\r\nms k 1 MS\r\nb\r\nms k 1 MAppend\r\nc\r\n", "HD\r\nHD\r\nHD\r\n"],
    ["ms k 1 Madd\r\nx\r\n", "CLIENT_ERROR invalid mode for ms M token\r\n"],
    ["mg k v\r\n", "VA 2\r\nbc\r\n"],
  ],
  "ms C stores where the unique is still there": [
    ["ms k 1 c\r\na\r\n", "HD c#1\r\n"],
    ["ms k 1 C{1} c\r\nb\r\n", "HD c#2\r\n"],
    ["ms k 1 C{1} c O1\r\nc\r\n", "EX c0 O1\r\n"],
    ["mg k v c\r\n", "VA 1 c#2\r\nb\r\n"],
  ],
  "ms C finds nothing to compare with": [
    ["ms k 1 C5 c k\r\na\r\nms k 1 C0\r\na\r\n", "NF c0 kk\r\nNF\r\n"],
    ["mg k\r\n", "EN\r\n"],
  ],
  "ms C0 is no unique that an item has": [
    ["ms k 1\r\na\r\nms k 1 C0\r\nb\r\n", "HD\r\nEX\r\n"],
  ],
  "ms C with MR compares as without": [
    ["ms k 1 MR C5\r\na\r\n", "NF\r\n"],
    ["ms k 1 c\r\na\r\n", "HD c#1\r\n"],
    ["ms k 1 MR C{1+1}\r\nb\r\nms k 1 MR C{1}\r\nc\r\nmg k v\r\n", "EX\r\nHD\r\nVA 1\r\nc\r\n"],
  ],
  "ms C with ME does not compare": [
    ["ms k 1 ME C5\r\na\r\nms k 1 ME C5\r\nb\r\n", "HD\r\nNS\r\n"],
  ],
  "ms C with MA and MP compares where there is an item": [
    ["ms k 1 MA C5\r\na\r\n", "NS\r\n"],
    ["ms k 1 c\r\nb\r\n", "HD c#1\r\n"],
    ["ms k 1 MA C{1+1} s\r\nx\r\nms k 1 MP C{1+1}\r\nx\r\n", "EX s1\r\nEX\r\n"],
    ["ms k 1 MA C{1} c\r\nc\r\n", "HD c#2\r\n"],
    ["ms k 1 MP C{2}\r\na\r\nmg k v\r\n", "HD\r\nVA 3\r\nabc\r\n"],
  ],
  "ms C0 with MA and MP is no condition": [
    ["ms k 1\r\nb\r\nms k 1 MA C0\r\nc\r\nms k 1 MP C0\r\na\r\n", "HD\r\nHD\r\nHD\r\n"],
    ["mg k v\r\n", "VA 3\r\nabc\r\n"],
  ],
  "ms E sets the unique that the item gets": [
    ["ms k 1 E1000 c\r\na\r\nmg k c\r\n", "HD c#1\r\nHD c#1\r\n"],
    ["ms k 1 C1000 E2000\r\nb\r\nms k 1 C2000\r\nc\r\n", "HD\r\nHD\r\n"],
    ["ms k 1 MA E3000\r\nd\r\nms k 1 MP E4000 C3000\r\nd\r\n", "HD\r\nHD\r\n"],
    [
      "ms k 1 ME E5\r\nx\r\nmd k\r\nms k 1 ME E5\r\nx\r\nms k 1 C5\r\ny\r\n",
      "NS\r\nHD\r\nHD\r\nHD\r\n",
    ],
    ["ms k 1 E18446744073709551615\r\na\r\nms k 1 C18446744073709551615\r\nb\r\n", "HD\r\nHD\r\n"],
  ],
  "ms E0 gets a unique as any other": [
    ["ms k 1 E0 c\r\na\r\nms k 1 C0\r\nb\r\nms k 1 C{1}\r\nc\r\n", "HD c#1\r\nEX\r\nEX\r\n"],
    ["ms k 1 C{1}\r\nc\r\n", "HD\r\n"],
  ],
  "ms with a value that is too large tells so when the value has come, and drops the old one": [
    ...["", " ME", " MR", " MA", " MP", " C5", " q", " O1 k"].flatMap((flags) =>
      [
        ["ms k 1\r\na\r\n", "HD\r\n"],
        [`ms k ${large.length}${flags}\r\n${large}\r\nmg k\r\n`, `${TOO_LARGE}EN\r\n`],
      ] as const
    ),
  ],
  "ms MA and MP beyond the greatest size are not stored": [
    [`ms k 1000000\r\n${large.slice(0, 1_000_000)}\r\n`, "HD\r\n"],
    [`ms k 100000 MA\r\n${large.slice(0, 100_000)}\r\nmg k s\r\n`, "NS\r\nHD s1000000\r\n"],
  ],
  "ms makes an item that other commands see as their own": [
    ["ms k 2 F7\r\n10\r\n", "HD\r\n"],
    [
      "incr k 1\r\nappend k 0 0 1\r\n0\r\ngets k\r\n",
      "11\r\nSTORED\r\nVALUE k 7 3 #1\r\n110\r\nEND\r\n",
    ],
  ],
};
