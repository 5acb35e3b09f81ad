import { assertEquals } from "@std/assert";
import { steadyClock } from "../lib/clock.ts";

function clocks() {
  const time = { wall: 1_000_000, elapsed: 0 };
  const clock = steadyClock(() => time.wall, () => time.elapsed);
  return {
    time,
    clock,
    pass: (ms: number) => {
      time.wall += ms;
      time.elapsed += ms;
    },
  };
}

Deno.test("the clock follows the wall clock, also where that is set ahead", () => {
  const { time, clock, pass } = clocks();
  assertEquals(clock.now(), 1_000_000);
  pass(500);
  assertEquals(clock.now(), 1_000_500);
  time.wall += 3_600_000;
  assertEquals(clock.now(), 4_600_500);
});

Deno.test("the clock never goes back, and is caught up by a wall clock that was set back", () => {
  const { time, clock, pass } = clocks();
  assertEquals(clock.now(), 1_000_000);
  time.wall -= 60_000;
  assertEquals(clock.now(), 1_000_000);
  pass(1000);
  assertEquals(clock.now(), 1_000_500);
  pass(59_000);
  assertEquals(clock.now(), 1_030_000);
  pass(60_000);
  assertEquals(clock.now(), 1_060_000);
  pass(1000);
  assertEquals(clock.now(), 1_061_000);
});

Deno.test("a clock that is set back twice does not go back either", () => {
  const { time, clock, pass } = clocks();
  let before = clock.now();
  for (const back of [5000, 0, 100_000, 0, 0, 3000]) {
    time.wall -= back;
    pass(10);
    const now = clock.now();
    assertEquals(now >= before, true);
    before = now;
  }
});
