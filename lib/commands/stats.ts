/**
 * `stats`: memcached's names in memcached's order, with true figures. What memcached counts of slabs,
 * LRU lists and threads has no counterpart here: those figures are zero, because none of it happens.
 *
 * @module
 */

import { cpuUsage } from "../observe/process.ts";
import { badRequest, failures, type Figure, type Outcome } from "../protocol/outcome.ts";
import { itemSize } from "../protocol/limits.ts";
import type { Request } from "../protocol/request.ts";
import type { Listed, Store, StoreInfo } from "../storage/contract.ts";
import { CLASS, MAX_CLASS } from "./classes.ts";
import type { Context } from "./context.ts";
import type { Session } from "./session.ts";

/** memcached ends a `cachedump` at this many bytes of reply. */
const MAX_CACHEDUMP = 2 * 1024 * 1024;
/** The least size of a chunk, and the size of a page, of memcached's slabs, in bytes. */
const MIN_CHUNK = 96;
const PAGE = 1024 * 1024;
/** The width of a step of `stats sizes`, in bytes. */
const SIZE_STEP = 32;
/** What a line of a `cachedump` takes beside its key, in bytes, about. */
const CACHEDUMP_LINE = 32;

type Stats = (
  context: Context,
  outcome: Outcome,
  words: readonly string[],
) => Promise<void> | void;

/** The commands of `stats`. */
const commands: ReadonlyArray<readonly [name: string, run: Stats]> = [
  ["reset", reset],
  ["detail", detail],
  ["settings", (context, outcome) => tell(outcome, context.settings)],
  ["cachedump", cachedump],
  ["conns", conns],
  ["extstore", (_, outcome) => tell(outcome, [])],
  ["items", (context, outcome) => tell(outcome, items(context))],
  ["slabs", (context, outcome) => tell(outcome, slabs(context))],
  ["sizes", sizes],
  ["limits", (context, outcome) => tell(outcome, context.describeLimits())],
];
/** These names may be cut short, as in memcached: `stats set` is `settings`. */
const MAY_BE_CUT = 6;

/** Runs `stats` and what may stand behind it. */
export function stats(
  request: Request,
  outcome: Outcome,
  _: Session,
  context: Context,
): Promise<void> | void {
  const [name, ...words] = request.words;
  if (name === undefined) return tell(outcome, general(context));
  if (name === context.storeName) return tell(outcome, context.store.info().own);
  const row = commands.find(([full], i) => i < MAY_BE_CUT ? full.startsWith(name) : full === name);
  return row === undefined
    ? outcome.fail(failures.unknownCommand)
    : row[1](context, outcome, words);
}

function tell(outcome: Outcome, figures: readonly Figure[]): void {
  outcome.code = "figures";
  outcome.figures = figures;
}

function conns(context: Context, outcome: Outcome): Promise<void> | void {
  const figures = context.describeConnections();
  return figures instanceof Promise
    ? figures.then((figures) => tell(outcome, figures))
    : tell(outcome, figures);
}

function reset(context: Context, outcome: Outcome): void {
  context.counters.reset(context.store.info());
  context.prefixes.clear();
  outcome.code = "reset";
}

/** Counts by prefix: `on`, `off`, `dump`. */
function detail(
  { prefixes, allowDump }: Context,
  outcome: Outcome,
  [what = ""]: readonly string[],
): void {
  if (!allowDump) return outcome.fail(badRequest("stats detail not allowed"));
  outcome.code = "ok";
  if (what !== "" && "on".startsWith(what)) prefixes.enabled = true;
  else if (what !== "" && "off".startsWith(what)) prefixes.enabled = false;
  else if (what !== "" && "dump".startsWith(what)) {
    outcome.code = "prefixes";
    outcome.text = prefixes.lines();
  } else outcome.fail(badRequest("usage: stats detail on|off|dump"));
}

/** What the store tells of itself, its counts since the last reset. */
function infoOf({ store, counters: { before } }: Context): StoreInfo {
  const info = store.info();
  return {
    ...info,
    evictions: info.evictions - before.evictions,
    reclaimed: info.reclaimed - before.reclaimed,
    flushedReads: info.flushedReads - before.flushedReads,
  };
}

