import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { StoreError } from "../../../lib/errors.ts";
import { Deadlines } from "../../../lib/storage/gcs/deadlines.ts";
import { Gate } from "../../../lib/storage/gcs/gate.ts";

const later = () => performance.now() + 60_000;

/** A gate for two, before which three may wait, with both inside. */
function fullGate(): Gate {
  const gate = new Gate(2, 3, new Deadlines());
  assert(gate.tryEnter() && gate.tryEnter());
  assertEquals(gate.tryEnter(), false);
  return gate;
}

Deno.test("gcs gate: requests that wait enter in turn, as others leave", async () => {
  const gate = fullGate();
  const entered: number[] = [];
  const waiting = [1, 2, 3].map((n) => gate.enter(later()).then(() => entered.push(n)));
  for (const n of [1, 2, 3]) {
    gate.leave();
    await waiting[n - 1];
    assertEquals(entered.at(-1), n);
    assertEquals(gate.busy, 2);
  }
  gate.leave();
  gate.leave();
  assertEquals(gate.busy, 0);
  assert(gate.tryEnter());
});

Deno.test("gcs gate: no more than so many wait, so that memory stays bounded", async () => {
  const gate = fullGate();
  const waiting = [1, 2, 3].map(() => gate.enter(later()));
  assertThrows(() => gate.enter(later()), StoreError, "Too many requests are waiting");
  gate.leave();
  await waiting[0];
  const fourth = gate.enter(later());
  for (let i = 0; i < 3; i++) gate.leave();
  await Promise.all([...waiting, fourth]);
});

Deno.test("gcs gate: a request that has waited too long is told so, and takes no turn", async () => {
  const gate = fullGate();
  await assertRejects(() => gate.enter(performance.now()), StoreError, "too slow");
  const next = gate.enter(later());
  gate.leave();
  await next;
  gate.leave();
  gate.leave();
  assertEquals(gate.busy, 0);
});
