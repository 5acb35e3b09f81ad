/**
 * What the stores tell of themselves beyond memcached's figures. `stats disk` (or `redis`, `gcs`) shows the
 * store's own names; a row here says what one of them means and what Prometheus sees of it.
 *
 * @module
 */

import type { Across, Family, Part, Row, Source, Unit } from "./row.ts";

/** What a store can do: everything, all but storing, nothing but reading, or nothing until it is back. */
export const storeStates = ["ok", "full", "failed", "away"] as const;

/** One of {@linkcode storeStates}. */
export type StoreState = typeof storeStates[number];

/** The state of the store, and why, in a sentence, where it is not `ok`. */
export function storeState(
  own: Source["store"]["own"],
): { readonly state: StoreState; readonly reason: string } {
  const told = own.find(([name]) => name === "state")?.[1] ?? "ok";
  const state = storeStates.find((state) => state === told) ?? "failed";
  const reason = own.find(([name]) => name === "state_reason")?.[1];
  return { state, reason: reason === undefined ? reasons[state] : String(reason) };
}

const reasons: Readonly<Record<StoreState, string>> = {
  ok: "",
  full: "the store is full",
  failed: "the store has failed",
  away: "the store cannot be reached",
};

type Store = "disk" | "redis" | "gcs" | "memory";
interface Rest {
  readonly unit?: Unit;
  readonly labels?: Record<string, string>;
  readonly of?: (value: number) => number;
  /** Where each thread has a store of its own. */
  readonly across?: Across;
}

/** A figure that a store tells under `stat`. */
function own(
  store: Store,
  stat: string,
  type: Family["type"],
  name: string,
  help: string,
  { unit = "", labels, of, across = acrossOf(store, type) }: Rest = {},
): Row & { readonly own: string } {
  return {
    own: `${store} ${stat}`,
    read: (source) => source.storeName === store ? figure(source, stat) : undefined,
    series: {
      family: { name: `kvs_${store}_${name}`, type, help },
      ...labels === undefined ? {} : { labels },
      ...of === undefined ? {} : { of },
    },
    unit,
    across,
    meaning: help,
  };
}

/** A store on disk or in memory has one owner; of others each thread has one, which counts for itself. */
function acrossOf(store: Store, type: Family["type"]): Across {
  return (store === "redis" || store === "gcs") && type === "counter" ? "sum" : "same";
}

function figure({ store }: Source, name: string): number | string | undefined {
  return store.own.find(([own]) => own === name)?.[1];
}

const bytes: Rest = { unit: "bytes" };
/** What Redis tells of itself, the same to each thread. */
const same: Rest = { across: "same" };
/** What each thread has in hand. */
const sum: Rest = { across: "sum" };
const retries = "Requests to Cloud Storage made again, by cause.";
const redisResults = "Commands to Redis, by how they ended.";
const gcsResults = "Requests to Cloud Storage, by how they ended.";
/** How figures of errors by their word begin; which there are is Redis's. */
export const redisErrors = "redis_error_";

/** Own figures that are words, or that other rows tell. */
export const ownWords: readonly string[] = [
  "disk directory",
  "disk fsync",
  "disk state",
  "disk state_reason",
  "redis state",
  "redis state_reason",
  "redis redis_version",
  "gcs state",
  "gcs state_reason",
];

