/**
 * A server from its configuration to its end.
 *
 * @module
 */

import { AdjustableClock, systemClock } from "../clock.ts";
import { Exit, ExitError, messageOf, StoreError } from "../errors.ts";
import type { Context, Live } from "../commands/context.ts";
import { Crawls } from "../commands/crawls.ts";
import { Listings } from "../commands/listings.ts";
import { Counters } from "../observe/counters.ts";
import { PrefixCounts } from "../observe/prefixes.ts";
import { memoryOfMachine } from "../observe/process.ts";
import { Watchers } from "../observe/watch.ts";
import type { Listed, Store } from "../storage/contract.ts";
import { openStore, placeOf, type StoreChoice } from "../storage/open.ts";
import { MEMCACHED_VERSION } from "../version.ts";
import { Access, type Member } from "./access/access.ts";
import { dropPermissions } from "./access/drop.ts";
import type { Configuration } from "./configuration.ts";
import { tellForeground } from "./daemon.ts";
import { listen, writePortFile } from "./listen.ts";
import { backup, check, repair } from "./maintenance.ts";
import { fitConnections, fitFiles } from "./descriptors.ts";
import { Observation, openLog } from "./observation.ts";
import { removePidFile, writePidFile } from "./pid_file.ts";
import { Server } from "./server.ts";
import { evicts, liveSettings, prefixDelimiter, settingsOf } from "./settings.ts";
import { closeInspector, type Signals } from "./signals.ts";

/** Set in the environment of a server that tests start: its clock can then be moved by `debugtime`. */
const TEST_CLOCK = "KVS_TEST_CLOCK";
/** Where memcached, and so kvs, writes the ports that it listens on. */
const PORT_FILE = "MEMCACHED_PORT_FILENAME";

/** Runs a command on the data directory, or serves until a signal or `shutdown`. */
export async function serve(
  configuration: Configuration,
  rest: readonly string[],
  ignored: readonly string[],
  signals: Signals,
): Promise<number> {
  const [command, ...operands] = rest;
  const [target, ...surplus] = operands;
  if (surplus.length > 0 || (target !== undefined && command !== "backup")) {
    throw new ExitError(`unexpected argument '${operands.at(-1)}'`, Exit.usage);
  }
  await closeInspector();
  const { say } = await openLog(configuration, systemClock, () => configuration.verbose);
  if (ignored.length > 0) say(`ignored: ${ignored.join(" ")}`, "info");
  const isUpkeep = configuration.repair || command === "check" || command === "backup";
  if (configuration.store !== "disk" && isUpkeep) {
    const what = configuration.repair ? "--repair" : command;
    throw new ExitError(`${what} works on a data directory: --store disk`, Exit.usage);
  }
  // What is done to a directory may be interrupted at any point, as any program.
  if (configuration.repair || command !== undefined) signals.release();
  if (configuration.repair) {
    await repair(configuration.dataDir, say);
    signals.listen();
  }
  switch (command) {
    case undefined:
      return await listenAndServe(configuration, signals);
    case "check":
      return await check(configuration.dataDir);
    case "backup":
      return await backup(configuration.dataDir, target, configuration.copy);
    default:
      throw new ExitError(
        `unknown command '${command}': kvs-server takes none to serve, or check, config, report or backup TARGET`,
        Exit.usage,
      );
  }
}

async function listenAndServe(configuration: Configuration, signals: Signals): Promise<number> {
  const live = liveSettings(configuration);
  const log = await openLog(configuration, systemClock, () => live.verbosity);
  try {
    const counters = new Counters();
    const access = new Access(configuration, counters, log.say);
    const observation = await Observation.begin(configuration, log, access);
    try {
      return await serveObserved(configuration, signals, live, observation, access, counters);
    } finally {
      await observation.end();
    }
  } catch (error) {
    if (!(error instanceof ExitError) || configuration.logFormat === "text") throw error;
    // The machine that reads the log gets no line that is not JSON.
    log.say(error.message, "error");
    throw new ExitError("", error.code);
  } finally {
    log.flush();
  }
}

