/** When the thread waits for a sync. */

import { assert, assertEquals } from "@std/assert";
import { SyncPace } from "../../../lib/storage/disk/log/sync_pace.ts";

/** Which of so many syncs are waited for, on a medium that takes so long. */
function waitedFor(pace: SyncPace, count: number, milliseconds: (n: number) => number): number[] {
  const found: number[] = [];
  for (let n = 0; n < count; n++) {
    if (!pace.next()) continue;
    found.push(n);
    pace.took(milliseconds(n), true);
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

/** Which of so many syncs are waited for where each has so many batches that wait and others that do not. */
function shared(pace: SyncPace, count: number, waiting: number, free: number, took: number) {
  let found = 0;
  for (let n = 0; n < count; n++) {
    pace.waiting += waiting;
    pace.free += free;
    const isWaitedFor = pace.next();
    if (isWaitedFor) found++;
    pace.took(took, isWaitedFor);
  }
  return found;
}

Deno.test("a sync that everybody waits for is waited for, where nobody else is to be served", () => {
  const pace = new SyncPace();
  shared(pace, 20, 1, 0, 0.4);
  assertEquals(shared(pace, 100, 1, 0, 0.4), 100);
  assertEquals(shared(pace, 100, 16, 0, 0.4), 100);
});

Deno.test("as soon as there are others to be served they are, and then all wait again", () => {
  const pace = new SyncPace();
  shared(pace, 20, 4, 0, 0.4);
  assert(shared(pace, 100, 4, 1, 0.4) < 10);
  assert(shared(pace, 2000, 4, 0, 0.4) > 1000);
});

Deno.test("a group that takes longer to be served than its sync takes is served meanwhile", () => {
  const pace = new SyncPace();
  shared(pace, 20, 4, 0, 0.4);
  assert(shared(pace, 100, 100, 0, 0.4) < 10);
});

Deno.test("a sync of a sixth of a millisecond is waited for where all that come need one, and else is not", () => {
  const pace = new SyncPace();
  shared(pace, 20, 50, 0, 0.15);
  assertEquals(shared(pace, 100, 50, 0, 0.15), 100);
  shared(pace, 20, 5, 45, 0.15);
  assert(shared(pace, 100, 5, 45, 0.15) < 20);
});

Deno.test("a sync of several milliseconds is left to another thread whoever waits for it", () => {
  assert(shared(new SyncPace(), 1000, 1, 0, 5) < 20);
});

Deno.test("a sync that nobody waits for is left to another thread", () => {
  const pace = new SyncPace();
  shared(pace, 20, 1, 0, 0.4);
  assert(shared(pace, 100, 0, 0, 0.4) < 10);
});
