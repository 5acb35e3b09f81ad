import { ask, Opcode, reply, storing } from "../../protocol/binary/frames.ts";
import type { Rules, Step } from "../rules.ts";

const FORMAT = "CLIENT_ERROR bad command line format\r\n";
const DUPLICATE = "CLIENT_ERROR duplicate flag\r\n";
const INVALID = "CLIENT_ERROR invalid flag\r\n";
const TOKEN = "CLIENT_ERROR bad token in command line format\r\n";
const OPAQUE = "CLIENT_ERROR opaque token too long\r\n";
const KEY = "CLIENT_ERROR error decoding key\r\n";
const MANY = "CLIENT_ERROR options flags are too long\r\n";
const ARITHMETIC = "CLIENT_ERROR invalid or duplicate flag\r\n";
const CHUNK = "CLIENT_ERROR bad data chunk\r\n";
const NO_NUMBER = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
const VERSION = "VERSION\r\n";

/** Each line is answered with the words, and what follows it is understood. */
function refusals(words: string, ...lines: string[]): Step[] {
  return lines.map((line) => [`${line}\r\nversion\r\n`, words + VERSION]);
}

/** Each line of `ms` is answered with the words, and its value of two bytes is passed over. */
function refusalsWithValue(words: string, ...lines: string[]): Step[] {
  return lines.map((line) => [`${line}\r\nzz\r\nversion\r\n`, words + VERSION]);
}

const key250 = "k".repeat(250);
const key251 = "k".repeat(251);
/** 250 and 251 bytes in base64. */
const base250 = btoa(key250);
const base251 = btoa(key251);

