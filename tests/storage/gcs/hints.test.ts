/** What is remembered of keys, and what is forgotten. */

import { assert, assertEquals } from "@std/assert";
import { plain } from "../../../lib/storage/contract.ts";
import { type Hint, Hints } from "../../../lib/storage/gcs/hints.ts";
import { stateAfter } from "../../../lib/storage/gcs/upload.ts";

const value = (...bytes: number[]) => new Uint8Array(bytes);

Deno.test("gcs hints: the newest state of a key is kept, with a copy of its value", () => {
  const hints = new Hints(10_000, 8);
  const bytes = value(1, 2, 3);
  hints.put("k", { stored: undefined, value: bytes }, 2);
  hints.put("k", { stored: undefined, value: value(4) }, 1);
  bytes.fill(9);
  assertEquals(hints.get("k"), { stored: undefined, value: value(1, 2, 3), at: 2 } as Hint);
  hints.put("k", { stored: undefined, value: value(5) }, 2);
  assertEquals(hints.get("k")?.value, value(5));
  hints.delete("k");
  hints.delete("k");
  assertEquals(hints.get("k"), undefined);
  assertEquals(hints.bytes, 0);
});

Deno.test("gcs hints: a value over the greatest is not kept, what is known of its key is", () => {
  const hints = new Hints(10_000, 2);
  hints.put("k", { stored: undefined, value: value(1, 2, 3) }, 1);
  assertEquals(hints.get("k"), { stored: undefined, value: undefined, at: 1 } as Hint);
});

Deno.test("gcs hints: the size stays under its limit, and what was used last stays", () => {
  const hints = new Hints(10_000, 8);
  const state = { stored: undefined, value: value(1) };
  for (let i = 0; i < 1000; i++) {
    hints.put(`k${i}`, state, i);
    assert(hints.bytes <= 10_000);
    hints.get("k0");
  }
  assert(hints.bytes > 9_000);
  assert(hints.get("k0") !== undefined);
  assert(hints.get("k999") !== undefined);
  assertEquals(hints.get("k500"), undefined);
});

Deno.test("gcs hints: a state that was forgotten for want of room is not followed by an older one", () => {
  const hints = new Hints(10_000, 8);
  const state = (byte: number) => ({ stored: undefined, value: value(byte) });
  // A read of k is under way since 5; meanwhile k is written, and forgotten.
  hints.put("k", state(2), 10);
  for (let i = 0; i < 100; i++) hints.put(`other ${i}`, state(0), 6);
  assertEquals(hints.get("k"), undefined);
  hints.put("k", state(1), 5);
  assertEquals(hints.get("k"), undefined);
  hints.put("k", state(2), 11);
  assertEquals(hints.get("k")?.value, value(2));
});

Deno.test("gcs hints: what is known of a written object holds no value that does not count", () => {
  const hints = new Hints(10_000, 2);
  const final = { ...plain, value: value(1, 2, 3), size: 9 };
  const marks = { cas: 0n, epoch: 4, tokens: ["t"], unsure: 0 };
  hints.put("k", stateAfter(final, marks, "77"), 1);
  const { stored } = hints.get("k")!;
  assertEquals({ size: stored?.size, cas: stored?.cas, epoch: stored?.epoch }, {
    size: 3,
    cas: 77n,
    epoch: 4,
  });
  assertEquals(Object.values(stored!).filter((part) => part instanceof Uint8Array), []);
});
