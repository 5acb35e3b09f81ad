import type { Figure } from "../protocol/outcome.ts";
import type { Options } from "./serve.ts";

/**
 * Whether a full store throws out old items. A store in memory is a cache and does, as memcached
 * does; one that keeps what it is told does not unless it is told to.
 */
export function evicts(options: Options): boolean {
  return options.store === "memory" ? !options.noEvictions : options.evict;
}

/** The lines of `stats settings`, in memcached's names and order as far as kvs has the thing. */
export function settingsOf(options: Options): Figure[] {
  const yes = (value: boolean) => value ? "yes" : "no";
  return [
    ["maxbytes", options.memoryLimit],
    ["maxconns", options.connLimit],
    ["tcpport", Math.max(options.port, 0)],
    ["udpport", 0],
    ["inter", options.listen.join(",")],
    ["verbosity", options.verbose],
    ["oldest", 0],
    ["evictions", evicts(options) ? "on" : "off"],
    ["domain_socket", options.unixSocket ?? "NULL"],
    ["umask", options.unixMask],
    ["shutdown_command", yes(options.enableShutdown)],
    ["num_threads", 1],
    ["detail_enabled", "no"],
    ["cas_enabled", "yes"],
    ["tcp_backlog", options.backlog],
    ["binding_protocol", "ascii"],
    ["auth_enabled_sasl", "no"],
    ["auth_enabled_ascii", "no"],
    ["item_size_max", options.maxItemSize],
    ["lru_crawler", "no"],
    ["lru_crawler_sleep", 0],
    ["lru_crawler_tocrawl", 0],
    ["flush_enabled", yes(!options.disableFlushAll)],
    ["dump_enabled", yes(!options.disableDumping)],
    ["lru_maintainer_thread", "no"],
    ["hot_lru_pct", 0],
    ["warm_lru_pct", 0],
    ["hot_max_factor", "0.00"],
    ["warm_max_factor", "0.00"],
    ["idle_timeout", Math.ceil(options.idleTimeout / 1000)],
    ["track_sizes", "no"],
    ["ssl_enabled", "no"],
    ["memory_file", "(null)"],
    ["client_flags_size", 4],
  ];
}
