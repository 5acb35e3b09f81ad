import { assertEquals } from "@std/assert";
import { binaryString, ByteBuffer, bytesOf, bytesOfBinaryString } from "../../lib/bytes.ts";
import { type Entry, replies, serverError } from "../../lib/protocol/message.ts";
import {
  encodeDumped,
  encodeDumpEnd,
  encodeDumpStart,
  encodeReply,
  type Whole,
} from "../../lib/protocol/reply.ts";

function encoded(reply: Whole): string {
  const out = new ByteBuffer(1);
  encodeReply(reply, out);
  return binaryString(out.view());
}

function value(flags: number, cas: bigint, unique: boolean, last: boolean): Whole {
  const item = { value: bytesOfBinaryString("a\r\n\xff"), flags, cas };
  return { kind: "value", key: bytesOfBinaryString("k\x80"), item, unique, last };
}

const entry: Entry = {
  key: bytesOf("k"),
  size: 3,
  flags: 7,
  exptime: 0,
  accessed: 1_700_000_000,
  cas: 18446744073709551615n,
  fetched: false,
};

const rules: Record<string, [reply: Whole, bytes: string]> = {
  "a word is a line": [{ kind: "word", word: "STORED" }, "STORED\r\n"],
  "an error is its line": [replies.unknown, "ERROR\r\n"],
  "a value has flags, length and bytes": [
    value(0, 1n, false, false),
    "VALUE k\x80 0 4\r\na\r\n\xff\r\n",
  ],
  "the last value of a retrieval ends it": [
    value(4294967295, 1n, false, true),
    "VALUE k\x80 4294967295 4\r\na\r\n\xff\r\nEND\r\n",
  ],
  "a unique is written with all its 64 bits": [
    value(0, 18446744073709551615n, true, false),
    "VALUE k\x80 0 4 18446744073709551615\r\na\r\n\xff\r\n",
  ],
  "a miss is nothing": [replies.miss, ""],
  "the last miss ends the retrieval": [replies.lastMiss, "END\r\n"],
  "a number may have 64 bits": [
    { kind: "number", value: 18446744073709551615n },
    "18446744073709551615\r\n",
  ],
  "figures are lines of STAT": [
    { kind: "figures", figures: [["a", 1], ["b", "x"]] },
    "STAT a 1\r\nSTAT b x\r\nEND\r\n",
  ],
  "a cachedump tells a part of a second as a whole one": [
    { kind: "cachedump", items: [{ ...entry, exptime: 1_700_000_000_001 }] },
    "ITEM k [3 b; 1700000001 s]\r\nEND\r\n",
  ],
  "a store's message cannot break the line": [
    serverError("cannot write\r\nSTORED\r\n\x00now"),
    "SERVER_ERROR cannot write STORED now\r\n",
  ],
  "a store's message is written in UTF-8": [
    serverError("größer"),
    "SERVER_ERROR gr\xc3\xb6\xc3\x9fer\r\n",
  ],
};

for (const [rule, [reply, bytes]] of Object.entries(rules)) {
  Deno.test(`reply: ${rule}`, () => assertEquals(encoded(reply), bytes));
}

function dumped(format: "metadump" | "mgdump", items: readonly Entry[]): string {
  const out = new ByteBuffer(1);
  encodeDumpStart(out);
  encodeDumped(format, items, out);
  encodeDumpEnd(format, out);
  return binaryString(out.view());
}

Deno.test("reply: a metadump has an item a line, its key as in a URI", () => {
  const other = { ...entry, key: bytesOfBinaryString("ä b/\x00"), fetched: true, exptime: 5000 };
  assertEquals(
    dumped("metadump", [entry, other]),
    "OK\r\n" +
      "key=k exp=-1 la=1700000000 cas=18446744073709551615 fetch=no cls=1 size=67 flags=7 \n" +
      "key=%E4%20b%2F%00 exp=5 la=1700000000 cas=18446744073709551615 fetch=yes cls=1 size=71 " +
      "flags=7 \n" +
      "END\r\n",
  );
});

Deno.test("reply: a mgdump has a key a line, in base64 where mg could not take it", () => {
  const binary = { ...entry, key: bytesOfBinaryString("\x00\xff") };
  assertEquals(dumped("mgdump", [entry, binary]), "OK\r\nmg k\r\nmg AP8= b\r\nEN\r\n");
});
