import { assertEquals } from "@std/assert";
import { Ledger } from "../../lib/load/ledger.ts";

Deno.test("an acknowledged write forbids all that was acknowledged before it was sent", () => {
  const ledger = new Ledger(1);
  assertEquals(ledger.least(0), 0);
  ledger.acknowledge(ledger.begin(0));
  assertEquals(ledger.least(0), 1);
  const second = ledger.begin(0);
  assertEquals(ledger.least(0), 1);
  ledger.acknowledge(second);
  assertEquals(ledger.least(0), 2);
});

Deno.test("writes under way at the same time may be carried out in any order", () => {
  const ledger = new Ledger(1);
  const [a, b] = [ledger.begin(0), ledger.begin(0)];
  ledger.acknowledge(b);
  assertEquals(ledger.least(0), 1);
  ledger.acknowledge(a);
  assertEquals(ledger.least(0), 1);
  ledger.acknowledge(ledger.begin(0));
  assertEquals(ledger.least(0), 3);
});

Deno.test("a write whose answer was lost may be carried out at any later time", () => {
  const ledger = new Ledger(1);
  ledger.begin(0);
  ledger.acknowledge(ledger.begin(0));
  ledger.acknowledge(ledger.begin(0));
  assertEquals(ledger.least(0), 1);
});
