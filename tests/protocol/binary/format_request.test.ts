import { assertEquals, assertThrows } from "@std/assert";
import { ByteBuffer, bytesOf } from "../../../lib/bytes.ts";
import {
  binaryRequests as binary,
  writeSaslMechanisms,
  writeSaslPlain,
} from "../../../lib/protocol/binary/format_request.ts";
import { KeyError } from "../../../lib/protocol/key.ts";

const OPAQUE = 0x01020304;

/** The bytes in hexadecimal digits, a field of the header a word; the body as it is. */
function shown(bytes: Uint8Array): string {
  const hex = (from: number, to: number) => bytes.subarray(from, to).toHex();
  const words = [];
  for (let at = 0; at < bytes.length;) {
    const [keyLength, extras] = [bytes[at + 2]! * 256 + bytes[at + 3]!, bytes[at + 4]!];
    const body = at + 24;
    const end = body + new DataView(bytes.buffer).getUint32(at + 8);
    assertEquals(hex(at + 12, at + 16), "01020304");
    assertEquals(hex(at + 5, at + 8), "000000");
    words.push(
      `${hex(at, at + 1)} op ${hex(at + 1, at + 2)} key ${keyLength} extras ${extras} body ${
        end - body
      } cas ${hex(at + 16, at + 24)} ${hex(body, body + extras)} ${hex(body + extras, end)}`
        .trimEnd(),
    );
    at = end;
  }
  return words.join(", ").replaceAll("cas 0000000000000000", "cas 0");
}

const any = new Uint8Array([0x20, 0x00, 0xff]);
const v = bytesOf("v");

const requests: [name: string, write: (out: ByteBuffer) => unknown, bytes: string][] = [
  [
    "get",
    (out) => binary.get(out, OPAQUE, "get", "k", 0),
    "80 op 0c key 1 extras 0 body 1 cas 0  6b",
  ],
  [
    "get of a key of any bytes",
    (out) => binary.get(out, OPAQUE, "gets", any, 0),
    "80 op 0c key 3 extras 0 body 3 cas 0  2000ff",
  ],
  [
    "gat",
    (out) => binary.get(out, OPAQUE, "gat", "k", 60),
    "80 op 23 key 1 extras 4 body 5 cas 0 0000003c 6b",
  ],
  [
    "get of several",
    (out) => binary.getMany(out, OPAQUE, "get", ["a", "b"], 0),
    "80 op 0d key 1 extras 0 body 1 cas 0  61, 80 op 0d key 1 extras 0 body 1 cas 0  62, " +
    "80 op 0a key 0 extras 0 body 0 cas 0",
  ],
  [
    "gat of several, expired immediately",
    (out) => binary.getMany(out, OPAQUE, "gats", ["a"], -1),
    "80 op 24 key 1 extras 4 body 5 cas 0 00278d01 61, 80 op 0a key 0 extras 0 body 0 cas 0",
  ],
  [
    "set",
    (out) => binary.store(out, OPAQUE, "set", "k", v, 0xffffffff, 60, 0n),
    "80 op 01 key 1 extras 8 body 10 cas 0 ffffffff0000003c 6b76",
  ],
  [
    "add that never expires",
    (out) => binary.store(out, OPAQUE, "add", "k", v, 0, 0, 0n),
    "80 op 02 key 1 extras 8 body 10 cas 0 0000000000000000 6b76",
  ],
  [
    "replace until the latest time that 32 bits hold",
    (out) => binary.store(out, OPAQUE, "replace", "k", v, 0, 2 ** 33, 0n),
    "80 op 03 key 1 extras 8 body 10 cas 0 00000000ffffffff 6b76",
  ],
  [
    "append",
    (out) => binary.store(out, OPAQUE, "append", "k", v, 5, 5, 0n),
    "80 op 0e key 1 extras 0 body 2 cas 0  6b76",
  ],
  [
    "prepend",
    (out) => binary.store(out, OPAQUE, "prepend", "k", v, 5, 5, 0n),
    "80 op 0f key 1 extras 0 body 2 cas 0  6b76",
  ],
  [
    "cas",
    (out) => binary.store(out, OPAQUE, "cas", "k", v, 0, 0, 0x0123456789abcdefn),
    "80 op 01 key 1 extras 8 body 10 cas 0123456789abcdef 0000000000000000 6b76",
  ],
  [
    "cas of 0, which no item has, as another that none has",
    (out) => binary.store(out, OPAQUE, "cas", "k", v, 0, 0, 0n),
    "80 op 01 key 1 extras 8 body 10 cas ffffffffffffffff 0000000000000000 6b76",
  ],
  [
    "delete",
    (out) => binary.delete(out, OPAQUE, "k"),
    "80 op 04 key 1 extras 0 body 1 cas 0  6b",
  ],
  [
    "incr that creates nothing",
    (out) => binary.arithmetic(out, OPAQUE, "incr", "k", 2n ** 64n - 1n),
    "80 op 05 key 1 extras 20 body 21 cas 0 ffffffffffffffff0000000000000000ffffffff 6b",
  ],
  [
    "decr",
    (out) => binary.arithmetic(out, OPAQUE, "decr", "k", 1n),
    "80 op 06 key 1 extras 20 body 21 cas 0 00000000000000010000000000000000ffffffff 6b",
  ],
  [
    "touch",
    (out) => binary.touch(out, OPAQUE, "k", 2592001),
    "80 op 1c key 1 extras 4 body 5 cas 0 00278d01 6b",
  ],
  [
    "flush",
    (out) => binary.flushAll(out, OPAQUE, 10),
    "80 op 08 key 0 extras 4 body 4 cas 0 0000000a",
  ],
  ["noop", (out) => binary.noop(out, OPAQUE), "80 op 0a key 0 extras 0 body 0 cas 0"],
  ["version", (out) => binary.version(out, OPAQUE), "80 op 0b key 0 extras 0 body 0 cas 0"],
  [
    "stat",
    (out) => binary.stats(out, OPAQUE, undefined),
    "80 op 10 key 0 extras 0 body 0 cas 0",
  ],
  [
    "stat of a group",
    (out) => binary.stats(out, OPAQUE, "items"),
    "80 op 10 key 5 extras 0 body 5 cas 0  6974656d73",
  ],
  [
    "verbosity",
    (out) => binary.verbosity(out, OPAQUE, 2),
    "80 op 1b key 0 extras 4 body 4 cas 0 00000002",
  ],
  ["quit", (out) => binary.quit(out, OPAQUE), "80 op 07 key 0 extras 0 body 0 cas 0"],
  [
    "list of SASL's mechanisms",
    (out) => writeSaslMechanisms(out, OPAQUE),
    "80 op 20 key 0 extras 0 body 0 cas 0",
  ],
  [
    "SASL PLAIN",
    (out) => writeSaslPlain(out, OPAQUE, "ann", "pw"),
    "80 op 21 key 5 extras 0 body 12 cas 0  504c41494e00616e6e007077",
  ],
];
for (const [name, write, bytes] of requests) {
  Deno.test(`a binary request: ${name}`, () => {
    // Memory that held something else before.
    const out = new ByteBuffer(64);
    out.bytes.fill(0xee);
    write(out);
    assertEquals(shown(out.view()), bytes);
  });
}

Deno.test("the binary protocol refuses a key of no bytes, or of more than 250", () => {
  for (const key of ["", "é".repeat(126), new Uint8Array(251)]) {
    assertThrows(() => binary.get(new ByteBuffer(), 1, "get", key, 0), KeyError, "a key has at");
  }
});
