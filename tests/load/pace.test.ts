import { assertEquals } from "@std/assert";
import { Schedule } from "../../lib/load/pace.ts";

Deno.test("schedule: a duration has the same number of requests whenever it starts", () => {
  for (let i = 0; i < 10_000; i++) {
    const start = i * 9.7;
    const schedule = new Schedule({ rate: 500, start, requests: Infinity, deadline: start + 300 });
    let given = 0;
    while (schedule.next(start) !== undefined) given++;
    assertEquals(given, 150, `from ${start}`);
  }
});

Deno.test("schedule: what was due and not handed out is unsent", () => {
  const schedule = new Schedule({ rate: 1000, start: 10, requests: 50, deadline: 110 });
  for (let i = 0; i < 7; i++) assertEquals(schedule.next(20), 10 + i);
  assertEquals(schedule.unsent(20), 3);
  assertEquals(schedule.unsent(1000), 43);
  assertEquals(schedule.next(110), undefined);
});
