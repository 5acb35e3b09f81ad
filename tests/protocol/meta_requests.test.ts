import { assertEquals } from "@std/assert";
import { LineDialect } from "../../lib/protocol/text/dialect.ts";
import { type Asked, requestsIn } from "./receiving.ts";

const dialect = () => new LineDialect({ itemSize: 2 ** 20 });

const refused = (key: string, failure: string, more: Asked = {}): Asked => ({
  op: "malformed",
  key,
  failure: `badRequest: ${failure}`,
  ...more,
});

const rules: Record<string, [sent: string, requests: Asked[]]> = {
  "mg asks for one key, and without v for no value": [
    "mg k\r\nmg k v\r\n",
    [{ op: "get", key: "k", wantsValue: false }, { op: "get", key: "k" }],
  ],
  "flags that the encoder alone reads leave no mark on a request": [
    "mg k v k f s h O1 P L\r\n",
    [{ op: "get", key: "k" }],
  ],
  "c, t and l ask for a unique and for times": [
    "mg k v c\r\nmg k v t\r\nmg k v l\r\n",
    [
      { op: "get", key: "k", wantsCas: true },
      { op: "get", key: "k", wantsTimes: true },
      { op: "get", key: "k", wantsTimes: true },
    ],
  ],
  "u reads without a trace, and q wants no answer that says nothing new": [
    "mg k v u q\r\n",
    [{ op: "get", key: "k", peeks: true, quiet: true }],
  ],
  "T, N and R make a read one that changes the item": [
    "mg k v T30\r\nmg k v N-1\r\nmg k v R100\r\n",
    [
      { op: "getAndChange", key: "k", touches: true, exptime: 30 },
      { op: "getAndChange", key: "k", vivifies: true, vivifyExptime: -1 },
      { op: "getAndChange", key: "k", recaches: true, recacheTime: 100 },
    ],
  ],
  "R behind a T counts the time that the T has given": [
    "mg k v R100 T30\r\nmg k v T30 R100\r\n",
    [
      {
        op: "getAndChange",
        key: "k",
        touches: true,
        exptime: 30,
        recaches: true,
        recacheTime: 100,
      },
      {
        op: "getAndChange",
        key: "k",
        touches: true,
        exptime: 30,
        recaches: true,
        recacheTime: 100,
        recachesTouched: true,
      },
    ],
  ],
  "C and E bring uniques of 64 bits": [
    "md k C18446744073709551615 E18446744073709551614\r\n",
    [{
      op: "delete",
      key: "k",
      compares: true,
      cas: 18446744073709551615n,
      newCas: 18446744073709551614n,
      wantsValue: false,
    }],
  ],
  "C0 is a unique to compare with, but for ma": [
    "md k C0\r\nma k v C0\r\n",
    [
      { op: "delete", key: "k", compares: true, wantsValue: false },
      { op: "arithmetic", key: "k" },
    ],
  ],
  "ms brings a value, and in flags what it is stored with": [
    "ms k 5 F7 T60 q c\r\na\r\nb\x00\r\n",
    [{
      op: "store",
      key: "k",
      value: "a\r\nb\x00",
      flags: 7,
      touches: true,
      exptime: 60,
      quiet: true,
      wantsCas: true,
      wantsValue: false,
    }],
  ],
  "the mode of ms is its first letter": [
    "ms k 0\r\n\r\nms k 0 MS\r\n\r\nms k 0 ME\r\n\r\nms k 0 MAppend\r\n\r\nms k 0 MP\r\n\r\nms k 0 MR\r\n\r\n",
    ["set", "set", "add", "append", "prepend", "replace"].map((mode) => ({
      op: "store",
      key: "k",
      value: "",
      wantsValue: false,
      ...mode === "set" ? {} : { mode },
    })),
  ],
  "ME does not compare": [
    "ms k 0 ME C5\r\n\r\n",
    [{ op: "store", key: "k", value: "", mode: "add", cas: 5n, wantsValue: false }],
  ],
  "N means something to MA and MP alone": [
    "ms k 0 MA N30\r\n\r\nms k 0 N30\r\n\r\n",
    [
      {
        op: "store",
        key: "k",
        value: "",
        mode: "append",
        vivifies: true,
        vivifyExptime: 30,
        wantsValue: false,
      },
      { op: "store", key: "k", value: "", vivifyExptime: 30, wantsValue: false },
    ],
  ],
  "I and x of md": [
    "md k I T30 x\r\n",
    [{
      op: "delete",
      key: "k",
      invalidates: true,
      empties: true,
      touches: true,
      exptime: 30,
      wantsValue: false,
    }],
  ],
  "ma brings a direction, a delta and an initial value": [
    "ma k v\r\nma k v MD D5 N30 J7\r\nma k v M-\r\nma k v M+\r\n",
    [
      { op: "arithmetic", key: "k" },
      {
        op: "arithmetic",
        key: "k",
        decrements: true,
        delta: 5n,
        vivifies: true,
        vivifyExptime: 30,
        initial: 7n,
      },
      { op: "arithmetic", key: "k", decrements: true },
      { op: "arithmetic", key: "k" },
    ],
  ],
  "me asks what is known": [
    "me k\r\nme YWI= b x\r\n",
    [
      { op: "describe", key: "k", wantsValue: false },
      { op: "describe", key: "ab", binaryKey: true, wantsValue: false },
    ],
  ],
  "mn asks for nothing": ["mn\r\n", [{ op: "noop" }]],
  "b says that the key is in base64": [
    "mg AP8g b v\r\nms AP8g 1 b\r\nx\r\n",
    [
      { op: "get", key: "\x00\xff ", binaryKey: true },
      { op: "store", key: "\x00\xff ", binaryKey: true, value: "x", wantsValue: false },
    ],
  ],
  "bytes that are no base64 in a key are passed over": [
    "mg YQ==YQ== b v\r\nmg Y-Q== b v\r\n",
    [{ op: "get", key: "a", binaryKey: true }, { op: "get", key: "a", binaryKey: true }],
  ],
  "a value that is too large is passed over, and the request is there then": [
    `ms k 1048576 T9 O1\r\n${"x".repeat(1048576)}\r\nmn\r\n`,
    [
      { op: "tooLarge", key: "k", touches: true, exptime: 9, wantsValue: false },
      { op: "noop" },
    ],
  ],
  "a value behind a wrong flag is passed over": [
    "ms k 2 z\r\nmn\r\nmn\r\n",
    [refused("k", "invalid flag", { wantsValue: false }), { op: "noop" }],
  ],
  "a value behind a wrong length is read as lines": [
    "ms k x\r\nmn\r\n",
    [refused("k", "bad command line format", { wantsValue: false }), { op: "noop" }],
  ],
  "a value that does not end with a line end is a bad chunk": [
    "ms k 1\r\nabcmn\r\n",
    [refused("k", "bad data chunk", { wantsValue: false }), { op: "noop" }],
  ],
  "a refusal keeps what is known of the request, that it is quiet too": [
    "mg k q Tx v\r\n",
    [refused("k", "bad token in command line format", { quiet: true })],
  ],
};

for (const [rule, [sent, requests]] of Object.entries(rules)) {
  Deno.test(`meta requests: ${rule}`, () => assertEquals(requestsIn(dialect, sent), requests));
}
