import { assertEquals } from "@std/assert";
import { binaryString, ByteBuffer, bytesOf, bytesOfBinaryString } from "../../lib/bytes.ts";
import { type Entry, failures, type Outcome, storeFailed } from "../../lib/protocol/outcome.ts";
import { LineDialect } from "../../lib/protocol/text/dialect.ts";
import { replyTo } from "./receiving.ts";

const newDialect = () => new LineDialect({ itemSize: 2 ** 20 });

const item = {
  value: bytesOfBinaryString("a\r\n\xff"),
  flags: 4294967295,
  cas: 18446744073709551615n,
  fetched: false,
  stale: false,
  binaryKey: false,
};

const entry: Entry = {
  key: bytesOf("k"),
  size: 3,
  flags: 7,
  exptime: 0,
  accessed: 1_700_000_000,
  cas: 18446744073709551615n,
  fetched: false,
};

const rules: Record<string, [sent: string, outcome: Partial<Outcome>, bytes: string]> = {
  "a word is a line": ["set k 0 0 0\r\n\r\n", { code: "stored" }, "STORED\r\n"],
  "noreply is answered with nothing": ["set k 0 0 0 noreply\r\n\r\n", { code: "stored" }, ""],
  "an error is its line": [
    "x y\r\n",
    { code: "failed", failure: failures.unknownCommand },
    "ERROR\r\n",
  ],
  "a value has flags, length and bytes": [
    "get k\x80 b\r\n",
    { code: "value", item: { ...item, flags: 0 } },
    "VALUE k\x80 0 4\r\na\r\n\xff\r\n",
  ],
  "the last value of a retrieval ends it": [
    "get k\x80\r\n",
    { code: "value", item },
    "VALUE k\x80 4294967295 4\r\na\r\n\xff\r\nEND\r\n",
  ],
  "a unique is written with all its 64 bits": [
    "gets k\x80\r\n",
    { code: "value", item },
    "VALUE k\x80 4294967295 4 18446744073709551615\r\na\r\n\xff\r\nEND\r\n",
  ],
  "a miss is nothing": ["get a b\r\n", { code: "miss" }, ""],
  "the last miss ends the retrieval": ["get a\r\n", { code: "miss" }, "END\r\n"],
  "a number may have 64 bits": [
    "incr k 1\r\n",
    { code: "number", number: 18446744073709551615n },
    "18446744073709551615\r\n",
  ],
  "figures are lines of STAT": [
    "stats\r\n",
    { code: "figures", figures: [["a", 1], ["b", "x"]] },
    "STAT a 1\r\nSTAT b x\r\nEND\r\n",
  ],
  "a cachedump tells a part of a second as a whole one": [
    "stats cachedump 1 0\r\n",
    { code: "entries", entries: [{ ...entry, exptime: 1_700_000_000_001 }] },
    "ITEM k [3 b; 1700000001 s]\r\nEND\r\n",
  ],
  "a store's message cannot break the line": [
    "get a\r\n",
    { code: "failed", failure: storeFailed("cannot write\r\nSTORED\r\n\x00now") },
    "SERVER_ERROR cannot write STORED now\r\n",
  ],
  "a store's message is written in UTF-8": [
    "get a\r\n",
    { code: "failed", failure: storeFailed("größer") },
    "SERVER_ERROR gr\xc3\xb6\xc3\x9fer\r\n",
  ],
};

for (const [rule, [sent, outcome, bytes]] of Object.entries(rules)) {
  Deno.test(`text replies: ${rule}`, () =>
    assertEquals(replyTo(newDialect(), sent, outcome), bytes));
}

function dumped(format: "metadump" | "mgdump", items: readonly Entry[]): string {
  const dialect = newDialect();
  const out = new ByteBuffer(1);
  dialect.beginDump(format, out);
  dialect.encodeDumped(format, items, out);
  dialect.endDump(format, out);
  return binaryString(out.view());
}

Deno.test("text replies: a metadump has an item a line, its key as in a URI", () => {
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

Deno.test("text replies: a mgdump has a key a line, in base64 where mg could not take it", () => {
  const binary = { ...entry, key: bytesOfBinaryString("\x00\xff") };
  assertEquals(dumped("mgdump", [entry, binary]), "OK\r\nmg k\r\nmg AP8= b\r\nEN\r\n");
});