async function serveObserved(
  configuration: Configuration,
  signals: Signals,
  live: Live,
  observation: Observation,
  access: Access,
  counters: Counters,
): Promise<number> {
  const log = observation.say;
  const { pidfile } = configuration;
  // Until connections are accepted there is nobody to tell.
  let members = (): Iterable<Member> => [];
  signals.onReload(() => void access.reload(() => members()));
  const debugClock = Deno.env.get(TEST_CLOCK) ? new AdjustableClock() : undefined;
  const clock = debugClock ?? systemClock;
  const began = performance.now();
  const watchers = new Watchers();
  const onEvicted = (item: Listed) => watchers.evicted(item, clock.now());
  const choice = {
    ...configuration,
    evict: evicts(configuration),
    clock,
    log,
    onEvicted,
    ...observation.storeHooks,
    openFiles: configuration.store === "disk" ? fitFiles(configuration) : undefined,
  };
  const store = await openUnlessStopped(choice, signals);
  if (store === undefined) return Exit.ok;
  let closed = false;
  try {
    // A stop that was asked for while the store opened: it is consistent now, and nothing else is open.
    if (signals.reason !== undefined) return Exit.ok;
    const listening = await listen({
      endpoints: configuration.endpoints,
      backlog: configuration.listenBacklog,
      socket: configuration.unixSocket === undefined ? undefined : {
        path: configuration.unixSocket,
        mode: configuration.unixMask,
        protocol: configuration.protocol,
      },
      tls: access.encryption,
    });
    try {
      access.guard(listening);
    } catch (error) {
      for (const { listener } of listening) listener.close();
      throw error;
    }
    const maxConnections = fitConnections(configuration, log);
    const prefixes = new PrefixCounts(
      prefixDelimiter(configuration),
      configuration.prefixDelimiter !== undefined,
    );
    const context: Context = {
      store,
      storeName: configuration.store,
      clock,
      debugClock,
      log,
      counters,
      timing: observation.timing,
      events: observation.log.events,
      limits: { itemSize: configuration.maxItemSize },
      // Alone: some clients read the last x.y.z of the word, others the last word of the line.
      version: MEMCACHED_VERSION,
      crawls: new Crawls(),
      listings: new Listings(),
      allowFlush: !configuration.disableFlushAll,
      allowDump: !configuration.disableDumping,
      allowWatch: !configuration.disableWatch,
      usesCas: !configuration.disableCas,
      trackSizes: configuration.extended.trackSizes,
      prefixes,
      watchers,
      users: access.users,
      audit: access.audit,
      tls: access.tls,
      refreshCertificates: access.tls && (() => access.refreshCertificates()),
      sasl: configuration.enableSasl,
      shutdown: configuration.enableShutdown ? () => signals.stop("shutdown") : undefined,
      requestsPerTurn: configuration.maxReqsPerEvent ?? Infinity,
      replyMemory: configuration.replyMemory,
      closesIdle: configuration.idleTimeout > 0,
      accepting: () => ({ now: server.isAccepting, disabled: server.listenDisabled }),
      connections: () => server.size,
      connectionsBy: () => server.connectionsBy(),
      describeConnections: () => server.describe(),
      describeLimits: () => server.describeLimits(),
      maxConnections,
      live,
      get settings() {
        return [
          ...settingsOf({ ...configuration, connLimit: maxConnections }, live, prefixes),
          ...access.settings,
        ];
      },
      started: clock.now(),
    };
    const server = new Server(context, {
      idleTimeout: Math.ceil(configuration.idleTimeout / 1000),
      rejects: configuration.extended.maxconnsFast,
      clientMemory: configuration.maxClientMemory ?? Math.floor(memoryOfMachine() / 4),
      perAddress: configuration.maxConnectionsPerIp,
      perSecond: configuration.connectRate,
    });
    members = () => server.members;
    for (const { listener, protocol } of listening) server.accept(listener, protocol);
    const portFile = Deno.env.get(PORT_FILE);
    if (
      portFile && (configuration.unixSocket === undefined || configuration.endpoints.length > 0)
    ) {
      try {
        writePortFile(portFile, listening);
      } catch (error) {
        log(`cannot write ${PORT_FILE} '${portFile}': ${messageOf(error)}`);
      }
    }
    if (pidfile !== undefined) writePidFile(pidfile);
    const where = listening.map(({ address }) => address).join(", ") || "no address";
    const { items, bytes } = store.info();
    const took = secondsSince(began);
    const ready = `listening on ${where}, items kept ${placeOf(choice)}: ` +
      `${items} items, ${bytes} bytes, ${took} s`;
    observation.serve(context, server, ready);
    observation.log.say(ready, "notice", { items, bytes, seconds: took });
    tellForeground();
    await dropPermissions(configuration, observation.speaksTo);
    const reason = await signals.stopped;
    const stopping = performance.now();
    const connections = server.size;
    observation.log.say(`stopping: ${reason}, ${connections} connections`, "notice", {
      connections,
    });
    observation.health.drain();
    access.close();
    await server.drain();
    if (pidfile !== undefined) removePidFile(pidfile, log);
    const left = store.info();
    await end(store);
    closed = true;
    const seconds = secondsSince(stopping);
    observation.log.say(
      `stopped: ${left.items} items, ${left.bytes} bytes, ${seconds} s`,
      "notice",
      {
        items: left.items,
        bytes: left.bytes,
        seconds,
      },
    );
  } finally {
    if (!closed) await end(store);
  }
  return Exit.ok;
}

/** Seconds since a moment of `performance.now()`, to the millisecond. */
function secondsSince(moment: number): number {
  return Math.round(performance.now() - moment) / 1000;
}

/**
 * Opens the store. A store on disk is opened to its end whatever is asked for, as only then it is as the next
 * start needs it; one elsewhere may be out of reach for long, and is not waited for when the server is to stop.
 */
async function openUnlessStopped(
  choice: StoreChoice,
  signals: Signals,
): Promise<Store | undefined> {
  if (signals.reason !== undefined) return undefined;
  const opening = openStore(choice);
  if (choice.store === "disk") return await opening;
  const store = await Promise.race([opening, signals.stopped.then(() => undefined)]);
  if (store === undefined) opening.then((late) => late.close()).catch(() => {});
  return store;
}

/** @throws {ExitError} where the store could not keep what it has acknowledged */
async function end(store: Store): Promise<void> {
  try {
    await store.close();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new ExitError(`stopped, but ${error.message}`, Exit.io);
  }
}
