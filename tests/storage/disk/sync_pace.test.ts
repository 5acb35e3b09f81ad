/** When the thread waits for a sync. */

import { assert, assertEquals } from "@std/assert";
import { SyncPace } from "../../../lib/storage/disk/log/sync_pace.ts";

/** Which of so many syncs are waited for, on a medium that takes so long. */
function waitedFor(pace: SyncPace, count: number, milliseconds: (n: number) => number): number[] {
  const found: number[] = [];
  for (let n = 0; n < count; n++) {
    if (!pace.next()) continue;
    found.push(n);
    pace.took(milliseconds(n));
  }
  return found;
}

Deno.test("every sync of a fast medium is waited for, though one now and then is late", () => {
  const found = waitedFor(new SyncPace(), 1000, (n) => n % 50 === 49 ? 3 : 0.03);
  assertEquals(found.length, 1000);
});

Deno.test("of the syncs of a slow medium few are waited for, and ever fewer", () => {
  const found = waitedFor(new SyncPace(), 20_000, () => 5);
  assertEquals(found.slice(0, 4), [0, 33, 98, 227]);
  const gaps = found.slice(1).map((n, i) => n - found[i]);
  assertEquals(gaps, gaps.toSorted((a, b) => a - b));
  assert(gaps.at(-1)! <= (1 << 12) + 1, "it is found out again and again");
});

Deno.test("a medium that becomes slow is let go on without the thread after two syncs, and comes back", () => {
  const pace = new SyncPace();
  waitedFor(pace, 100, () => 0.03);
  assertEquals(waitedFor(pace, 80, () => 5), [0, 1, 66]);
  const back = waitedFor(pace, 1000, () => 0.03);
  assert(back.length > 800, `${back.length} of 1000`);
});