function general(context: Context): Figure[] {
  const { counters, clock, watchers } = context;
  const info = infoOf(context);
  const cpu = cpuUsage();
  const accepting = context.accepting();
  const now = clock.now();
  return withoutUnused(context, [
    ["pid", Deno.pid],
    ["uptime", Math.max(0, Math.floor((now - context.started) / 1000))],
    ["time", Math.floor(now / 1000)],
    ["version", context.version],
    ["libevent", "none"],
    ["pointer_size", 64],
    ["rusage_user", (cpu.user / 1e6).toFixed(6)],
    ["rusage_system", (cpu.system / 1e6).toFixed(6)],
    ["max_connections", context.maxConnections],
    ["curr_connections", context.connections()],
    ["total_connections", counters.total_connections],
    ["rejected_connections", counters.rejected_connections],
    ["connection_structures", context.connections()],
    ["response_obj_oom", counters.response_obj_oom],
    ...zeros("response_obj_count", "response_obj_bytes", "read_buf_count"),
    ...zeros("read_buf_bytes", "read_buf_bytes_free", "read_buf_oom", "reserved_fds"),
    ["cmd_get", counters.cmd_get],
    ["cmd_set", counters.cmd_set],
    ["cmd_flush", counters.cmd_flush],
    ["cmd_touch", counters.cmd_touch],
    ["cmd_meta", counters.cmd_meta],
    ["get_hits", counters.get_hits],
    ["get_misses", counters.get_misses],
    ["get_expired", counters.get_expired],
    ["get_flushed", info.flushedReads],
    ["delete_misses", counters.delete_misses],
    ["delete_hits", counters.delete_hits],
    ["incr_misses", counters.incr_misses],
    ["incr_hits", counters.incr_hits],
    ["decr_misses", counters.decr_misses],
    ["decr_hits", counters.decr_hits],
    ["cas_misses", counters.cas_misses],
    ["cas_hits", counters.cas_hits],
    ["cas_badval", counters.cas_badval],
    ["touch_hits", counters.touch_hits],
    ["touch_misses", counters.touch_misses],
    ["store_too_large", counters.store_too_large],
    ["store_no_memory", counters.store_no_memory],
    ["auth_cmds", counters.auth_cmds],
    ["auth_errors", counters.auth_errors],
    ...kicks(context),
    ["bytes_read", counters.bytes_read],
    ["bytes_written", counters.bytes_written],
    ["limit_maxbytes", info.limit],
    ["accepting_conns", accepting.now ? 1 : 0],
    ["listen_disabled_num", accepting.disabled.count],
    ["time_in_listen_disabled_us", Math.round(accepting.disabled.time * 1000)],
    ["threads", 1],
    ["conn_yields", counters.conn_yields],
    ...zeros("hash_power_level", "hash_bytes", "hash_is_expanding"),
    ...zeros("slab_reassign_rescues", "slab_reassign_chunk_rescues"),
    ...zeros("slab_reassign_inline_reclaim", "slab_reassign_busy_items"),
    ...zeros("slab_reassign_busy_deletes", "slab_reassign_busy_nomem"),
    ["slab_reassign_last_busy_status", "none"],
    ...zeros("slab_reassign_running", "slabs_moved"),
    ["lru_crawler_running", context.crawls.isRunning ? 1 : 0],
    ["lru_crawler_starts", counters.lru_crawler_starts],
    ...zeros("lru_maintainer_juggles", "malloc_fails", "log_worker_dropped"),
    ["log_worker_written", watchers.written],
    ["log_watcher_skipped", watchers.skipped],
    ["log_watcher_sent", watchers.sent],
    ["log_watchers", watchers.count],
    ...zeros("unexpected_napi_ids", "round_robin_fallback"),
    ["bytes", info.bytes],
    ["curr_items", info.items],
    ["total_items", counters.total_items],
    ...zeros("slab_global_page_pool", "expired_unfetched", "evicted_unfetched", "evicted_active"),
    ["evictions", info.evictions],
    ["reclaimed", info.reclaimed],
    ["crawler_reclaimed", info.reclaimed],
    ...zeros("crawler_items_checked", "lrutail_reflocked", "moves_to_cold"),
    ...zeros("moves_to_warm", "moves_within_lru", "direct_reclaims", "lru_bumps_dropped"),
  ]);
}

/** Figures that memcached leaves out where a setting says that it does without the thing. */
const unused: { readonly [setting: string]: readonly string[] } = {
  slab_reassign: [
    "slab_reassign_rescues",
    "slab_reassign_chunk_rescues",
    "slab_reassign_inline_reclaim",
    "slab_reassign_busy_items",
    "slab_reassign_busy_deletes",
    "slab_reassign_busy_nomem",
    "slab_reassign_last_busy_status",
    "slab_reassign_running",
    "slabs_moved",
  ],
  lru_crawler: ["lru_crawler_running", "lru_crawler_starts"],
  lru_maintainer_thread: [
    "lru_maintainer_juggles",
    "number_hot",
    "number_warm",
    "number_cold",
    "age_hot",
    "age_warm",
    "evicted_active",
    "moves_to_cold",
    "moves_to_warm",
    "moves_within_lru",
    "direct_reclaims",
    "hits_to_hot",
    "hits_to_warm",
    "hits_to_cold",
    "hits_to_temp",
    "lru_bumps_dropped",
  ],
};

function withoutUnused({ settings }: Context, figures: readonly Figure[]): Figure[] {
  const left = new Set<string>();
  for (const [setting, value] of settings) {
    if (value === "no" && setting in unused) { for (const name of unused[setting]) left.add(name); }
  }
  return figures.filter(([name]) => !left.has(name));
}

/** memcached counts idle connections that it closed only where it closes any. */
function kicks({ counters, closesIdle }: Context): Figure[] {
  return closesIdle ? [["idle_kicks", counters.idle_kicks]] : [];
}

