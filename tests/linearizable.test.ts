import { assertEquals, assertMatch } from "@std/assert";
import { type Event, type State, unexplained } from "./linearizable.ts";

function write(value: string, called: number, returned: number): Event {
  return { name: `write ${value}`, called, returned, apply: () => ({ next: value }) };
}

function read(value: State, called: number, returned: number): Event {
  const apply: Event["apply"] = (state) => state === value ? { next: state } : "impossible";
  return { name: `read ${value}`, called, returned, apply };
}

Deno.test("requests one after the other are explained by their own order", () => {
  const events = [read(undefined, 0, 1), write("a", 2, 3), read("a", 4, 5), write("b", 6, 7)];
  assertEquals(unexplained([...events, read("b", 8, 9)], undefined), undefined);
});

Deno.test("a read of what was replaced before it began is found", () => {
  const events = [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)];
  assertMatch(unexplained(events, undefined)!, /read a cannot be explained/);
});

Deno.test("a read beside a write may see either, but no later one the older state again", () => {
  const events = [write("a", 0, 1), write("b", 2, 9), read("b", 3, 4)];
  assertEquals(unexplained([...events, read("b", 5, 6)], undefined), undefined);
  assertMatch(unexplained([...events, read("a", 5, 6)], undefined)!, /read a cannot/);
});

Deno.test("a request that was never answered may have taken effect at any time, or never", () => {
  const events = [write("a", 0, 1), write("b", 2, Infinity), read("a", 3, 4)];
  assertEquals(unexplained([...events, read("b", 5, 6)], undefined), undefined);
  assertEquals(unexplained([...events, read("a", 5, 6)], undefined), undefined);
  const back = [...events, read("b", 5, 6), read("a", 7, 8)];
  assertMatch(unexplained(back, undefined)!, /read a cannot/);
});
