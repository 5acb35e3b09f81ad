import { assertEquals } from "@std/assert";
import { Counters } from "../../../lib/observe/counters.ts";
import { Watchers } from "../../../lib/observe/watch.ts";
import type { Context } from "../../../lib/commands/context.ts";
import type { Snapshot } from "../../../lib/server/threads/calls.ts";
import { Sums } from "../../../lib/server/threads/sums.ts";
import type { StoreInfo } from "../../../lib/storage/contract.ts";

/** What the store of one thread tells. */
function info(own: StoreInfo["own"]): StoreInfo {
  return {
    ...{ items: 5, bytes: 500, limit: 1000, evictions: 0, reclaimed: 0, flushedReads: 0 },
    own,
  };
}

function snapshot(loopLag: number, own: StoreInfo["own"]): Snapshot {
  return {
    counters: {},
    prefixes: [],
    watchers: { written: 0, sent: 0, skipped: 0, count: 0 },
    isAccepting: true,
    disabled: { count: 0, time: 0 },
    limits: [["max_watchers", 20], ["watchers", 1], ["max_prefixes", 10], ["prefixes", 3]],
    talkers: { bytes: [], requests: [] },
    connectionsBy: [],
    loopLag,
    store: info(own),
  };
}

/** What two workers have told, the second one first. */
function sums(): Sums {
  const sums = new Sums();
  const context = { counters: new Counters(), watchers: new Watchers() } as unknown as Context;
  const own = (requests: number, inFlight: number): [string, string | number][] => [
    ["state", "ok"],
    ["redis_requests", requests],
    ["redis_requests_in_flight", inFlight],
    ["redis_evicted_keys", 7],
  ];
  sums.add(2, snapshot(0.2, [...own(20, 2), ["redis_error_OOM", 4]]), context);
  sums.add(1, snapshot(0.1, own(10, 1)), context);
  return sums;
}

Deno.test("threads' own stores: counts and what is in hand add up, what Redis tells of itself does not", () => {
  const main = info([
    ["state", "away"],
    ["redis_requests", 1],
    ["redis_requests_in_flight", 0],
    ["redis_evicted_keys", 7],
  ]);
  assertEquals(sums().store("redis", main).own, [
    ["state", "away"],
    ["redis_requests", 31],
    ["redis_requests_in_flight", 3],
    ["redis_evicted_keys", 7],
    ["redis_error_OOM", 4],
  ]);
});

Deno.test("threads' own stores: what is not well with one of them is told, with its reason", () => {
  const all = new Sums();
  const context = { counters: new Counters(), watchers: new Watchers() } as unknown as Context;
  all.add(3, snapshot(0, [["state", "away"], ["state_reason", "writes are refused"]]), context);
  assertEquals(all.store("gcs", info([["state", "ok"], ["flush_epoch", 3]])).own, [
    ["state", "away"],
    ["flush_epoch", 3],
    ["state_reason", "writes are refused"],
  ]);
});

Deno.test("threads' own stores: what Redis has evicted and expired is told once", () => {
  const main = { ...info([["state", "ok"]]), evictions: 7, reclaimed: 8, flushedReads: 9 };
  const all = new Sums();
  const context = { counters: new Counters(), watchers: new Watchers() } as unknown as Context;
  all.add(1, { ...snapshot(0, []), store: main }, context);
  const counts = ({ evictions, reclaimed, flushedReads }: StoreInfo) => [
    evictions,
    reclaimed,
    flushedReads,
  ];
  assertEquals(counts(all.store("redis", main)), [7, 8, 18]);
  assertEquals(counts(all.store("gcs", main)), [14, 16, 18]);
});

Deno.test("threads' bounds: what each has for itself adds up, what all share does not", () => {
  assertEquals(sums().limits(), [
    ["max_watchers", 20],
    ["watchers", 2],
    ["max_prefixes", 20],
    ["prefixes", 6],
  ]);
});

Deno.test("threads' event loops are told in the order of the threads, whoever answers first", () => {
  assertEquals(sums().snapshots.map(({ loopLag }) => loopLag), [0.1, 0.2]);
});
