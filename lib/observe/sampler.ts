/**
 * What the live page shows, a sample a second: rates of what counts, and states as they are.
 *
 * @module
 */

import type { Source } from "./figures/row.ts";
import { bounds, quantileOf } from "./histogram.ts";
import type { Timing } from "./timing.ts";

/** A number that only grows, of which the page shows how much a second. */
type Count = (source: Source) => number;

const own = (name: string): Count => ({ store }) => {
  const found = store.own.find(([own]) => own === name)?.[1];
  return found === undefined ? NaN : Number(found);
};

/** Rates, by column. */
const rates: Readonly<Record<string, Count>> = {
  get: ({ counters }) => counters.get_hits + counters.get_misses,
  set: ({ counters }) => counters.cmd_set,
  delete: ({ counters }) => counters.delete_hits + counters.delete_misses,
  arithmetic: ({ counters: c }) => c.incr_hits + c.incr_misses + c.decr_hits + c.decr_misses,
  touch: ({ counters }) => counters.touch_hits + counters.touch_misses,
  hits: ({ counters }) => counters.get_hits,
  bytesIn: ({ counters }) => counters.bytes_read,
  bytesOut: ({ counters }) => counters.bytes_written,
  evictions: ({ store }) => store.evictions,
  syncs: own("syncs"),
  moved: own("compaction_moved_bytes"),
  requests: (source) =>
    source.storeName === "gcs" ? own("requests")(source) : own("redis_requests")(source),
  retries: (source) =>
    source.storeName === "gcs"
      ? ["rate_limit", "service_error", "connection", "timeout"]
        .reduce((sum, cause) => sum + own(`retries_${cause}`)(source), 0)
      : own("redis_timeouts")(source) + own("redis_reconnects")(source),
};

/** States, by column. */
const states: Readonly<Record<string, Count>> = {
  connections: ({ connections }) => connections,
  items: ({ store }) => store.items,
  bytes: ({ store }) => store.bytes,
  limit: ({ store }) => store.limit === 0 ? NaN : store.limit,
  resident: ({ memory }) => memory.resident,
  heap: ({ memory }) => memory.heap,
  cache: own("cache_bytes"),
  index: own("index_bytes"),
  live: own("live_bytes"),
  dead: own("dead_bytes"),
  free: own("free_bytes"),
  reserved: own("reserved_bytes"),
  compacting: own("compacting"),
  syncMs: own("last_sync_ms"),
  inFlight: own("requests_in_flight"),
  lag: ({ watch }) => (watch?.loopLag ?? NaN) * 1000,
};

const quantiles = { p50: 0.5, p99: 0.99, p999: 0.999 } as const;

/** The columns of a sample. */
export const columns: readonly string[] = [
  ...Object.keys(rates),
  ...Object.keys(quantiles),
  ...Object.keys(states),
];

/** Makes samples of what it is shown every second. */
export class Sampler {
  readonly #timing: Timing;
  #counts: number[] | undefined;
  #times = new Float64Array(bounds.length + 1);

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** A sample, in the order of {@linkcode columns}. `seconds` have passed since the last one. */
  sample(source: Source, seconds: number): number[] {
    const counts = Object.values(rates).map((count) => count(source));
    const before = this.#counts ?? counts;
    this.#counts = counts;
    // `stats reset` sets counts back.
    const perSecond = counts.map((count, i) => Math.max(0, count - before[i]!) / seconds);
    const times = this.#requestTimes();
    const fresh = times.map((count, i) => count - this.#times[i]!);
    this.#times = times;
    const isIdle = fresh.every((count) => count === 0);
    return [
      ...perSecond,
      ...Object.values(quantiles).map((share) => isIdle ? NaN : quantileOf(fresh, share) * 1000),
      ...Object.values(states).map((state) => state(source)),
    ];
  }

  #requestTimes(): Float64Array<ArrayBuffer> {
    const times = new Float64Array(bounds.length + 1);
    for (const { counts } of this.#timing.requests.values()) {
      for (let i = 0; i < times.length; i++) times[i]! += counts[i]!;
    }
    return times;
  }
}
