import type { Say } from "../log_level.ts";
import type { AdjustableClock, Clock } from "../clock.ts";
import type { Counters } from "../observe/counters.ts";
import type { CopyFigures } from "../observe/figures/copies.ts";
import type { ConnectionCount, Source } from "../observe/figures/row.ts";
import type { LogEvent } from "../observe/log.ts";
import type { PrefixCounts } from "../observe/prefixes.ts";
import type { Timing } from "../observe/timing.ts";
import type { Watchers } from "../observe/watch.ts";
import type { Figure } from "../protocol/outcome.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Store } from "../storage/contract.ts";
import type { Crawls } from "./crawls.ts";
import type { Listings } from "./listings.ts";
import type { Session, User } from "./session.ts";

/** Who may log in. */
export interface Users {
  /**
   * The user whose password this is, if it is; takes as long for a user that is not there. `address` is
   * where the client is: no address takes the turns of others.
   */
  check(
    user: Uint8Array,
    password: Uint8Array,
    address: string,
  ): User | undefined | Promise<User | undefined>;
  /** The user that a client's certificate with these names is, if it is one. */
  certified(names: readonly string[]): User | undefined;
}

/** What operators read of who did what. */
export interface Audit {
  /** Says what somebody did; `user` where that is not the user of the session. */
  say(what: string, session: Session, user?: string): void;
}

/** The state of the server's certificates. */
export interface TlsState {
  /** When the certificate ends, in milliseconds since 1970. */
  readonly expires: number;
  /** Seconds since the certificates were read. */
  readonly age: number;
}

/** What commands change while the server runs, beside the items. */
export interface Live {
  /** How much is logged (`verbosity`). */
  verbosity: number;
  /** Bytes of memory for values (`cache_memlimit`). */
  memoryLimit: number;
  /** Seconds from the start to the time that the last `flush_all` holds for; 0 where there was none. */
  oldestLive: number;
  /** What `lru_crawler enable`, `sleep` and `tocrawl` said; kvs has no such thread. */
  lruCrawler: boolean;
  lruCrawlerSleep: number;
  lruCrawlerToCrawl: number;
}

/** What commands work on: the store, and what the server knows of itself. */
export interface Context {
  readonly store: Store;
  /** The kind of store: `stats disk` tells what a disk store has to tell of itself. */
  readonly storeName: string;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Times requests, where somebody wants to know. */
  readonly timing?: Timing | undefined;
  /** The last lines of the log, where there is one. */
  readonly events?: readonly LogEvent[];
  readonly watchers: Watchers;
  readonly prefixes: PrefixCounts;
  readonly limits: Limits;
  /** What `version` answers. */
  readonly version: string;
  /** The search for expired items that `lru_crawler crawl` begins. */
  readonly crawls: Crawls;
  /** The listings of keys that are under way. */
  readonly listings: Listings;
  /** Whether `flush_all` is allowed (memcached's `-F` forbids it). */
  readonly allowFlush: boolean;
  /** Whether listings of keys are allowed (memcached's `-X` forbids them). */
  readonly allowDump: boolean;
  /** Whether `watch` is allowed (memcached's `-W` forbids it). */
  readonly allowWatch: boolean;
  /** Whether items have cas uniques for clients (memcached's `-C` takes them away). */
  readonly usesCas: boolean;
  /** Who may log in; `undefined` where everybody may do everything. */
  readonly users: Users | undefined;
  /** Takes what users do that matters; `undefined` where nobody reads it. */
  readonly audit?: Audit | undefined;
  /** Whether clients of the binary protocol may log in by SASL (memcached's `-S`). */
  readonly sasl: boolean;
  /** What is known of the TLS of the listeners, where there is any. */
  readonly tls?: TlsState | undefined;
  /** Reads the certificates again, where there are any; what is wrong with them, if anything. */
  readonly refreshCertificates?: (() => Promise<string | undefined>) | undefined;
  /** A clock that `debugtime` moves: for tests only. */
  readonly debugClock: AdjustableClock | undefined;
  /** Ends the server, where `shutdown` is allowed (memcached's `-A`). */
  readonly shutdown: (() => void) | undefined;
  /** What commands change while the server runs. */
  readonly live: Live;
  /** Requests that a connection runs before the others have a turn (memcached's `-R`). */
  readonly requestsPerTurn: number;
  /** Bytes that the replies in hand of a connection may take (`-o read_buf_mem_limit`), or `Infinity`. */
  readonly replyMemory: number;
  /** Whether connections are closed that have been silent for long. */
  readonly closesIdle: boolean;
  /** Whether connections are accepted, and how often and for how many milliseconds they were not. */
  readonly accepting: () => {
    readonly now: boolean;
    readonly disabled: { readonly count: number; readonly time: number };
  };
  /** How many connections are open now. */
  readonly connections: () => number;
  /** Those connections by listener and protocol. */
  readonly connectionsBy: () => readonly ConnectionCount[];
  /** The lines of `stats conns`; a promise where they are so many that others have turns meanwhile. */
  readonly describeConnections: () => readonly Figure[] | Promise<readonly Figure[]>;
  /** The lines of `stats threads`: what each thread has. */
  readonly describeThreads: () => readonly Figure[];
  /** The lines of `stats limits`: what is bounded, and how often a bound was met. */
  readonly describeLimits: () => readonly Figure[];
  /** Threads that serve. */
  readonly threads: number;
  /** Most open connections. */
  readonly maxConnections: number;
  /** The lines of `stats settings`. */
  readonly settings: readonly Figure[];
  /** Whether `stats sizes` counts (memcached's `track_sizes`). */
  readonly trackSizes: boolean;
  /** When the server started, in milliseconds since 1970. */
  readonly started: number;
  /** What is known where `--http` or OpenTelemetry watches the process. */
  readonly watch?: (() => Source["watch"]) | undefined;
  /** What is known of the copies of the store, where there are any. */
  readonly copies?: (() => CopyFigures) | undefined;
  /** Says one line to the operator. */
  readonly log: Say;
}