/** Lines that are wrong, and the words for them. */
export const lineRules: Rules = {
  "mn is answered MN, in its place": [
    ["mn\r\nmn x y\r\nversion\r\nmn\r\n", `MN\r\nMN\r\n${VERSION}MN\r\n`],
  ],
  "a line feed alone ends a line": [
    ["mg k\nms k 1\na\r\nmg k v\n", "EN\r\nHD\r\nVA 1\r\na\r\n"],
    ["mn\n", FORMAT],
  ],
  "spaces between words and behind them mean nothing": [
    ["ms   k  1   T0  \r\na\r\nmg  k   v   k \r\n", "HD\r\nVA 1 kk\r\na\r\n"],
  ],
  "a command without a key has a bad format": refusals(FORMAT, "mg", "md", "ma", "me", "mg "),
  "ms without a key or a length has a bad format": refusals(FORMAT, "ms", "ms k", "ms k "),
  "a command is in lower case, from the start of the line": refusals(
    "ERROR\r\n",
    ...["MG k", "Mn", "mz k", "mgx k", "m k"],
    ...[" mg k", " mn", " md k", " ma k", " me k"],
  ),
  "a key of 250 bytes is one, and of 251 none": [
    [`ms ${key250} 1\r\na\r\nmg ${key250} v\r\n`, "HD\r\nVA 1\r\na\r\n"],
    ...refusals(FORMAT, `mg ${key251}`, `md ${key251}`, `me ${key251}`, `mg ${key251} v`),
    ...refusals(ARITHMETIC, `ma ${key251}`),
    ...refusalsWithValue(FORMAT, `ms ${key251} 2`),
  ],
  "a key of 251 bytes is told before what is wrong with the flags": [
    ...refusals(FORMAT, `mg ${key251} z`, `md ${key251} v v`, `mg ${key251} Tx`),
    ...refusals(FORMAT, `mg ${key251}${" v".repeat(19)}`),
    ...refusalsWithValue(FORMAT, `ms ${key251} 2 z`, `ms ${key251} 2 MX`),
  ],
  "a flag twice is refused": [
    ...refusals(DUPLICATE, "mg k v v", "mg k T1 T2", "md k q q", "mg k O1 O1", "mg k b b"),
    ...refusals(ARITHMETIC, "ma k v v", "ma k D1 D2"),
    ...refusalsWithValue(DUPLICATE, "ms k 2 c c", "ms k 2 I I", "ms k 2 T1 T1"),
  ],
  "a flag that is none is refused": [
    ...refusals(INVALID, "mg k z", "mg k v a", "md k y", "mg k G", "mg k S1"),
    ...refusals(ARITHMETIC, "ma k z"),
    ...refusalsWithValue(INVALID, "ms k 2 z", "ms k 2 S100", "ms k 2 c Y"),
  ],
  "a word that begins with no letter and no digit spoils the line": [
    ...refusals(FORMAT, "mg k -", "mg k v ?", "md k +1", "ma k -", "me k -", "me YQ== b -"),
    ["ms k 2 -\r\nmn\r\n", `${FORMAT}MN\r\n`],
  ],
  "a number that is none is a bad token": [
    ...["T", "N", "R", "C", "E"].flatMap((flag) =>
      ["", "x", "1x", "1.5", "+1", "0x1"].flatMap((number) => [
        ...refusals(TOKEN, `mg k ${flag}${number}`, `md k ${flag}${number}`),
        ...refusals(ARITHMETIC, `ma k ${flag}${number}`),
        ...refusalsWithValue(TOKEN, `ms k 2 ${flag}${number}`),
      ])
    ),
  ],
  "a number has its bounds": [
    ...refusals(TOKEN, "mg k T2147483648", "mg k N-2147483649", "mg k R99999999999"),
    ...refusals(TOKEN, "mg k C18446744073709551616", "md k E-1", "md k C-1"),
    ...refusals("EN\r\n", "mg k T2147483647", "mg k T-2147483648", "mg k C18446744073709551615"),
    ...refusals("EN\r\n", "mg k T007", "mg k T-0"),
  ],
  "a number of 32 bits has at most 11 letters, one of 64 bits 22, and a minus alone is 0": [
    ...refusals("EN\r\n", "mg k T00000000001", "mg k R-", "mg k C0000000000000000000001"),
    ...refusals(TOKEN, "mg k T000000000001", "mg k C00000000000000000000001"),
    ["ms k -\r\nmn\r\n", `${CHUNK}${FORMAT}`],
  ],
  "flags that are no number of 32 bits are refused": [
    ...["", "x", "-1", "+1", "4294967296"].flatMap((number) =>
      refusalsWithValue(FORMAT, `ms k 2 F${number}`)
    ),
  ],
  "a delta or an initial value that is none is refused": refusals(
    ARITHMETIC,
    ...["", "x", "-1", "+1", "18446744073709551616"].flatMap((
      n,
    ) => [`ma k D${n}`, `ma k N0 J${n}`]),
  ),
  "an opaque has at most 31 bytes": [
    ...["mg", "md", "ma"].flatMap((command) => refusals(OPAQUE, `${command} k O${"1".repeat(32)}`)),
    ...refusalsWithValue(OPAQUE, `ms k 2 O${"1".repeat(32)}`),
    ...refusals(`EN O${"1".repeat(31)}\r\n`, `mg k O${"1".repeat(31)}`),
  ],
  "an opaque that is too long is told where nothing else is wrong": [
    ...["mg", "md"].flatMap((command) => refusals(TOKEN, `${command} k O${"1".repeat(32)} Tx`)),
    ...refusals(FORMAT, `mg k O${"1".repeat(32)} Fx`),
    ...refusals("CLIENT_ERROR invalid mode for ma M token\r\n", `ma k O${"1".repeat(32)} MX`),
    ...refusalsWithValue(
      "CLIENT_ERROR invalid mode for ms M token\r\n",
      `ms k 2 O${"1".repeat(32)} MX`,
    ),
  ],
  "a line has at most 20 words": [
    ...refusals(MANY, `mg k${" v".repeat(19)}`, `md k${" v".repeat(30)}`),
    ...refusals(ARITHMETIC, `ma k${" v".repeat(19)}`),
    ...refusalsWithValue(MANY, `ms k 2${" c".repeat(18)}`),
    ["mg k v c f h k l s t u q x I O1 T1 R1 C1 E1 F1\r\nmn\r\n", "MN\r\n"],
  ],
  "ms with a length that is none leaves the value to be read as commands": [
    ...["x", "-1", "1.5", "+2", "2147483646", "2147483647", "4294967296"].map((length): Step => [
      `ms k ${length}\r\nmn\r\n`,
      `${FORMAT}MN\r\n`,
    ]),
  ],
  "ms with a value that is too short or too long is a bad chunk": [
    ["ms k 3\r\na\r\nmn\r\nversion\r\n", `${CHUNK}${FORMAT}${VERSION}`],
    ["ms k 1\r\nabc\r\nversion\r\n", `${CHUNK}${FORMAT}${VERSION}`],
    ["mg k\r\n", "EN\r\n"],
  ],
  "ms that is refused leaves what was there": [
    ["ms k 1\r\na\r\n", "HD\r\n"],
    [
      "ms k 2 z\r\nzz\r\nms k 2 MX\r\nzz\r\nms k 2 T\r\nzz\r\n",
      `${INVALID}CLIENT_ERROR invalid mode for ms M token\r\n${TOKEN}`,
    ],
    ["mg k v\r\n", "VA 1\r\na\r\n"],
  ],
  "q hides no refusal": [
    ...refusals(INVALID, "mg k q z", "md k q z"),
    ...refusals(ARITHMETIC, "ma k q z"),
    ...refusalsWithValue(INVALID, "ms k 2 q z"),
  ],
  "of several faults the last one is told, but for a flag that is none": [
    ...refusals(INVALID, "mg k Tx z", "mg k z Tx"),
    ...refusals(DUPLICATE, "mg k Tx v v"),
  ],
};

