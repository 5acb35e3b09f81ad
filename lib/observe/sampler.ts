/**
 * What the live page shows, a sample a second: rates of what counts, and states as they are.
 *
 * @module
 */

import { evicts } from "./figures/process.ts";
import type { Source } from "./figures/row.ts";
import { bounds, type Histogram, quantileOf } from "./histogram.ts";
import type { Timing } from "./timing.ts";

/** A number that only grows, of which the page shows how much a second. */
type Count = (source: Source) => number;

const own = (name: string): Count => ({ store }) => {
  const found = store.own.find(([own]) => own === name)?.[1];
  return found === undefined ? NaN : Number(found);
};

/** A line of `stats limits`; none for 0, which means no limit. */
const limit = (name: string): Count => ({ limits }) => {
  const found = limits.find(([own]) => own === name)?.[1];
  return found === undefined || name.startsWith("max_") && found === 0 ? NaN : Number(found);
};

/** Connections whose clients speak a protocol. */
const speaking = (protocol: string): Count => ({ connectionsBy }) =>
  connectionsBy.reduce((sum, by) => by.protocol === protocol ? sum + by.count : sum, 0);

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
  evictions: (source) => evicts(source) ? source.store.evictions : NaN,
  syncs: own("syncs"),
  read: own("compaction_read_bytes"),
  moved: own("compaction_moved_bytes"),
  freed: own("compaction_freed_bytes"),
  copied: ({ copies }) => copies?.sentBytes ?? NaN,
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
  connText: speaking("text"),
  connBinary: speaking("binary"),
  items: ({ store }) => store.items,
  bytes: ({ store }) => store.bytes,
  limit: ({ store }) => store.limit === 0 ? NaN : store.limit,
  resident: ({ memory }) => memory.resident,
  heap: ({ memory }) => memory.heap,
  clients: limit("client_memory"),
  clientsLimit: limit("max_client_memory"),
  cache: own("cache_bytes"),
  index: own("index_bytes"),
  live: own("live_bytes"),
  dead: own("dead_bytes"),
  free: own("free_bytes"),
  reserved: own("reserved_bytes"),
  compacting: own("compacting"),
  compactingFor: (source) => {
    const since = own("compacting_since")(source);
    return Number.isNaN(since) ? NaN : since === 0 ? 0 : Math.max(0, source.now / 1000 - since);
  },
  syncMs: own("last_sync_ms"),
  copyLag: ({ copies }) => copies?.lag ?? NaN,
  inFlight: (source) =>
    own(source.storeName === "redis" ? "redis_requests_in_flight" : "requests_in_flight")(source),
  lag: ({ watch }) => (watch === undefined ? NaN : Math.max(...watch.loopLag)) * 1000,
};

const quantiles = { p50: 0.5, p99: 0.99, p999: 0.999 } as const;
/** Of the time of requests to Redis and Cloud Storage. */
const exchangeQuantiles = { storeP50: 0.5, storeP99: 0.99 } as const;

/** The columns of a sample. */
export const columns: readonly string[] = [
  ...Object.keys(rates),
  ...Object.keys(quantiles),
  ...Object.keys(exchangeQuantiles),
  ...Object.keys(states),
];

/** Makes samples of what it is shown every second. */
export class Sampler {
  readonly #timing: Timing;
  #counts: number[] | undefined;
  #requests = new Fresh();
  #exchanges = new Fresh();

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
    const { requests, exchanges } = this.#timing;
    return [
      ...perSecond,
      ...this.#requests.quantiles(requests.values(), Object.values(quantiles)),
      ...this.#exchanges.quantiles(exchanges.values(), Object.values(exchangeQuantiles)),
      ...Object.values(states).map((state) => state(source)),
    ];
  }
}

/** The times that were added to histograms since the last look. */
class Fresh {
  #before = new Float64Array(bounds.length + 1);

  /** Quantiles of them in milliseconds; NaN where there are none. */
  quantiles(histograms: Iterable<Histogram>, shares: readonly number[]): number[] {
    const now = new Float64Array(bounds.length + 1);
    for (const { counts } of histograms) {
      for (let i = 0; i < now.length; i++) now[i]! += counts[i]!;
    }
    const fresh = now.map((count, i) => count - this.#before[i]!);
    this.#before = now;
    const isIdle = fresh.every((count) => count === 0);
    return shares.map((share) => isIdle ? NaN : quantileOf(fresh, share) * 1000);
  }
}
