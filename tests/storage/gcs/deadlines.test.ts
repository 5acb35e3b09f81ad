import { assert, assertEquals } from "@std/assert";
import { Deadlines } from "../../../lib/storage/gcs/deadlines.ts";
import { sleep, until } from "./open.ts";

Deno.test("gcs deadlines: what is late is called once, and never early; what was cleared is not", async () => {
  const deadlines = new Deadlines();
  const called: string[] = [];
  const at = performance.now() + 50;
  deadlines.set(at, () => {
    called.push("late");
    assert(performance.now() >= at);
  });
  deadlines.clear(deadlines.set(at, () => called.push("cleared")));
  await until(() => called.length > 0);
  await sleep(50);
  assertEquals(called, ["late"]);
  // One timer for all, and none while there is nothing to wait for: this one starts it again.
  deadlines.set(performance.now(), () => called.push("again"));
  await until(() => called.length > 1);
  deadlines.end();
  assertEquals(called, ["late", "again"]);
});

Deno.test("gcs deadlines: at the end all are late", () => {
  const deadlines = new Deadlines();
  let called = 0;
  for (let i = 0; i < 3; i++) deadlines.set(Infinity, () => called++);
  deadlines.end();
  assertEquals(called, 3);
});
