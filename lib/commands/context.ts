import type { Clock } from "../clock.ts";
import type { Counters } from "../observe/counters.ts";
import type { Figure } from "../protocol/message.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Store } from "../storage/contract.ts";

/** What commands work on: the store, and what the server knows of itself. */
export interface Context {
  readonly store: Store;
  /** The kind of store: `stats disk` tells what a disk store has to tell of itself. */
  readonly storeName: string;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly limits: Limits;
  /** What `version` answers. */
  readonly version: string;
  /** Whether `flush_all` is allowed (memcached's `-F` forbids it). */
  readonly allowFlush: boolean;
  /** Whether listings of keys are allowed (memcached's `-X` forbids them). */
  readonly allowDump: boolean;
  /** Ends the server, where `shutdown` is allowed (memcached's `-A`). */
  readonly shutdown: (() => void) | undefined;
  /** How many connections are open now. */
  readonly connections: () => number;
  /** The lines of `stats conns`. */
  readonly describeConnections: () => readonly Figure[];
  /** Most connections at once. */
  readonly maxConnections: number;
  /** The lines of `stats settings`. */
  readonly settings: readonly Figure[];
  /** When the server started, in milliseconds since 1970. */
  readonly started: number;
  /** Says one line to the operator. */
  readonly log: (line: string) => void;
}