/** The figures of one kind of store each. */
export const ownRows: ReadonlyArray<Row & { readonly own: string }> = [
  own("disk", "segments", "gauge", "segments", "Files of the log."),
  own("disk", "log_bytes", "gauge", "log_bytes", "Bytes of the log.", bytes),
  own("disk", "live_bytes", "gauge", "live_bytes", "Bytes of records that count.", bytes),
  own("disk", "dead_bytes", "gauge", "dead_bytes", "Bytes that compaction can give back.", bytes),
  own("disk", "held_bytes", "gauge", "held_bytes", "Bytes given up that listings read.", bytes),
  own("disk", "free_bytes", "gauge", "free_bytes", "Bytes free on the file system.", bytes),
  own("disk", "reserved_bytes", "gauge", "reserved_bytes", "Bytes kept back for deletes.", bytes),
  own("disk", "index_bytes", "gauge", "index_bytes", "Memory of the index.", bytes),
  own("disk", "amended_items", "gauge", "amended_items", "Items with newer attributes elsewhere."),
  own("disk", "index_load", "gauge", "index_load_ratio", "How full the index is, from 0 to 1."),
  own("disk", "cache_bytes", "gauge", "cache_bytes", "Memory of the cache of values.", bytes),
  own("disk", "cache_hits", "counter", "cache_hits_total", "Reads that the cache answered."),
  own("disk", "reads", "counter", "reads_total", "Reads."),
  own("disk", "slow_reads", "counter", "slow_reads_total", "Reads that waited for the disk."),
  own(
    "disk",
    "verified_bytes",
    "gauge",
    "verified_bytes",
    "Read since the start to verify them.",
    bytes,
  ),
  own("disk", "unverified_bytes", "gauge", "unverified_bytes", "Still to be verified.", bytes),
  own("disk", "index_images", "counter", "index_images_total", "Images of the index written."),
  own("disk", "damaged_records", "gauge", "damaged_records", "Records known to be damaged."),
  own("disk", "damaged_reads", "counter", "damaged_reads_total", "Reads of damaged records."),
  own("disk", "syncs", "counter", "syncs_total", "Syncs of the log."),
  own("disk", "last_sync", "gauge", "last_sync_timestamp_seconds", "The end of the last sync.", {
    unit: "seconds",
  }),
  own(
    "disk",
    "last_sync_ms",
    "gauge",
    "last_sync_duration_seconds",
    "How long the last sync took.",
    {
      of: (milliseconds) => milliseconds / 1000,
    },
  ),
  own("disk", "unsynced_bytes", "gauge", "unsynced_bytes", "Bytes not synced yet.", bytes),
  own("disk", "behind", "gauge", "sync_behind", "Whether syncs are later than --fsync promises."),
  own("disk", "compactions", "counter", "compactions_total", "Compactions of a segment."),
  own(
    "disk",
    "compaction_read_bytes",
    "counter",
    "compaction_read_bytes_total",
    "Bytes that compaction read.",
    bytes,
  ),
  own(
    "disk",
    "compaction_moved_bytes",
    "counter",
    "compaction_moved_bytes_total",
    "Bytes that compaction copied.",
    bytes,
  ),
  own(
    "disk",
    "compaction_freed_bytes",
    "counter",
    "compaction_freed_bytes_total",
    "Bytes that compaction gave back.",
    bytes,
  ),
  own("disk", "compacting", "gauge", "compacting", "Whether a compaction is under way."),
  own(
    "disk",
    "compacting_since",
    "gauge",
    "compaction_start_timestamp_seconds",
    "When the compaction under way began; 0 where none is.",
    { unit: "seconds" },
  ),
  own("disk", "sequence", "counter", "records_total", "Records written in the directory's life."),
  own("redis", "redis_nodes", "gauge", "nodes", "Masters that hold the keys."),
  own("redis", "redis_nodes_ready", "gauge", "nodes_ready", "Masters that answer."),
  own("redis", "redis_used_memory", "gauge", "used_memory_bytes", "Memory that Redis uses.", bytes),
  own(
    "redis",
    "redis_maxmemory",
    "gauge",
    "max_memory_bytes",
    "Redis's maxmemory; 0 for none.",
    bytes,
  ),
  own(
    "redis",
    "redis_evicted_keys",
    "counter",
    "evicted_keys_total",
    "Keys that Redis evicted.",
    same,
  ),
  own(
    "redis",
    "redis_expired_keys",
    "counter",
    "expired_keys_total",
    "Keys that Redis expired.",
    same,
  ),
  own(
    "redis",
    "redis_unanswered_bytes",
    "gauge",
    "unanswered_bytes",
    "Bytes of requests without an answer yet.",
    { ...bytes, ...sum },
  ),
  own(
    "redis",
    "redis_requests",
    "counter",
    "requests_total",
    "Commands to Redis; one may be about 64 keys.",
  ),
  own(
    "redis",
    "redis_requests_in_flight",
    "gauge",
    "requests_in_flight",
    "Requests without an answer yet.",
    sum,
  ),
  own("redis", "redis_writes", "counter", "socket_writes_total", "Writes to its sockets."),
  own("redis", "redis_reconnects", "counter", "reconnects_total", "Connections made anew."),
  own(
    "redis",
    "redis_redirections",
    "counter",
    "redirections_total",
    "Redirections by the cluster.",
  ),
  own(
    "redis",
    "redis_timeouts",
    "counter",
    "timeouts_total",
    "Requests without an answer in time.",
  ),
  own(
    "redis",
    "redis_lost_replies",
    "counter",
    "lost_replies_total",
    "Answers lost with a connection.",
  ),
  own("redis", "redis_refused_requests", "counter", "refused_requests_total", "Requests not sent."),
  own(
    "redis",
    "redis_unreadable_values",
    "counter",
    "unreadable_values_total",
    "Values that kvs has not written.",
  ),
  ...["ok", "error", "timeout", "connection"].map((result) =>
    own("redis", `redis_results_${result}`, "counter", "results_total", redisResults, {
      labels: { result },
    })
  ),
  own(
    "redis",
    "redis_counted_seconds_ago",
    "gauge",
    "count_age_seconds",
    "How long ago items and bytes were counted.",
    { unit: "seconds" },
  ),
  own("gcs", "requests", "counter", "requests_total", "Requests to Cloud Storage."),
  own("gcs", "requests_in_flight", "gauge", "requests_in_flight", "Requests under way.", sum),
  ...["ok", "error", "service_error", "rate_limit", "timeout", "connection"].map((result) =>
    own("gcs", `results_${result}`, "counter", "results_total", gcsResults, { labels: { result } })
  ),
  own("gcs", "uploads", "counter", "uploads_total", "Uploads."),
  own("gcs", "deletes", "counter", "deletes_total", "Deletes."),
  own(
    "gcs",
    "coalesced_writes",
    "counter",
    "coalesced_writes_total",
    "Writes that shared an upload.",
  ),
  own(
    "gcs",
    "conflicts",
    "counter",
    "conflicts_total",
    "Writes that another server's came before.",
  ),
  own(
    "gcs",
    "lost_answers_resolved",
    "counter",
    "lost_answers_resolved_total",
    "Writes whose lost answer was found out.",
  ),
  own("gcs", "retries_rate_limit", "counter", "retries_total", retries, {
    labels: { cause: "rate_limit" },
  }),
  own("gcs", "retries_service_error", "counter", "retries_total", retries, {
    labels: { cause: "service_error" },
  }),
  own("gcs", "retries_connection", "counter", "retries_total", retries, {
    labels: { cause: "connection" },
  }),
  own("gcs", "retries_timeout", "counter", "retries_total", retries, {
    labels: { cause: "timeout" },
  }),
  own("gcs", "damaged_contents", "counter", "damaged_contents_total", "Contents found damaged."),
  own(
    "gcs",
    "unreadable_answers",
    "counter",
    "unreadable_answers_total",
    "Whole answers that were not what the service sends.",
  ),
  own("gcs", "cached_reads", "counter", "cached_reads_total", "Reads answered within --cache-ttl."),
  own("gcs", "cleared_flushed", "counter", "cleared_flushed_total", "Flushed objects deleted."),
  own("gcs", "flush_epoch", "gauge", "flush_epoch", "The number of the last flush."),
  own("gcs", "writes_waiting", "gauge", "writes_waiting", "Writes that wait for their turn.", sum),
  own("gcs", "keys_in_hand", "gauge", "keys_in_hand", "Keys with writes under way.", sum),
  own("gcs", "hint_bytes", "gauge", "hint_bytes", "Memory of what is known of keys.", {
    ...bytes,
    ...sum,
  }),
  own(
    "gcs",
    "listings",
    "counter",
    "listings_total",
    "Listings of the bucket that came to an end.",
  ),
  own("memory", "memory_bytes", "gauge", "used_bytes", "Memory of the items.", bytes),
  own("memory", "index_bytes", "gauge", "index_bytes", "Memory of the index.", bytes),
  own("memory", "index_probes", "counter", "index_probes_total", "Places of the index looked at."),
  own("memory", "chunk_size", "gauge", "chunk_bytes", "Size of a chunk of memory.", bytes),
  own("memory", "chunks", "gauge", "chunks", "Chunks of memory."),
  own("memory", "large_items", "gauge", "large_items", "Items with memory of their own."),
  own("memory", "garbage_bytes", "gauge", "garbage_bytes", "Memory of items that are gone.", bytes),
  own("memory", "moved_items", "counter", "moved_items_total", "Items moved to free a chunk."),
];

function redisErrorParts({ storeName, store }: Source): Part[] {
  if (storeName !== "redis") return [];
  return store.own.filter(([name]) => name.startsWith(redisErrors))
    .map(([name, count]) => [{ kind: name.slice(redisErrors.length) }, Number(count)]);
}

const stateFamily: Family = {
  name: "kvs_store_state",
  type: "gauge",
  help: "1 for the state that the store is in, 0 for the others.",
};

/** What holds for every store. */
export const storeRows: readonly Row[] = [
  ...storeStates.map((state): Row => ({
    read: ({ store }) => storeState(store.own).state === state ? 1 : 0,
    series: { family: stateFamily, labels: { state } },
    unit: "",
    across: "same",
    meaning: `whether the store is ${state}`,
  })),
  {
    read: (source) => redisErrorParts(source).reduce((sum, [, count]) => sum + count, 0),
    parts: redisErrorParts,
    series: {
      family: {
        name: "kvs_redis_errors_total",
        type: "counter",
        help: "Errors that Redis answered, by its word for them.",
      },
    },
    unit: "",
    across: "sum",
    meaning: "the redis_error_* of stats redis",
  },
];
