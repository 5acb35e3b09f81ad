import { assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { Harness, type HarnessOptions } from "./harness.ts";
import { SlowStore } from "./wrapped_store.ts";

/** The room for replies that `-o read_buf_mem_limit=1 -t 32` leaves. */
const ROOM = 2 ** 15;
const NO_MEMORY = "SERVER_ERROR out of memory writing get response\r\n";

function limited(options: HarnessOptions = {}): Harness {
  return new Harness({ ...options, context: { replyMemory: ROOM } });
}

Deno.test("replies without memory: a get of too many keys is one error, and the connection goes on", async () => {
  await using harness = limited();
  const reply = await harness.exchange([`get ${"foo ".repeat(500)}\r\n`, "version\r\n"]);
  assertEquals(reply, `${NO_MEMORY}VERSION ${harness.context.version}\r\n`);
  assertEquals(harness.context.counters.response_obj_oom, 1);
});

Deno.test("replies without memory: of other requests they end the connection, and are lost", async () => {
  await using harness = limited();
  const reply = await harness.exchange(["mg foo v\r\n".repeat(500), "version\r\n"]);
  assertEquals(reply, "");
  assertEquals(harness.context.counters.response_obj_oom, 1);
});

Deno.test("replies without memory: it is the same where the store is slow", async () => {
  const clock = new AdjustableClock();
  await using harness = limited({ clock, store: () => new SlowStore(clock, () => 1) });
  assertEquals(await harness.exchange([`get ${"foo ".repeat(500)}\r\n`]), NO_MEMORY);
  assertEquals(await harness.exchange(["mg foo v\r\n".repeat(500)]), "");
});

Deno.test("replies without memory: those that have gone out do not count", async () => {
  await using harness = limited();
  const replies = await harness.exchange(Array.from({ length: 500 }, () => "mg foo v\r\n"));
  assertEquals(replies, "EN\r\n".repeat(500));
});
