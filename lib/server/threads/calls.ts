/**
 * What the main thread and the workers ask each other.
 *
 * @module
 */

import type { Live } from "../../commands/context.ts";
import type { User } from "../../commands/session.ts";
import type { LogLevel } from "../../log_level.ts";
import type { WatchedLine } from "../../observe/watch.ts";
import type { Told } from "../../observe/timing.ts";
import type { Counts } from "../../observe/prefixes.ts";
import type { Op } from "../../protocol/request.ts";
import type { Code, Entry, Failure, Figure } from "../../protocol/outcome.ts";
import type { Listed, StoreInfo } from "../../storage/contract.ts";
import type { Exchanged } from "../../storage/exchanges.ts";
import type { ChannelMemory } from "../../storage/shared/mod.ts";
import type { Configuration } from "../configuration.ts";
import type { Again } from "../front.ts";
import type { Place } from "../listen.ts";
import type { ConnectionCount } from "../../observe/figures/row.ts";
import type { Talker } from "../talkers.ts";

/** What a worker is given at its start. */
export interface Setup {
  /** Which worker it is, from 1. */
  readonly number: number;
  readonly configuration: Configuration;
  readonly maxConnections: number;
  readonly live: Live;
  /** In milliseconds since 1970. */
  readonly started: number;
  /** The words of {@linkcode CommonWords}. */
  readonly common: SharedArrayBuffer;
  /** Connections by address, and those of this second. */
  readonly byAddress: SharedArrayBuffer;
  readonly recent: SharedArrayBuffer;
  /** From how many milliseconds on a request is slow, where requests are timed. */
  readonly slow: number | undefined;
  /** Whether somebody counts exchanges with what is elsewhere. */
  readonly tellsExchanges: boolean;
  /** The clock of a server under test. */
  readonly testClock: SharedArrayBuffer | undefined;
  /** The way to the owner of the store; nothing where each thread has a store of its own. */
  readonly owner: {
    readonly bells: SharedArrayBuffer;
    readonly channel: ChannelMemory;
    readonly hashKey: Uint8Array;
    readonly shelf: SharedArrayBuffer | undefined;
  } | undefined;
}

/** A request on no single key, as it goes to the main thread. */
export interface Order {
  readonly op: Op;
  readonly words: readonly string[];
  readonly number: number;
  readonly exptime: number;
  readonly connection: number;
  readonly address: string;
  /** Who asks, without rights: the main thread knows them. */
  readonly user: User | undefined;
}

/** What came of it. */
export interface Report {
  readonly code: Code;
  readonly text: string;
  readonly figures: readonly Figure[];
  readonly entries: readonly Entry[];
  readonly failure: Failure;
  readonly closes: boolean;
}

/** What a worker has counted, and what it has in hand. */
export interface Snapshot {
  readonly counters: Readonly<Record<string, number>>;
  readonly prefixes: ReadonlyArray<readonly [prefix: string, counts: Counts]>;
  readonly watchers: {
    readonly written: number;
    readonly sent: number;
    readonly skipped: number;
    readonly count: number;
  };
  readonly isAccepting: boolean;
  readonly disabled: { readonly count: number; readonly time: number };
  readonly limits: readonly Figure[];
  readonly talkers: { readonly bytes: readonly Talker[]; readonly requests: readonly Talker[] };
  readonly connectionsBy: readonly ConnectionCount[];
  /** By how much its event loop was late at most, in seconds, where somebody wants to know. */
  readonly loopLag: number | undefined;
  /** What its own store tells, where it has one. */
  readonly store: StoreInfo | undefined;
}

/** What has changed for all. */
export interface News {
  readonly live: Live;
  readonly countsPrefixes: boolean;
}

/** A line of a worker's log. */
export interface Said {
  readonly line: string;
  readonly level: LogLevel | undefined;
}

/** A line of its audit log, and how often it has happened beside this time. */
export interface Audited {
  readonly line: string;
  readonly more: number;
}

/** What the main thread asks a worker. */
export interface WorkerCalls {
  /** Builds everything. */
  begin(setup: Setup): Promise<void>;
  /** Listens where the configuration says, on a Unix socket too: the first worker's. */
  listen(_: undefined): Promise<readonly Place[]>;
  /** Listens where another worker listens. */
  listenToo(places: readonly Place[]): void;
  /** Accepts connections from now on. */
  accept(_: undefined): void;
  /** `whole` with the counts of prefixes, which may be many. */
  snapshot(whole: boolean): Snapshot;
  describe(_: undefined): readonly Figure[] | Promise<readonly Figure[]>;
  reset(_: undefined): void;
  news(news: News): void;
  /** These kinds are watched in other threads. */
  watched(kinds: number): void;
  /** Lines for watchers, each with its kind. */
  lines(lines: readonly WatchedLine[]): void;
  /** Reads certificates or users again; returns how many connections that has ended. */
  reload(again: Again): Promise<number>;
  /** Answers what was read, closes all connections, and closes its own store. */
  drain(_: undefined): Promise<void>;
}

/** What a worker asks the main thread. */
export interface OwnerCalls {
  /** The worker ends, which nobody has asked for. */
  ended(_: undefined): void;
  log(said: readonly Said[]): void;
  audited(audited: readonly Audited[]): void;
  /** A batch that was timed. */
  timed(told: Told): void;
  /** Exchanges of its own store that are over. */
  exchanged(exchanges: readonly Exchanged[]): void;
  run(order: Order): Promise<Report>;
  /** The next group of a listing; `undefined` at its end. A new number begins one. */
  scan(id: string): Promise<readonly Listed[] | undefined>;
  endScan(id: string): Promise<void>;
  /** Says what is watched in this worker; resolves when all threads know, false where there are too many. */
  watch(watching: { readonly kinds: number; readonly count: number }): Promise<boolean>;
  lines(lines: readonly WatchedLine[]): void;
}
