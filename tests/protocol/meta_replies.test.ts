import { assertEquals } from "@std/assert";
import { bytesOfBinaryString } from "../../lib/bytes.ts";
import { failures, type Outcome, storeFailed } from "../../lib/protocol/outcome.ts";
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
const value: Partial<Outcome> = { code: "value", item };

const rules: Record<string, [sent: string, outcome: Partial<Outcome>, bytes: string]> = {
  "a hit without a value is HD": ["mg k\r\n", value, "HD\r\n"],
  "a hit with a value is VA, its length and its bytes": [
    "mg k v\r\n",
    value,
    "VA 4\r\na\r\n\xff\r\n",
  ],
  "an empty value is a value": [
    "mg k v\r\n",
    { ...value, item: { ...item, value: new Uint8Array(0) } },
    "VA 0\r\n\r\n",
  ],
  "flags come back in the order of the request": [
    "mg k v s k f c O1 h\r\n",
    value,
    "VA 4 s4 kk f4294967295 c18446744073709551615 O1 h0\r\na\r\n\xff\r\n",
  ],
  "flags come back in another order of the request": [
    "mg k h O1 c f k s\r\n",
    { ...value, item: { ...item, fetched: true } },
    "HD h1 O1 c18446744073709551615 f4294967295 kk s4\r\n",
  ],
  "t and l are seconds, and -1 for ever": [
    "mg k t l\r\n",
    { ...value, ttlBefore: 30, age: 7 },
    "HD t30 l7\r\n",
  ],
  "t before T is the time before it, and behind T the new one": [
    "mg k T60 t\r\n",
    { ...value, ttl: 60, ttlBefore: -1 },
    "HD t60\r\n",
  ],
  "t before T": ["mg k t T60\r\n", { ...value, ttl: 60, ttlBefore: -1 }, "HD t-1\r\n"],
  "t behind N is the time of what was made": [
    "mg k N60 t\r\n",
    { ...value, ttlMade: 60, ttlBefore: -1, created: true, won: true },
    "HD t60 W\r\n",
  ],
  "t behind N of what was there is its own": [
    "mg k N60 t\r\n",
    { ...value, ttl: 5, ttlBefore: 5, created: false },
    "HD t5\r\n",
  ],
  "a value whose unique the client has is left out": [
    "mg k v C18446744073709551615 s\r\n",
    value,
    "HD s4\r\n",
  ],
  "a reader that is to renew the item is told so": [
    "mg k s\r\n",
    { ...value, won: true },
    "HD s4 W\r\n",
  ],
  "a stale item is marked before the win": [
    "mg k s\r\n",
    { ...value, won: true, item: { ...item, stale: true } },
    "HD s4 X W\r\n",
  ],
  "that another has won stands before the stale mark": [
    "mg k v\r\n",
    { ...value, wonBefore: true, item: { ...item, stale: true } },
    "VA 4 Z X\r\na\r\n\xff\r\n",
  ],
  "a key that the item keeps in base64 comes back so": [
    "mg ab k\r\n",
    { ...value, item: { ...item, binaryKey: true } },
    "HD kYWI= b\r\n",
  ],
  "a key that the item keeps as it is comes back so": ["mg YWI= b k\r\n", value, "HD kab\r\n"],
  "a miss is EN, with key and opaque": ["mg k v c O1 k f\r\n", { code: "miss" }, "EN O1 kk\r\n"],
  "a miss has the key as it was asked for": ["mg YWI= b k\r\n", { code: "miss" }, "EN kYWI= b\r\n"],
  "a quiet miss is nothing": ["mg k q O1\r\n", { code: "miss" }, ""],
  "a quiet hit is told": ["mg k q\r\n", value, "HD\r\n"],
  "what was stored is HD": ["ms k 1\r\na\r\n", { code: "stored" }, "HD\r\n"],
  "what was stored has unique, key, size and opaque": [
    "ms k 1 O1 s c k\r\na\r\n",
    { code: "stored", cas: 7n, size: 12 },
    "HD O1 s12 c7 kk\r\n",
  ],
  "what was not stored is NS, EX or NF, with a unique of 0": [
    "ms k 1 c q\r\na\r\n",
    { code: "notStored", cas: 0n },
    "NS c0\r\n",
  ],
  "another unique is EX": ["ms k 1 C5 k\r\na\r\n", { code: "exists" }, "EX kk\r\n"],
  "nothing to compare with is NF": ["ms k 1 C5 O1\r\na\r\n", { code: "notFound" }, "NF O1\r\n"],
  "a quiet store is nothing": ["ms k 1 q c\r\na\r\n", { code: "stored", cas: 7n }, ""],
  "what was deleted is HD, with key and opaque alone": [
    "md k c k t O1 s\r\n",
    { code: "deleted" },
    "HD kk O1\r\n",
  ],
  "a quiet deletion is nothing": ["md k q\r\n", { code: "deleted" }, ""],
  "a quiet deletion of nothing is told": ["md k q\r\n", { code: "notFound" }, "NF\r\n"],
  "a number is HD without v": ["ma k c\r\n", { code: "number", number: 10n, cas: 3n }, "HD c3\r\n"],
  "a number is a value in digits": [
    "ma k v t O1 k c\r\n",
    { code: "number", number: 18446744073709551615n, cas: 3n, ttl: -1 },
    "VA 20 t-1 O1 kk c3\r\n18446744073709551615\r\n",
  ],
  "a quiet number is nothing": ["ma k q v\r\n", { code: "number", number: 1n }, ""],
  "no number is NF or EX, with key and opaque alone": [
    "ma k q v t c O1 k\r\n",
    { code: "notFound" },
    "NF O1 kk\r\n",
  ],
  "what is known is ME": [
    "me k\r\n",
    { code: "described", item, text: "exp=-1" },
    "ME k exp=-1\r\n",
  ],
  "what is known of a key in base64": [
    "me ab\r\n",
    { code: "described", item: { ...item, binaryKey: true }, text: "exp=-1" },
    "ME YWI= exp=-1\r\n",
  ],
  "of nothing nothing is known": ["me k\r\n", { code: "miss" }, "EN\r\n"],
  "mn is answered MN": ["mn\r\n", { code: "noop" }, "MN\r\n"],
  "an error is its line, quiet or not": [
    "mg k q k\r\n",
    { code: "failed", failure: failures.notNumeric },
    "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
  ],
  "an error of the store is a line of its own": [
    "ms k 1 q\r\na\r\n",
    { code: "failed", failure: storeFailed("two\r\nlines") },
    "SERVER_ERROR two lines\r\n",
  ],
};

for (const [rule, [sent, outcome, bytes]] of Object.entries(rules)) {
  Deno.test(`meta replies: ${rule}`, () =>
    assertEquals(replyTo(newDialect(), sent, outcome), bytes));
}
