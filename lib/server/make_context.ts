/**
 * What commands work on, made of a configuration and the parts that a thread has.
 *
 * @module
 */

import type { Context } from "../commands/context.ts";
import { Crawls } from "../commands/crawls.ts";
import { Listings } from "../commands/listings.ts";
import type { ConnectionCount } from "../observe/figures/row.ts";
import { PrefixCounts } from "../observe/prefixes.ts";
import type { Figure } from "../protocol/outcome.ts";
import { MEMCACHED_VERSION } from "../version.ts";
import type { Configuration } from "./configuration.ts";
import { clientMemoryOf } from "./in_force.ts";
import type { Common, Policy } from "./server.ts";
import { prefixDelimiter, settingsOf } from "./settings.ts";

/** All connections: those of one server, or of all threads. */
export interface Connections {
  readonly size: number;
  readonly isAccepting: boolean;
  readonly listenDisabled: { readonly count: number; readonly time: number };
  connectionsBy(): readonly ConnectionCount[];
  describe(): readonly Figure[] | Promise<readonly Figure[]>;
  describeLimits(): readonly Figure[];
  describeThreads(): readonly Figure[];
}

/** What a context is made of, beside the configuration. */
export interface Parts extends
  Pick<
    Context,
    | "store"
    | "clock"
    | "debugClock"
    | "log"
    | "timing"
    | "events"
    | "watch"
    | "copies"
    | "counters"
    | "tls"
    | "audit"
    | "refreshCertificates"
    | "watchers"
    | "users"
    | "shutdown"
    | "live"
    | "maxConnections"
    | "started"
  > {
  /** Where listings are counted over all threads. */
  readonly listings?: Listings;
  /** What `stats settings` has beside memcached's own lines. */
  readonly moreSettings?: () => readonly Figure[];
}

/** Counts of prefixes as the options want them. */
export function makePrefixes(configuration: Configuration): PrefixCounts {
  const isCounting = configuration.prefixDelimiter !== undefined;
  return new PrefixCounts(prefixDelimiter(configuration), isCounting);
}

/** Makes a context. `connections` is asked when somebody wants to know, and may be made of the context. */
export function makeContext(
  configuration: Configuration,
  prefixes: PrefixCounts,
  parts: Parts,
  connections: () => Connections,
): Context {
  const { live, maxConnections, listings = new Listings() } = parts;
  return {
    ...parts,
    storeName: configuration.store,
    threads: configuration.threads,
    limits: { itemSize: configuration.maxItemSize },
    // Alone: some clients read the last x.y.z of the word, others the last word of the line.
    version: MEMCACHED_VERSION,
    crawls: new Crawls(),
    listings,
    allowFlush: !configuration.disableFlushAll,
    allowDump: !configuration.disableDumping,
    allowWatch: !configuration.disableWatch,
    usesCas: !configuration.disableCas,
    trackSizes: configuration.extended.trackSizes,
    prefixes,
    sasl: configuration.enableSasl,
    requestsPerTurn: configuration.maxReqsPerEvent ?? Infinity,
    replyMemory: configuration.replyMemory,
    closesIdle: configuration.idleTimeout > 0,
    accepting: () => ({
      now: connections().isAccepting,
      disabled: connections().listenDisabled,
    }),
    connections: () => connections().size,
    connectionsBy: () => connections().connectionsBy(),
    describeConnections: () => connections().describe(),
    describeThreads: () => connections().describeThreads(),
    describeLimits: () => connections().describeLimits(),
    get settings() {
      return [
        ...settingsOf({ ...configuration, connLimit: maxConnections }, live, prefixes),
        ...parts.moreSettings?.() ?? [],
      ];
    },
  };
}

/**
 * How connections are treated.
 *
 * @param threads how many share the memory for clients
 */
export function policyOf(
  configuration: Configuration,
  tls?: Policy["tls"],
  common?: Common,
  threads = 1,
): Policy {
  return {
    idleTimeout: Math.ceil(configuration.idleTimeout / 1000),
    rejects: configuration.extended.maxconnsFast,
    clientMemory: Math.floor(clientMemoryOf(configuration) / threads),
    perAddress: configuration.maxConnectionsPerIp,
    perSecond: configuration.connectRate,
    hasUnix: configuration.unixSocket !== undefined && configuration.endpoints.length > 0,
    tls,
    ...common && { common },
  };
}
