/**
 * `stats`: memcached's names in memcached's order, with true figures. What memcached counts of slabs,
 * LRU lists and threads has no counterpart here: those figures are zero, because none of it happens.
 *
 * @module
 */

import { cpuUsage } from "../observe/process.ts";
import { type Figure, replies, type Reply, type Stats } from "../protocol/message.ts";
import type { Awaitable, Listed, Store, StoreInfo } from "../storage/contract.ts";
import type { Context } from "./context.ts";

/** The one class that kvs's items are in, for the tools that list keys class by class. */
const CLASS = 1;
/** memcached has slab classes up to this one. */
const MAX_CLASS = 63;
/** memcached ends a `cachedump` at this many bytes of reply. */
const MAX_CACHEDUMP = 2 * 1024 * 1024;
/** What a line of a `cachedump` takes beside its key, in bytes, about. */
const CACHEDUMP_LINE = 32;

/** The commands of `stats`. A name may be cut short, as in memcached: `stats set` is `settings`. */
const commands: ReadonlyArray<
  readonly [name: string, run: (context: Context, words: readonly string[]) => Awaitable<Reply>]
> = [
  ["reset", reset],
  ["settings", (context) => figures(context.settings)],
  ["cachedump", cachedump],
  ["conns", (context) => figures(context.describeConnections())],
  ["items", (context) => figures(items(context))],
  ["slabs", (context) => figures(slabs(context))],
  ["sizes", () => figures([["sizes_status", "disabled"]])],
  ["extstore", () => figures([])],
];

/** Runs `stats` and what may stand behind it. */
export function stats(request: Stats, context: Context): Awaitable<Reply> {
  const [name, ...words] = request.words;
  if (name === undefined) return figures(general(context));
  if (name === context.storeName) return figures(context.store.info().own);
  const row = commands.find(([full]) => name.length >= 3 && full.startsWith(name));
  return row === undefined ? replies.unknown : row[1](context, words);
}

function figures(figures: readonly Figure[]): Reply {
  return { kind: "figures", figures };
}

function reset(context: Context): Reply {
  context.counters.reset(context.store.info());
  return replies.reset;
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
  const { counters, clock } = context;
  const info = infoOf(context);
  const cpu = cpuUsage();
  const now = clock.now();
  return [
    ["pid", Deno.pid],
    ["uptime", Math.floor((now - context.started) / 1000)],
    ["time", Math.floor(now / 1000)],
    ["version", context.version.replaceAll(" ", "-")],
    ["libevent", "none"],
    ["pointer_size", 64],
    ["rusage_user", (cpu.user / 1e6).toFixed(6)],
    ["rusage_system", (cpu.system / 1e6).toFixed(6)],
    ["max_connections", context.maxConnections],
    ["curr_connections", context.connections()],
    ["total_connections", counters.total_connections],
    ["rejected_connections", counters.rejected_connections],
    ["connection_structures", context.connections()],
    ...zeros("response_obj_oom", "response_obj_count", "response_obj_bytes", "read_buf_count"),
    ...zeros("read_buf_bytes", "read_buf_bytes_free", "read_buf_oom", "reserved_fds"),
    ["cmd_get", counters.cmd_get],
    ["cmd_set", counters.cmd_set],
    ["cmd_flush", counters.cmd_flush],
    ["cmd_touch", counters.cmd_touch],
    ...zeros("cmd_meta"),
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
    ...zeros("auth_cmds", "auth_errors"),
    ["idle_kicks", counters.idle_kicks],
    ["bytes_read", counters.bytes_read],
    ["bytes_written", counters.bytes_written],
    ["limit_maxbytes", info.limit],
    ["accepting_conns", 1],
    ...zeros("listen_disabled_num", "time_in_listen_disabled_us"),
    ["threads", 1],
    ...zeros("conn_yields", "hash_power_level", "hash_bytes", "hash_is_expanding"),
    ...zeros("slab_reassign_rescues", "slab_reassign_chunk_rescues"),
    ...zeros("slab_reassign_inline_reclaim", "slab_reassign_busy_items"),
    ...zeros("slab_reassign_busy_deletes", "slab_reassign_running", "slabs_moved"),
    ...zeros("lru_crawler_running"),
    ["lru_crawler_starts", counters.lru_crawler_starts],
    ...zeros("lru_maintainer_juggles", "malloc_fails", "log_worker_dropped", "log_worker_written"),
    ...zeros("log_watcher_skipped", "log_watcher_sent", "log_watchers", "unexpected_napi_ids"),
    ...zeros("round_robin_fallback"),
    ["bytes", info.bytes],
    ["curr_items", info.items],
    ["total_items", counters.total_items],
    ...zeros("slab_global_page_pool", "expired_unfetched", "evicted_unfetched", "evicted_active"),
    ["evictions", info.evictions],
    ["reclaimed", info.reclaimed],
    ...zeros("crawler_reclaimed", "crawler_items_checked", "lrutail_reflocked", "moves_to_cold"),
    ...zeros("moves_to_warm", "moves_within_lru", "direct_reclaims", "lru_bumps_dropped"),
  ];
}

