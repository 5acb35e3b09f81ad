/**
 * `stats settings`: all names of memcached 1.6.45 in its order. What kvs has is told as it is; of slabs,
 * LRU lists, hash table and extstore memcached's own defaults stand there, or what `-o` said of them.
 *
 * @module
 */

import type { Live } from "../commands/context.ts";
import type { PrefixCounts } from "../observe/prefixes.ts";
import type { Figure } from "../protocol/outcome.ts";
import type { Configuration } from "./configuration.ts";
import type { Protocol } from "./endpoint.ts";

/** What commands may change, as the configuration has it. */
export function liveSettings({ verbose, logLevel, memoryLimit, extended }: Configuration): Live {
  const { settings } = extended;
  const byLevel = logLevel === "debug" ? 2 : logLevel === "info" ? 1 : 0;
  return {
    // --log-level debug shows what -vv shows.
    verbosity: Math.max(verbose, byLevel),
    memoryLimit,
    oldestLive: 0,
    lruCrawler: settings.get("lru_crawler") !== "no",
    lruCrawlerSleep: Number(settings.get("lru_crawler_sleep") ?? 100),
    lruCrawlerToCrawl: Number(settings.get("lru_crawler_tocrawl") ?? 0),
  };
}

/** memcached's names of the protocols. */
const PROTOCOL_NAMES: Readonly<Record<Protocol, string>> = {
  ascii: "ascii",
  binary: "binary",
  auto: "auto-negotiate",
};

/** What memcached shows of `ssl_verify_mode`: OpenSSL's flags, whose sum it is. */
const VERIFY_MODES = [0, 1, 3, 7];

/** The character that ends the prefix of a key, for `stats detail`. */
export function prefixDelimiter({ prefixDelimiter = ":" }: Configuration): string {
  return prefixDelimiter[0]!;
}

/**
 * Whether a full store evicts old items. A store in memory is a cache and does, as memcached
 * does; one that keeps what it is told does not unless it is told to.
 */
export function evicts(
  { store, disableEvictions, evict }: Pick<Configuration, "store" | "disableEvictions" | "evict">,
): boolean {
  return store === "memory" ? !disableEvictions : evict;
}

/** The lines of `stats settings`. */
export function settingsOf(
  configuration: Configuration,
  live: Live,
  prefixes: PrefixCounts,
): Figure[] {
  const { extended, authFile, users, enableSasl, tls } = configuration;
  /** What `-o` said of something that kvs does not have, or memcached's default. */
  const given = (name: string, initial: string | number): Figure => [
    name,
    extended.settings.get(name) ?? initial,
  ];
  return [
    ["maxbytes", live.memoryLimit],
    ["maxconns", configuration.connLimit],
    ["tcpport", configuration.port],
    ["udpport", 0],
    ["inter", configuration.listen.join(",")],
    ["verbosity", live.verbosity],
    ["oldest", live.oldestLive],
    ["evictions", evicts(configuration) ? "on" : "off"],
    ["domain_socket", configuration.unixSocket ?? "NULL"],
    ["umask", configuration.unixMask.toString(8)],
    ["shutdown_command", yes(configuration.enableShutdown)],
    ["growth_factor", configuration.factor.toFixed(2)],
    ["chunk_size", configuration.chunkSize],
    ["num_threads", configuration.threads],
    ["num_threads_per_udp", 1],
    ["stat_key_prefix", prefixDelimiter(configuration)],
    ["detail_enabled", yes(prefixes.enabled)],
    ["reqs_per_event", configuration.maxReqsPerEvent ?? 20],
    ["cas_enabled", yes(!configuration.disableCas)],
    ["tcp_backlog", configuration.listenBacklog],
    ["binding_protocol", PROTOCOL_NAMES[configuration.protocol]],
    ["auth_enabled_sasl", yes(enableSasl)],
    ["auth_enabled_ascii", configuration.protocol === "binary" ? "no" : authFile ?? users ?? "no"],
    ["item_size_max", configuration.maxItemSize],
    ["maxconns_fast", yes(extended.maxconnsFast)],
    given("hashpower_init", 0),
    given("slab_reassign", "yes"),
    given("slab_automove", 1),
    given("slab_automove_ratio", "0.80"),
    given("slab_automove_window", 10),
    given("slab_chunk_max", 524288),
    ["lru_crawler", yes(live.lruCrawler)],
    ["lru_crawler_sleep", live.lruCrawlerSleep],
    ["lru_crawler_tocrawl", live.lruCrawlerToCrawl],
    given("tail_repair_time", 0),
    ["flush_enabled", yes(!configuration.disableFlushAll)],
    ["dump_enabled", yes(!configuration.disableDumping)],
    given("hash_algorithm", "murmur3"),
    given("lru_maintainer_thread", "yes"),
    given("lru_segmented", "yes"),
    given("hot_lru_pct", 20),
    given("warm_lru_pct", 40),
    given("hot_max_factor", "0.20"),
    given("warm_max_factor", "2.00"),
    given("temp_lru", "no"),
    given("temporary_ttl", 61),
    ["idle_timeout", Math.ceil(configuration.idleTimeout / 1000)],
    given("watcher_logbuf_size", 262144),
    given("worker_logbuf_size", 65536),
    given("read_buf_mem_limit", 0),
    ["track_sizes", yes(extended.trackSizes)],
    ["inline_ascii_response", "no"],
    given("ext_item_size", 512),
    given("ext_item_age", 4294967295),
    given("ext_low_ttl", 0),
    given("ext_recache_rate", 2000),
    given("ext_wbuf_size", 4194304),
    given("ext_compact_under", 0),
    given("ext_drop_under", 0),
    given("ext_max_sleep", 1000000),
    given("ext_max_frag", "0.80"),
    given("slab_automove_freeratio", "0.010"),
    given("ext_drop_unread", "no"),
    ["ssl_enabled", yes(tls !== undefined)],
    ["ssl_chain_cert", tls?.chain ?? "(null)"],
    ["ssl_key", tls?.key ?? "(null)"],
    ["ssl_verify_mode", VERIFY_MODES[tls?.verifyMode ?? 0]!],
    ["ssl_keyformat", 1],
    ["ssl_ciphers", "NULL"],
    ["ssl_ca_cert", tls?.ca ?? "NULL"],
    given("ssl_wbuf_size", 16384),
    given("ssl_session_cache", "no"),
    ["ssl_kernel_tls", "no"],
    ["ssl_min_version", tls?.onlyTls13 ? "tlsv1.3" : "tlsv1.2"],
    ["num_napi_ids", configuration.napiIds ?? 0],
    ["memory_file", configuration.memoryFile ?? "(null)"],
    ["client_flags_size", 4],
  ];
}

function yes(value: boolean): string {
  return value ? "yes" : "no";
}
