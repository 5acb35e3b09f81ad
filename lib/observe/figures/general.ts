/**
 * The figures of `stats`, in memcached's order (1.6.45, `doc/protocol.txt`, "General-purpose statistics").
 * What memcached counts of slabs, LRU lists and threads has no counterpart in kvs: those figures are zero,
 * because none of it happens.
 *
 * @module
 */

import type { Counters } from "../counters.ts";
import { protocolCommands, refusals } from "./traffic.ts";
import { exporter } from "./families.ts";
import type { Family, Row, Series, Source, Unit } from "./row.ts";

/** The counters that are numbers, by their names. */
type CounterName = {
  [K in keyof Counters]: Counters[K] extends number ? K : never;
}[keyof Counters];

function kvs(type: Family["type"], name: string, help: string): Family {
  return { name: `kvs_${name}`, type, help };
}

/** A figure that the server counts, under memcached's name. */
function counted(stat: CounterName, meaning: string, series: Series, unit: Unit = ""): Row {
  return { stat, read: ({ counters }) => counters[stat], series, unit, across: "sum", meaning };
}

/** Requests of one command that ended one way. */
function command(stat: CounterName, command: string, status: string, meaning: string): Row {
  return counted(stat, meaning, { family: exporter.commands, labels: { command, status } });
}

/** A figure that memcached has and kvs has nothing to count for. */
function zero(stat: string, unless?: string, family?: Family): Row {
  return {
    stat,
    read: () => 0,
    ...family === undefined ? {} : { series: { family } },
    unit: "",
    across: "same",
    meaning: "always 0",
    ...unless === undefined ? {} : { unless },
  };
}

function told(
  stat: string,
  read: (source: Source) => number | string | undefined,
  meaning: string,
  rest: Partial<Row> = {},
): Row {
  return { stat, read, unit: "", across: "same", meaning, ...rest };
}

/** memcached's `HASHPOWER_DEFAULT`. */
const MIN_HASH_POWER = 16;
const REASSIGN = "slab_reassign";
const MAINTAINER = "lru_maintainer_thread";
const tlsErrors = kvs("counter", "tls_errors_total", "TLS connections that failed, by cause.");
const watched = kvs("counter", "watch_lines_total", "Lines for watchers, by what came of them.");

