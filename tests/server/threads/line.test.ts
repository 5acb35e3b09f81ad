import { assertEquals, assertRejects } from "@std/assert";
import { Line } from "../../../lib/server/threads/line.ts";

Deno.test("what was asked of a thread that has ended fails, and so does what is asked of it later", async () => {
  const posted: unknown[] = [];
  const line = new Line<{ ask(what: string): void }, Record<never, never>>(
    (message) => posted.push(message),
    {},
  );
  const waiting = line.call("ask", "before");
  line.end();
  await assertRejects(() => waiting, Error, "the other thread has ended");
  await assertRejects(() => line.call("ask", "after"), Error, "the other thread has ended");
  assertEquals(posted.length, 1);
});
