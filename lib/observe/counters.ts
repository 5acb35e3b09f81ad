/**
 * What the server counts as it goes. One object, plain numbers: a count costs an addition.
 *
 * @module
 */

/** What a store counts of itself since it was opened. */
export interface StoreCounts {
  readonly evictions: number;
  readonly reclaimed: number;
  readonly flushedReads: number;
}

/** The counters behind memcached's `stats`, under memcached's names (`doc/protocol.txt`). */
export class Counters {
  cmd_get = 0;
  cmd_set = 0;
  cmd_flush = 0;
  cmd_touch = 0;
  cmd_meta = 0;
  get_hits = 0;
  get_misses = 0;
  get_expired = 0;
  delete_misses = 0;
  delete_hits = 0;
  incr_misses = 0;
  incr_hits = 0;
  decr_misses = 0;
  decr_hits = 0;
  cas_misses = 0;
  cas_hits = 0;
  cas_badval = 0;
  touch_hits = 0;
  touch_misses = 0;
  store_too_large = 0;
  store_no_memory = 0;
  /** Items stored since the start. */
  total_items = 0;
  auth_cmds = 0;
  auth_errors = 0;
  /** TLS handshakes that came to nothing, and connections that ended as their bytes were no TLS. */
  ssl_handshake_errors = 0;
  ssl_proto_errors = 0;
  bytes_read = 0;
  bytes_written = 0;
  total_connections = 0;
  rejected_connections = 0;
  idle_kicks = 0;
  /** Turns that connections gave up for others after so many requests (`-R`). */
  conn_yields = 0;
  /** Requests for whose reply there was no memory (`-o read_buf_mem_limit`). */
  response_obj_oom = 0;
  /** Connections refused because their address had too many, or made too many in a second. */
  rejected_by_address = 0;
  /** Requests in the binary protocol, and those in lines, meta commands among them. */
  binary_requests = 0;
  line_requests = 0;
  /** Requests answered with an error, by cause. */
  refused_unreadable = 0;
  refused_too_large = 0;
  refused_no_room = 0;
  refused_not_allowed = 0;
  refused_unauthenticated = 0;
  refused_busy = 0;
  refused_watchers = 0;
  refused_not_numeric = 0;
  refused_store = 0;
  /** Listings of keys begun. */
  lru_crawler_starts = 0;
  /** What the store had counted at the last reset: it counts on, and what is told begins anew. */
  before: StoreCounts = { evictions: 0, reclaimed: 0, flushedReads: 0 };

  /** Sets the counts to zero that `stats reset` does in memcached. */
  reset({ evictions, reclaimed, flushedReads }: StoreCounts): void {
    Object.assign(this, new Counters());
    this.before = { evictions, reclaimed, flushedReads };
  }
}