/** The rows. */
export const general: readonly Row[] = [
  told("pid", () => Deno.pid, "process id"),
  told(
    "uptime",
    ({ now, started }) => Math.max(0, Math.floor((now - started) / 1000)),
    "since the start",
    {
      series: { family: exporter.uptime },
      unit: "seconds",
    },
  ),
  told("time", ({ now }) => Math.floor(now / 1000), "the server's time since 1970", {
    series: { family: exporter.time },
    unit: "seconds",
  }),
  told(
    "version",
    ({ version }) => version,
    "memcached's version whose protocol this is, and kvs's",
  ),
  told("libevent", () => "none", "kvs has none"),
  told("pointer_size", () => 64, "bits"),
  told("rusage_user", ({ cpu }) => cpu.user, "processor time in user mode", {
    shown: (value) => value.toFixed(6),
    series: { family: exporter.userCpu },
    unit: "seconds",
  }),
  told("rusage_system", ({ cpu }) => cpu.system, "processor time in the kernel", {
    shown: (value) => value.toFixed(6),
    series: { family: exporter.systemCpu },
    unit: "seconds",
  }),
  told("max_connections", ({ maxConnections }) => maxConnections, "most connections (-c)", {
    series: { family: exporter.maxConnections },
  }),
  told("curr_connections", ({ connections }) => connections, "open connections", {
    series: { family: exporter.connections },
    across: "sum",
  }),
  counted("total_connections", "connections accepted", { family: exporter.connectionsTotal }),
  counted("rejected_connections", "connections refused at -c", { family: exporter.rejected }),
  told("connection_structures", ({ connections }) => connections, "as curr_connections", {
    across: "sum",
  }),
  counted("response_obj_oom", "requests for whose reply there was no memory", {
    family: refusals,
    labels: { cause: "reply_memory" },
  }),
  zero("response_obj_count"),
  zero("response_obj_bytes"),
  zero("read_buf_count"),
  zero("read_buf_bytes"),
  zero("read_buf_bytes_free"),
  zero("read_buf_oom"),
  zero("reserved_fds"),
  counted("cmd_get", "keys asked for", {
    family: kvs(
      "counter",
      "get_keys_total",
      "Keys asked for by get, gets, gat, gats, mg and their like.",
    ),
  }),
  {
    ...counted("cmd_set", "storage commands", {
      family: exporter.commands,
      labels: { command: "set", status: "hit" },
      of: (sets, { counters }) =>
        sets - counters.cas_misses - counters.cas_hits - counters.cas_badval,
    }),
    meaning:
      "storage commands; Prometheus's set leaves out those of cas, as memcached_exporter does",
  },
  command("cmd_flush", "flush", "hit", "flush_all"),
  counted("cmd_touch", "touch, gat, and mg with T", {
    family: kvs(
      "counter",
      "touch_commands_total",
      "Requests that touch: touch, gat, gats, mg with T.",
    ),
  }),
  counted("cmd_meta", "meta commands", {
    family: protocolCommands,
    labels: { protocol: "meta" },
  }),
  command("get_hits", "get", "hit", "reads that found an item"),
  command("get_misses", "get", "miss", "reads that found none"),
  counted("get_expired", "reads that found an expired item only", {
    family: kvs("counter", "reads_expired_total", "Reads that found an expired item only."),
  }),
  told("get_flushed", ({ store }) => store.flushedReads, "reads that found a flushed item only", {
    series: {
      family: kvs("counter", "reads_flushed_total", "Reads that found a flushed item only."),
    },
    across: "sum",
  }),
  command("delete_misses", "delete", "miss", "deletes that found nothing"),
  command("delete_hits", "delete", "hit", "deletes"),
  command("incr_misses", "incr", "miss", "incr that found nothing"),
  command("incr_hits", "incr", "hit", "incr"),
  command("decr_misses", "decr", "miss", "decr that found nothing"),
  command("decr_hits", "decr", "hit", "decr"),
  command("cas_misses", "cas", "miss", "cas that found nothing"),
  command("cas_hits", "cas", "hit", "cas that stored"),
  command("cas_badval", "cas", "badval", "cas that found another unique"),
  command("touch_hits", "touch", "hit", "touches that found an item"),
  command("touch_misses", "touch", "miss", "touches that found none"),
  counted("store_too_large", "items refused as too large", { family: exporter.tooLarge }),
  counted("store_no_memory", "items refused as the store had no room", {
    family: exporter.noMemory,
  }),
  counted("auth_cmds", "log-ins tried", {
    family: kvs("counter", "logins_total", "Log-ins tried."),
  }),
  counted("auth_errors", "log-ins refused", {
    family: kvs("counter", "login_failures_total", "Log-ins refused."),
  }),
  told(
    "idle_kicks",
    ({ closesIdle, counters }) => closesIdle ? counters.idle_kicks : undefined,
    "connections closed as idle, where any are",
    {
      series: { family: kvs("counter", "idle_closes_total", "Connections closed as idle.") },
      across: "sum",
    },
  ),
  counted("bytes_read", "from clients", { family: exporter.read }, "bytes"),
  counted("bytes_written", "to clients", { family: exporter.written }, "bytes"),
  told("limit_maxbytes", ({ store }) => store.limit, "the limit of the store in use; 0 for none", {
    series: { family: exporter.limit },
    unit: "bytes",
  }),
  told("accepting_conns", ({ accepting }) => accepting.now ? 1 : 0, "whether it accepts", {
    series: { family: exporter.accepting },
  }),
  told("listen_disabled_num", ({ accepting }) => accepting.disabled.count, "times it did not", {
    series: { family: exporter.listenerDisabled },
    across: "sum",
  }),
  told(
    "time_in_listen_disabled_us",
    ({ accepting }) => Math.round(accepting.disabled.time * 1000),
    "for how long it did not",
    {
      series: {
        family: kvs(
          "counter",
          "listener_disabled_seconds_total",
          "Time without accepting connections.",
        ),
        of: (microseconds) => microseconds / 1e6,
      },
      unit: "microseconds",
      across: "sum",
    },
  ),
  told("threads", ({ threads }) => threads, "threads that serve"),
  counted("conn_yields", "turns given up for others", { family: exporter.yielded }),
  told(
    "hash_power_level",
    ({ store: { index } }) =>
      index === undefined ? 0 : Math.max(MIN_HASH_POWER, Math.floor(Math.log2(index.places))),
    "the power of two of the index's places, at least memcached's 16; 0 for a store without an index",
  ),
  told("hash_bytes", ({ store }) => store.index?.bytes ?? 0, "the index in memory", {
    unit: "bytes",
  }),
  zero("hash_is_expanding"),
  zero("slab_reassign_rescues", REASSIGN),
  zero("slab_reassign_chunk_rescues", REASSIGN),
  zero("slab_reassign_inline_reclaim", REASSIGN),
  zero("slab_reassign_busy_items", REASSIGN),
  zero("slab_reassign_busy_deletes", REASSIGN),
  zero("slab_reassign_busy_nomem", REASSIGN),
  told("slab_reassign_last_busy_status", () => "none", "always none", { unless: REASSIGN }),
  zero("slab_reassign_running", REASSIGN),
  zero("slabs_moved", REASSIGN),
  told(
    "lru_crawler_running",
    ({ isCrawling }) => isCrawling ? 1 : 0,
    "a search for expired items",
    {
      unless: "lru_crawler",
      series: {
        family: kvs(
          "gauge",
          "expired_search_running",
          "Whether a client's search for expired items runs.",
        ),
      },
    },
  ),
  {
    ...counted("lru_crawler_starts", "listings of keys begun", { family: exporter.crawlerStarts }),
    unless: "lru_crawler",
  },
  zero("lru_maintainer_juggles", MAINTAINER),
  zero("malloc_fails"),
  zero("log_worker_dropped"),
  told("log_worker_written", ({ watchers }) => watchers.written, "lines made for watchers", {
    series: { family: watched, labels: { result: "made" } },
    across: "sum",
  }),
  told("log_watcher_skipped", ({ watchers }) => watchers.skipped, "lines a slow watcher lost", {
    series: { family: watched, labels: { result: "skipped" } },
    across: "sum",
  }),
  told("log_watcher_sent", ({ watchers }) => watchers.sent, "lines sent to watchers", {
    series: { family: watched, labels: { result: "sent" } },
    across: "sum",
  }),
  told("log_watchers", ({ watchers }) => watchers.count, "watchers", {
    series: { family: kvs("gauge", "watchers", "Connections that watch.") },
    across: "sum",
  }),
  {
    ...counted("ssl_handshake_errors", "TLS handshakes that came to nothing", {
      family: tlsErrors,
      labels: { cause: "handshake" },
    }),
    read: ({ counters, tls }) => tls && counters.ssl_handshake_errors,
  },
  {
    ...counted("ssl_proto_errors", "connections that ended as their bytes were no TLS", {
      family: tlsErrors,
      labels: { cause: "protocol" },
    }),
    read: ({ counters, tls }) => tls && counters.ssl_proto_errors,
  },
  told(
    "time_since_server_cert_refresh",
    ({ tls }) => tls?.age,
    "since the certificates were read",
    {
      series: {
        family: kvs("gauge", "tls_certificate_age_seconds", "Time since certificates were read."),
      },
      unit: "seconds",
    },
  ),
  zero("unexpected_napi_ids"),
  zero("round_robin_fallback"),
  told("bytes", ({ store }) => store.bytes, "of the items, with the store's overhead", {
    series: { family: exporter.bytes },
    unit: "bytes",
  }),
  told("curr_items", ({ store }) => store.items, "items", { series: { family: exporter.items } }),
  counted("total_items", "items stored", { family: exporter.itemsTotal }),
  zero("slab_global_page_pool"),
  zero("expired_unfetched"),
  zero("evicted_unfetched"),
  zero("evicted_active", MAINTAINER),
  told("evictions", ({ store }) => store.evictions, "items evicted to make room", {
    series: { family: exporter.evicted },
    across: "sum",
  }),
  told("reclaimed", ({ store }) => store.reclaimed, "expired items whose room was given back", {
    series: { family: exporter.reclaimed },
    across: "sum",
  }),
  told("crawler_reclaimed", ({ store }) => store.reclaimed, "as reclaimed", {
    series: { family: exporter.crawlerReclaimed },
    across: "sum",
  }),
  zero("crawler_items_checked", undefined, exporter.crawlerChecked),
  zero("lrutail_reflocked"),
  zero("moves_to_cold", MAINTAINER, exporter.toCold),
  zero("moves_to_warm", MAINTAINER, exporter.toWarm),
  zero("moves_within_lru", MAINTAINER, exporter.within),
  zero("direct_reclaims", MAINTAINER, exporter.directReclaims),
  zero("lru_bumps_dropped", MAINTAINER),
];
