/** Values that the memory store keeps in the memory that a connection has received them into. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytesOf, type Lender, takeMemory } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { OutOfSpaceError } from "../../lib/errors.ts";
import {
  Batch,
  type Expected,
  type Item,
  type Store,
  type Swapped,
} from "../../lib/storage/contract.ts";
import { ItemCursor } from "../../lib/storage/item_cursor.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import { Random } from "./disk/faulty_files.ts";
import { Arrived } from "./arrived.ts";
import { itemOf } from "./contract.ts";

const MIB = 2 ** 20;
const clock = new AdjustableClock();
const log = () => {};

function openStore(limit = 0, evict = true, onEvicted?: (key: string) => void): Store {
  return openMemoryStore({
    ...{ clock, log, limit, evict },
    onEvicted: ({ key }) => onEvicted?.(new TextDecoder().decode(key)),
  });
}

function memoryOf(store: Store): number {
  return Number(store.info().own.find(([name]) => name === "memory_bytes")![1]);
}

/** The item of a key, which this store never has to wait for. */
function itemAt(store: Store, key: string): Item | undefined {
  const found = store.read(bytesOf(key), new Batch());
  assert(!(found instanceof Promise));
  return found;
}

function valueOf(store: Store, key: string): Uint8Array | undefined {
  return itemAt(store, key)?.value;
}

function lenderOf(store: Store, key: string): Lender {
  const cursor = new ItemCursor();
  store.find!(bytesOf(key), 0, key.length, new Batch(), true, cursor);
  return cursor.lender!;
}

Deno.test("memory store: a large value stays in the memory that it has arrived in, with the request as it was sent", async () => {
  const store = openStore();
  for (const size of [70_000, 500_000, MIB]) {
    for (const key of ["k", "k".repeat(250)]) {
      const arrived = new Arrived(key, size);
      const before = memoryOf(store);
      assertEquals(typeof arrived.set(store), "bigint");
      assert(arrived.isGiven && arrived.isWhole);
      const { value, flags } = itemAt(store, key)!;
      assertEquals([value.buffer === arrived.memory.buffer, value.length, flags], [true, size, 7]);
      assert(value.every((byte) => byte === 0x76));
      assertEquals(memoryOf(store) - before, arrived.memory.length);
      assertEquals(arrived.input.memory, 2 ** 11);
      await store.swap(bytesOf(key), "any", null, new Batch());
      assertEquals(memoryOf(store), before);
    }
  }
  assertEquals(store.info().bytes, 0);
  await store.close();
});

Deno.test("memory store: what was received behind a value that is kept is still received", async () => {
  const store = openStore();
  const arrived = new Arrived("k", 100_000, "get abc\r\n");
  arrived.set(store);
  const { bytes, start, end } = arrived.input;
  assertEquals(new TextDecoder().decode(bytes.subarray(start, end)), "get abc\r");
  assertEquals(valueOf(store, "k")?.length, 100_000);
  await store.close();
});

Deno.test("memory store: a set that is refused leaves its memory with the connection", async () => {
  const store = openStore();
  await store.swap(bytesOf("there"), "any", itemOf("x".repeat(100_000)), new Batch());
  const refused: Array<[key: string, expected: Expected, swapped: Swapped]> = [
    ["there", "absent", "exists"],
    ["there", { cas: 999n }, "exists"],
    ["not there", { cas: 1n }, "absent"],
  ];
  for (const [key, expected, swapped] of refused) {
    const before = memoryOf(store);
    const arrived = new Arrived(key.replace(" ", "_"), 100_000);
    assertEquals(arrived.set(store, expected), swapped);
    assert(!arrived.isGiven && arrived.isWhole, key);
    assertEquals(memoryOf(store), before);
  }
  await store.close();
});

Deno.test("memory store: a set for which there is no room leaves its memory with the connection", async () => {
  for (const evict of [true, false]) {
    const store = openStore(MIB, evict);
    const arrived = new Arrived("k", 2 * MIB);
    assertThrows(() => arrived.set(store), OutOfSpaceError);
    assert(!arrived.isGiven && arrived.isWhole);
    assertEquals(valueOf(store, "k"), undefined);
    await store.close();
  }
});

Deno.test("memory store: a value that fits by itself, but not with the memory around it, is copied", async () => {
  const size = 500_000;
  const empty = openStore(size + 10_000, false);
  const index = memoryOf(empty);
  await empty.close();
  // Room for the record, and not for the rest of the page in which its memory ends.
  const store = openStore(index + size + 1000, false);
  const arrived = new Arrived("k", size);
  assert(arrived.memory.length > size + 1000);
  assertEquals(typeof arrived.set(store), "bigint");
  assert(!arrived.isGiven && arrived.isWhole);
  assertEquals(valueOf(store, "k")?.length, size);
  await store.close();
});