function zeros(...names: readonly string[]): Figure[] {
  return names.map((name) => [name, 0]);
}

function items(context: Context): Figure[] {
  const info = infoOf(context);
  if (info.items === 0) return [];
  const figure = (name: string, value: number): Figure => [`items:${CLASS}:${name}`, value];
  return [
    figure("number", info.items),
    figure("number_hot", 0),
    figure("number_warm", 0),
    figure("number_cold", info.items),
    figure("mem_requested", info.bytes),
    figure("evicted", info.evictions),
    figure("outofmemory", 0),
    figure("reclaimed", info.reclaimed),
  ];
}

function slabs({ store, counters }: Context): Figure[] {
  const info = store.info();
  const figure = (name: string, value: number): Figure => [`${CLASS}:${name}`, value];
  const used = info.items === 0 ? [] : [
    figure("chunk_size", 1),
    figure("chunks_per_page", info.bytes),
    figure("total_pages", 1),
    figure("total_chunks", info.bytes),
    figure("used_chunks", info.bytes),
    figure("free_chunks", 0),
    figure("free_chunks_end", 0),
    figure("get_hits", counters.get_hits),
    figure("cmd_set", counters.cmd_set),
    figure("delete_hits", counters.delete_hits),
    figure("incr_hits", counters.incr_hits),
    figure("decr_hits", counters.decr_hits),
    figure("cas_hits", counters.cas_hits),
    figure("cas_badval", counters.cas_badval),
    figure("touch_hits", counters.touch_hits),
  ];
  return [...used, ["active_slabs", info.items === 0 ? 0 : 1], ["total_malloced", info.bytes]];
}

function cachedump(context: Context, words: readonly string[]): Awaitable<Reply> {
  if (!context.allowDump) return clientError("stats cachedump not allowed");
  if (words.length < 2) return clientError("bad command line");
  const [id, limit] = words.map((word) => /^\d+$/.test(word) ? Number(word) : NaN);
  if (Number.isNaN(id) || Number.isNaN(limit)) return clientError("bad command line format");
  if (id > MAX_CLASS) return clientError("Illegal slab id");
  if (id !== CLASS) return { kind: "cachedump", items: [] };
  return listFirst(context.store, limit === 0 ? Infinity : limit);
}

async function listFirst(store: Store, limit: number): Promise<Reply> {
  const items: Listed[] = [];
  let bytes = 0;
  for await (const group of store.scan()) {
    for (const item of group) {
      bytes += item.key.length + CACHEDUMP_LINE;
      if (items.length >= limit || bytes > MAX_CACHEDUMP) return { kind: "cachedump", items };
      items.push({ ...item, key: item.key.slice() });
    }
  }
  return { kind: "cachedump", items };
}

function clientError(sentence: string): Reply {
  return { kind: "error", line: `CLIENT_ERROR ${sentence}` };
}