function zeros(...names: readonly string[]): Figure[] {
  return names.map((name) => [name, 0]);
}

function items(context: Context): Figure[] {
  const info = infoOf(context);
  if (info.items === 0) return [];
  const figures: Figure[] = [
    ["number", info.items],
    ...zeros("number_hot", "number_warm"),
    ["number_cold", info.items],
    ...zeros("age_hot", "age_warm", "age"),
    ["mem_requested", info.bytes],
    ["evicted", info.evictions],
    ...zeros("evicted_nonzero", "evicted_time"),
    ["outofmemory", context.counters.store_no_memory],
    ...zeros("tailrepairs"),
    ["reclaimed", info.reclaimed],
    ...zeros("expired_unfetched", "evicted_unfetched", "evicted_active"),
    ["crawler_reclaimed", info.reclaimed],
    ...zeros("crawler_items_checked", "lrutail_reflocked", "moves_to_cold", "moves_to_warm"),
    ...zeros("moves_within_lru", "direct_reclaims", "hits_to_hot", "hits_to_warm"),
    ["hits_to_cold", context.counters.get_hits],
    ...zeros("hits_to_temp"),
  ];
  return withoutUnused(context, figures)
    .map(([name, value]) => [`items:${CLASS}:${name}`, value]);
}

/** One class, whose chunks are as large as its items are on the average. */
function slabs(context: Context): Figure[] {
  const { counters } = context;
  const { items, bytes } = context.store.info();
  // memcached keeps the pages of a class whose items are gone.
  const isUsed = items > 0 || counters.total_items > 0;
  const chunk = Math.max(MIN_CHUNK, Math.ceil(bytes / Math.max(items, 1) / 8) * 8 + 8);
  const perPage = Math.max(1, Math.floor(PAGE / chunk));
  const pages = Math.max(1, Math.ceil(items / perPage));
  const figures: Figure[] = [
    ["chunk_size", chunk],
    ["chunks_per_page", perPage],
    ["total_pages", pages],
    ["total_chunks", pages * perPage],
    ["used_chunks", items],
    ["free_chunks", pages * perPage - items],
    ["free_chunks_end", 0],
    ["get_hits", counters.get_hits],
    ["cmd_set", counters.cmd_set],
    ["delete_hits", counters.delete_hits],
    ["incr_hits", counters.incr_hits],
    ["decr_hits", counters.decr_hits],
    ["cas_hits", counters.cas_hits],
    ["cas_badval", counters.cas_badval],
    ["touch_hits", counters.touch_hits],
  ];
  const used: Figure[] = isUsed ? figures.map(([name, value]) => [`${CLASS}:${name}`, value]) : [];
  return [...used, ["active_slabs", isUsed ? 1 : 0], ["total_malloced", bytes]];
}

/** How many items there are of each size, in steps of 32 bytes (memcached's `track_sizes`). */
function sizes(context: Context, outcome: Outcome): Promise<void> | void {
  if (!context.trackSizes) return tell(outcome, [["sizes_status", "disabled"]]);
  return context.listings.count(() => countSizes(context.store, outcome));
}

async function countSizes(store: Store, outcome: Outcome): Promise<void> {
  const counts = new Map<number, number>();
  for await (const group of store.scan()) {
    for (const { key, size, flags } of group) {
      const step = Math.ceil(itemSize(key.length, size, flags) / SIZE_STEP) * SIZE_STEP;
      counts.set(step, (counts.get(step) ?? 0) + 1);
    }
  }
  const steps = [...counts].sort(([a], [b]) => a - b);
  tell(outcome, steps.map(([step, count]) => [String(step), count]));
}

function cachedump(
  context: Context,
  outcome: Outcome,
  words: readonly string[],
): Promise<void> | void {
  if (!context.allowDump) return outcome.fail(badRequest("stats cachedump not allowed"));
  if (words.length < 2) return outcome.fail(badRequest("bad command line"));
  const [id, limit] = words.map((word) => /^\d+$/.test(word) ? Number(word) : NaN);
  if (Number.isNaN(id) || Number.isNaN(limit)) return outcome.fail(failures.badFormat);
  if (id > MAX_CLASS) return outcome.fail(badRequest("Illegal slab id"));
  outcome.code = "entries";
  outcome.entries = [];
  if (id !== CLASS) return;
  const most = limit === 0 ? Infinity : limit;
  return context.listings.count(() => listFirst(context.store, outcome, most));
}

async function listFirst(store: Store, outcome: Outcome, limit: number): Promise<void> {
  const items: Listed[] = [];
  outcome.entries = items;
  let bytes = 0;
  for await (const group of store.scan()) {
    for (const item of group) {
      // The reply has no way to write a key that came in base64: memcached leaves it out too.
      if (item.binaryKey) continue;
      bytes += item.key.length + CACHEDUMP_LINE;
      if (items.length >= limit || bytes > MAX_CACHEDUMP) return;
      items.push({ ...item, key: item.key.slice() });
    }
  }
}
