/** The cache's long records, beside a model that keeps them in a list. */

import { assertEquals } from "@std/assert";
import { CHECKSUM, RECORD_HEADER } from "../../../lib/storage/disk/format/record.ts";
import { LargeRecords } from "../../../lib/storage/disk/read/large_records.ts";
import { randomFrom } from "../../server/mutations.ts";

const KEY_LENGTH = 1;

/** Bytes of header and key, rounded up. */
const HEAD = 56;

/** Header and key of a record, without the checksum, of the key that is one byte. */
function headOf(key: number): Uint8Array {
  const rest = new Uint8Array(RECORD_HEADER + KEY_LENGTH - CHECKSUM);
  rest[0] = KEY_LENGTH;
  rest[rest.length - 1] = key;
  return rest;
}

Deno.test("of long records the one goes first that was not used for the longest time", () => {
  const below = randomFrom(17);
  const records = new LargeRecords();
  /** Keys and sizes, the oldest first. */
  let model: { key: number; bytes: number }[] = [];
  const total = () => model.reduce((sum, { bytes }) => sum + bytes, 0);
  const without = (key: number) => model.filter((one) => one.key !== key);
  for (let step = 0; step < 20_000; step++) {
    const key = below(24);
    const known = model.find((one) => one.key === key);
    switch (below(5)) {
      case 0:
      case 1: {
        const bytes = 64 * (1 + below(64));
        const head = records.insert(key, key, headOf(key), new Uint8Array(bytes), 8);
        assertEquals(head.bytes.length, HEAD);
        model = [...without(key), { key, bytes: bytes + HEAD }];
        break;
      }
      case 2: {
        const peek = below(2) === 0;
        const found = records.find(key, key, Uint8Array.of(key), peek, 0, KEY_LENGTH);
        assertEquals(found && found.memory.length + HEAD, known?.bytes);
        if (known !== undefined && !peek) model = [...without(key), known];
        break;
      }
      case 3:
        records.forget(key, key);
        model = without(key);
        break;
      default: {
        const most = below(40) * 1024;
        records.shrink(most);
        while (total() > most) model.shift();
      }
    }
    assertEquals(records.size, model.length);
    assertEquals(records.bytes, total());
  }
  for (const { key } of [...model]) {
    const rest = records.bytes;
    records.shrink(rest - 1);
    assertEquals(records.of(key, key), undefined, "the oldest has gone, and no other");
    assertEquals(records.bytes, rest - model.shift()!.bytes);
  }
});