/** Keys in base64. */
export const base64Rules: Rules = {
  "a key in base64 is the key that it stands for": [
    ["ms YWI= 1 b\r\na\r\nget ab\r\n", "HD\r\nVALUE ab 0 1\r\na\r\nEND\r\n"],
    [
      "set cd 0 0 1\r\nc\r\nmg Y2Q= b v\r\nma bg== b N0 J5 v\r\nmd Y2Q= b\r\nmg cd\r\n",
      "STORED\r\nVA 1\r\nc\r\nVA 1\r\n5\r\nHD\r\nEN\r\n",
    ],
  ],
  "a key in base64 may have any bytes": [
    [
      "ms AAogDf8= 1 b k\r\na\r\nmg AAogDf8= k b v\r\n",
      "HD kAAogDf8= b\r\nVA 1 kAAogDf8= b\r\na\r\n",
    ],
  ],
  "a key is returned in base64 if it was stored so, however it is asked for": [
    ["ms YWI= 2 b\r\nxx\r\nmg ab k v\r\n", "HD\r\nVA 2 kYWI= b\r\nxx\r\n"],
    ["set ab 0 0 1\r\nx\r\nmg YWI= b k v\r\n", "STORED\r\nVA 1 kab\r\nx\r\n"],
  ],
  "a miss returns a key in base64 as it was asked for": [
    [
      "mg YWU= b k\r\nmg YWU= k\r\nmd YWU= b k\r\nma YWU= k b\r\n",
      "EN kYWU= b\r\nEN kYWU=\r\nNF kYWU= b\r\nNF kYWU= b\r\n",
    ],
  ],
  "ms, md and ma return a key in base64 as it was asked for": [
    [
      "ms bg== 1 b k c\r\n5\r\nma bg== b k v\r\nma n k v\r\n",
      "HD kbg== b c#1\r\nVA 1 kbg== b\r\n6\r\nVA 1 kn\r\n7\r\n",
    ],
    ["ms n 1 k\r\n5\r\nmd bg== k b\r\n", "HD kn\r\nHD kbg== b\r\n"],
  ],
  "what N makes remembers that its key came in base64": [
    ["mg YWM= b k N0\r\nmg ac k\r\n", "HD kYWM= b W\r\nHD kYWM= b Z\r\n"],
    ["ma bg== b k N0\r\nmg n k\r\n", "HD kbg== b\r\nHD kbg== b\r\n"],
  ],
  "a key that came in a frame and would break the line is returned in base64": [
    [
      ask(Opcode.setQ, { key: "a\nb", extras: storing(), value: "x" }) + ask(Opcode.noop),
      reply(Opcode.noop),
    ],
    ["mg YQpi b k v\r\nma YQpi k b\r\n", "VA 1 kYQpi b\r\nx\r\n" + NO_NUMBER],
    ["me YQpi b x\r\n", "ME YQpi exp=-1 la=0 cas=#1 fetch=yes cls=1 size=63\r\n"],
  ],
  "a key in base64 has up to 250 bytes": [
    [`ms ${base250} 1 b\r\na\r\nmg ${key250} v\r\n`, "HD\r\nVA 1\r\na\r\n"],
    ...refusals(FORMAT, `mg ${base251} b`, `md ${base251} b`),
    ...refusalsWithValue(FORMAT, `ms ${base251} 2 b`),
  ],
  "letters that are none of base64 are passed over, and what follows the padding": [
    [
      "set a 0 0 1\r\nx\r\nmg YQ==YQ== b v\r\nmg Y-Q== b v\r\n",
      "STORED\r\nVA 1\r\nx\r\nVA 1\r\nx\r\n",
    ],
  ],
  "base64 that stands for nothing cannot be decoded": [
    ...refusals(KEY, "mg ==== b", "mg YQ= b", "mg a b", "md YWI b", "mg - b"),
    ...refusals(ARITHMETIC, "ma a b"),
    ...refusalsWithValue(KEY, "ms a 2 b"),
  ],
  "a set forgets that the key came in base64, an append does not": [
    ["ms YWI= 1 b\r\na\r\nappend ab 0 0 1\r\nb\r\nmg ab k\r\n", "HD\r\nSTORED\r\nHD kYWI= b\r\n"],
    ["set ab 0 0 1\r\nb\r\nmg ab k\r\n", "STORED\r\nHD kab\r\n"],
  ],
  "a touch keeps that the key came in base64": [
    [
      "ms YWI= 1 b\r\na\r\ntouch ab 100\r\nmg ab T50 k\r\nmd ab I\r\nmg ab k\r\n",
      "HD\r\nTOUCHED\r\nHD kYWI= b\r\nHD\r\nHD kYWI= b X W\r\n",
    ],
  ],
};