Deno.test("memory store: what is small, waits, or lies in much more memory than it needs is copied", async () => {
  const store = openStore();
  const small = new Arrived("k", 65_535);
  const pinned = new Arrived("k", 100_000);
  pinned.input.pin();
  const loose = new Arrived("k", 100_000, "", 120_000);
  assert(loose.memory.length > 120_000);
  for (const arrived of [small, pinned, loose]) {
    assertEquals(typeof arrived.set(store), "bigint");
    assert(!arrived.isGiven && arrived.isWhole);
    assert(valueOf(store, "k")!.buffer !== arrived.memory.buffer);
  }
  await store.close();
});

Deno.test("memory store: memory of a value that is replaced serves what is received next, unless it is being sent", async () => {
  const store = openStore();
  const [first, second, third] = [1, 2, 3].map(() => new Arrived("k", 300_000));
  first.set(store);
  second.set(store);
  assert(takeMemory(first.memory.length) === first.memory);
  lenderOf(store, "k").borrowers++;
  third.set(store);
  assert(takeMemory(second.memory.length) !== second.memory);
  assert(second.isWhole);
  await store.close();
});

Deno.test("memory store: what is kept is replaced, changed and written over as any other item", async () => {
  const store = openStore();
  const batch = new Batch();
  const key = bytesOf("k");
  const arrived = new Arrived("k", 100_000);
  arrived.set(store);
  const memory = memoryOf(store);
  // A copy of the same length is written where the value lies, and leaves room for replies before it.
  store.swap(key, "any", itemOf("y".repeat(100_000)), batch);
  assertEquals(memoryOf(store), memory);
  const item = itemAt(store, "k")!;
  assert(item.value.buffer === arrived.memory.buffer && item.value.every((byte) => byte === 0x79));
  assert(lenderOf(store, "k").roomBefore >= 304);
  // So is what has only other attributes.
  store.swap(key, item, { ...item, flags: 9 }, batch);
  assertEquals([itemAt(store, "k")!.flags, memoryOf(store)], [9, memory]);
  // One of another length is not.
  store.swap(key, "any", itemOf("z".repeat(100_001)), batch);
  assert(valueOf(store, "k")!.buffer !== arrived.memory.buffer);
  store.swap(key, "any", itemOf("small"), batch);
  assertEquals(new TextDecoder().decode(valueOf(store, "k")), "small");
  assertEquals(store.info().items, 1);
  await store.close();
});

Deno.test("memory store: with values that are kept, copied, sent and removed in any order all are as they were stored, within the limit", async () => {
  const random = new Random(17);
  const limit = 12 * MIB;
  const model = new Map<string, { fill: number; size: number }>();
  const store = openStore(limit, true, (key) => void model.delete(key));
  const sent: Array<{ lender: Lender; value: Uint8Array; fill: number }> = [];
  let given = 0;
  const check = (key: string) => {
    const value = valueOf(store, key);
    const wanted = model.get(key);
    assertEquals(value?.length, wanted?.size, key);
    assert(value === undefined || value.every((byte) => byte === wanted!.fill), key);
  };
  for (let step = 0; step < 400; step++) {
    const key = `key ${random.below(40)}`.replace(" ", "_");
    const size = 1 + random.below(step % 4 === 0 ? 1000 : 900_000);
    const fill = 0x61 + step % 26;
    const what = random.below(10);
    if (what < 6) {
      const arrived = new Arrived(key, String.fromCharCode(fill).repeat(size));
      assertEquals(typeof await arrived.set(store), "bigint");
      if (arrived.isGiven) given++;
      model.set(key, { fill, size });
    } else if (what === 6) {
      const value = new Uint8Array(size).fill(fill);
      assertEquals(
        typeof await store.swap(bytesOf(key), "any", itemOf(value), new Batch()),
        "bigint",
      );
      model.set(key, { fill, size });
    } else if (what === 7) {
      await store.swap(bytesOf(key), "any", null, new Batch());
      model.delete(key);
    } else if (what === 8 && (model.get(key)?.size ?? 0) > 70_000) {
      const lender = lenderOf(store, key);
      lender.borrowers++;
      sent.push({ lender, value: valueOf(store, key)!, fill: model.get(key)!.fill });
    } else if (sent.length > 0) {
      const { lender, value, fill } = sent.shift()!;
      assert(value.every((byte) => byte === fill), "what is being sent does not change");
      lender.borrowers--;
    }
    check(key);
    assert(memoryOf(store) <= limit, `${memoryOf(store)} bytes`);
  }
  for (let i = 0; i < 40; i++) check(`key_${i}`);
  assertEquals(store.info().items, model.size);
  assert(given > 50 && store.info().evictions > 20, `${given} given`);
  await store.close();
});
