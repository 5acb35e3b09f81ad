/**
 * The names under which Prometheus sees figures that memcached has as well: those of memcached_exporter
 * (`pkg/exporter/exporter.go`), and its types, so that dashboards and alerts made for it work.
 *
 * Its oddities are kept: a counter without `_total`, a size that is a counter. {@linkcode oddities} lists
 * them, for the check of names against Prometheus's rules.
 *
 * @module
 */

import type { Family } from "./row.ts";

function family(type: Family["type"], name: string, help: string): Family {
  return { name: `memcached_${name}`, type, help };
}

/** The families, by the exporter's name without its prefix. */
export const exporter = {
  up: family("gauge", "up", "Whether the server answers; 1, as it answers itself."),
  uptime: family("counter", "uptime_seconds", "Seconds since the server started."),
  time: family("gauge", "time_seconds", "The server's time, in seconds since 1970."),
  version: family("gauge", "version", "1, with the version as a label."),
  userCpu: family("counter", "process_user_cpu_seconds_total", "Processor time in user mode."),
  systemCpu: family("counter", "process_system_cpu_seconds_total", "Processor time in the kernel."),
  read: family("counter", "read_bytes_total", "Bytes received from clients."),
  written: family("counter", "written_bytes_total", "Bytes sent to clients."),
  connections: family("gauge", "current_connections", "Connections that are open."),
  maxConnections: family("gauge", "max_connections", "Most connections at a time (-c)."),
  connectionsTotal: family("counter", "connections_total", "Connections accepted."),
  rejected: family(
    "counter",
    "connections_rejected_total",
    "Connections refused because as many as -c allows were open.",
  ),
  yielded: family(
    "counter",
    "connections_yielded_total",
    "Turns that connections gave up after as many requests as -R allows.",
  ),
  listenerDisabled: family(
    "counter",
    "connections_listener_disabled_total",
    "Times that no connection was accepted because as many as -c allows were open.",
  ),
  accepting: family("gauge", "accepting_connections", "Whether connections are accepted."),
  bytes: family("gauge", "current_bytes", "Bytes of the items, with the store's overhead."),
  limit: family(
    "gauge",
    "limit_bytes",
    "Most bytes that the store in use may take; 0 for no limit.",
  ),
  commands: family("counter", "commands_total", "Requests by command and by what came of them."),
  items: family("gauge", "current_items", "Items in the store."),
  itemsTotal: family("counter", "items_total", "Items stored."),
  evicted: family("counter", "items_evicted_total", "Items evicted to make room for others."),
  reclaimed: family("counter", "items_reclaimed_total", "Expired items whose room was given back."),
  tooLarge: family("counter", "item_too_large_total", "Items refused as larger than -I allows."),
  noMemory: family("counter", "item_no_memory_total", "Items refused as the store had no room."),
  directReclaims: family("counter", "direct_reclaims_total", "Always 0: kvs has no LRU threads."),
  crawlerEnabled: family("gauge", "lru_crawler_enabled", "Whether lru_crawler is enabled."),
  crawlerSleep: family("gauge", "lru_crawler_sleep", "Microseconds of lru_crawler sleep."),
  crawlerItems: family("gauge", "lru_crawler_to_crawl", "Items of lru_crawler tocrawl."),
  maintainer: family(
    "gauge",
    "lru_crawler_maintainer_thread",
    "The setting; kvs has no such thread.",
  ),
  hotPercent: family("gauge", "lru_crawler_hot_percent", "The setting; kvs has no LRU lists."),
  warmPercent: family("gauge", "lru_crawler_warm_percent", "The setting; kvs has no LRU lists."),
  hotFactor: family("gauge", "lru_crawler_hot_max_factor", "The setting; kvs has no LRU lists."),
  warmFactor: family("gauge", "lru_crawler_warm_max_factor", "The setting; kvs has no LRU lists."),
  crawlerStarts: family("counter", "lru_crawler_starts_total", "Listings of keys begun."),
  crawlerReclaimed: family(
    "counter",
    "lru_crawler_reclaimed_total",
    "Expired items whose room was given back.",
  ),
  crawlerChecked: family("counter", "lru_crawler_items_checked_total", "Always 0: not counted."),
  toCold: family("counter", "lru_crawler_moves_to_cold_total", "Always 0: kvs has no LRU lists."),
  toWarm: family("counter", "lru_crawler_moves_to_warm_total", "Always 0: kvs has no LRU lists."),
  within: family(
    "counter",
    "lru_crawler_moves_within_lru_total",
    "Always 0: kvs has no LRU lists.",
  ),
  malloced: family("gauge", "malloced_bytes", "Bytes of the items, with the store's overhead."),
  slabItems: family("gauge", "slab_current_items", "Items in the one class."),
  slabAge: family(
    "gauge",
    "slab_items_age_seconds",
    "Always 0: kvs keeps items in no order of age.",
  ),
  slabCrawlerReclaimed: family(
    "counter",
    "slab_items_crawler_reclaimed_total",
    "Expired items whose room was given back.",
  ),
  slabEvicted: family("counter", "slab_items_evicted_total", "Items evicted to make room."),
  slabEvictedNonzero: family(
    "counter",
    "slab_items_evicted_nonzero_total",
    "Always 0: not counted.",
  ),
  slabEvictedTime: family("counter", "slab_items_evicted_time_seconds", "Always 0: not counted."),
  slabEvictedUnfetched: family(
    "counter",
    "slab_items_evicted_unfetched_total",
    "Always 0: not counted.",
  ),
  slabExpiredUnfetched: family(
    "counter",
    "slab_items_expired_unfetched_total",
    "Always 0: not counted.",
  ),
  slabOutOfMemory: family(
    "counter",
    "slab_items_outofmemory_total",
    "Items refused as the store had no room.",
  ),
  slabReclaimed: family(
    "counter",
    "slab_items_reclaimed_total",
    "Expired items whose room was given back.",
  ),
  slabTailRepairs: family(
    "counter",
    "slab_items_tailrepairs_total",
    "Always 0: kvs has no LRU lists.",
  ),
  slabToCold: family("counter", "slab_items_moves_to_cold", "Always 0: kvs has no LRU lists."),
  slabToWarm: family("counter", "slab_items_moves_to_warm", "Always 0: kvs has no LRU lists."),
  slabWithin: family("counter", "slab_items_moves_within_lru", "Always 0: kvs has no LRU lists."),
  slabHot: family("gauge", "slab_hot_items", "Always 0: kvs has no LRU lists."),
  slabWarm: family("gauge", "slab_warm_items", "Always 0: kvs has no LRU lists."),
  slabCold: family("gauge", "slab_cold_items", "Items in the one class."),
  slabHotAge: family("gauge", "slab_hot_age_seconds", "Always 0: kvs has no LRU lists."),
  slabWarmAge: family("gauge", "slab_warm_age_seconds", "Always 0: kvs has no LRU lists."),
  slabHits: family("counter", "slab_lru_hits_total", "Reads that found an item, in the one class."),
  slabRequested: family(
    "counter",
    "slab_mem_requested_bytes",
    "Bytes of the items, with the store's overhead.",
  ),
} as const;

/** The names that break Prometheus's rules, as memcached_exporter's do. */
export const oddities: readonly string[] = [
  exporter.uptime.name,
  exporter.slabEvictedTime.name,
  exporter.slabToCold.name,
  exporter.slabToWarm.name,
  exporter.slabWithin.name,
  exporter.slabRequested.name,
];
