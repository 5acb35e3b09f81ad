import { assert, assertEquals } from "@std/assert";
import { Bandwidth } from "../../lib/copies/bandwidth.ts";

Deno.test("copies, bandwidth: what is taken together waits one after another", async () => {
  const pauses: number[] = [];
  const bandwidth = new Bandwidth(1000, (ms) => {
    pauses.push(ms);
    return Promise.resolve();
  });
  await Promise.all(Array.from({ length: 5 }, () => bandwidth.take(100_000)));
  // The first goes immediately, each other 100 s after the one before it.
  assertEquals(pauses.length, 4);
  for (const [i, pause] of pauses.entries()) {
    const turn = (i + 1) * 100_000;
    assert(pause <= turn && pause > turn - 50_000, `${pauses}`);
  }
});

Deno.test("copies, bandwidth: without a limit nothing waits", async () => {
  const bandwidth = new Bandwidth(Infinity, () => Promise.reject(new Error("waits")));
  for (let i = 0; i < 5; i++) await bandwidth.take(1 << 30);
});
