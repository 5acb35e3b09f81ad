import type { AdjustableClock, Clock } from "../clock.ts";
import type { Counters } from "../observe/counters.ts";
import type { PrefixCounts } from "../observe/prefixes.ts";
import type { Watchers } from "../observe/watch.ts";
import type { Figure } from "../protocol/outcome.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Store } from "../storage/contract.ts";

/** Who may log in. */
export interface Users {
  /** Whether this is the user's password; takes as long for a user that is not there. */
  check(user: Uint8Array, password: Uint8Array): boolean;
}

/** What commands work on: the store, and what the server knows of itself. */
export interface Context {
  readonly store: Store;
  /** The kind of store: `stats disk` tells what a disk store has to tell of itself. */
  readonly storeName: string;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly watchers: Watchers;
  readonly prefixes: PrefixCounts;
  readonly limits: Limits;
  /** What `version` answers. */
  readonly version: string;
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
  /** Whether clients of the binary protocol may log in by SASL (memcached's `-S`). */
  readonly sasl: boolean;
  /** A clock that `debugtime` moves: for tests only. */
  readonly debugClock: AdjustableClock | undefined;
  /** Ends the server, where `shutdown` is allowed (memcached's `-A`). */
  readonly shutdown: (() => void) | undefined;
  /** Sets how much is said on standard error. */
  readonly setVerbosity: (level: number) => void;
  /** Whether connections are closed that have been silent for long. */
  readonly closesIdle: boolean;
  /** How many connections are open now. */
  readonly connections: () => number;
  /** The lines of `stats conns`. */
  readonly describeConnections: () => readonly Figure[];
  /** Most connections at once. */
  readonly maxConnections: number;
  /** The lines of `stats settings`. */
  readonly settings: () => readonly Figure[];
  /** When the server started, in milliseconds since 1970. */
  readonly started: number;
  /** Says one line to the operator. */
  readonly log: (line: string) => void;
}
