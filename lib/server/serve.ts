/**
 * A server from its configuration to its end.
 *
 * @module
 */

import { counted } from "../counted.ts";
import { AdjustableClock, systemClock } from "../clock.ts";
import { Exit, ExitError, messageOf, StoreError } from "../errors.ts";
import type { Context, Live } from "../commands/context.ts";
import type { Say } from "../log_level.ts";
import { Counters } from "../observe/counters.ts";
import { Watchers } from "../observe/watch.ts";
import type { Listed, Store } from "../storage/contract.ts";
import { openStore, placeOf, type StoreChoice } from "../storage/open.ts";
import { within } from "../within.ts";
import { Access } from "./access/access.ts";
import { dropPermissions } from "./access/drop.ts";
import type { Configuration } from "./configuration.ts";
import type { Copies } from "./copies/copies.ts";
import { copySettings } from "./copies/settings.ts";
import { tellForeground } from "./daemon.ts";
import { type Front, OneThread } from "./front.ts";
import { writePortFile } from "./listen.ts";
import { backup, check, repair } from "./maintenance.ts";
import { makeContext, makePrefixes } from "./make_context.ts";
import { fitConnections, fitFiles } from "./descriptors.ts";
import { Observation, openLog } from "./observation.ts";
import { removePidFile, writePidFile } from "./pid_file.ts";
import { evicts, liveSettings } from "./settings.ts";
import { closeInspector, type Signals } from "./signals.ts";
import type { Pool } from "./threads/pool.ts";
import type { ThreadsUnderTest } from "./threads/threads.ts";

/** Set in the environment of a server that tests start: its clock can then be moved by `debugtime`. */
const TEST_CLOCK = "KVS_TEST_CLOCK";
/** Where memcached, and so kvs, writes the ports that it listens on. */
const PORT_FILE = "MEMCACHED_PORT_FILENAME";

/** How long the store may take to close when a thread has died, in milliseconds. */
const CLOSE_TIME = 300;

/** A thread of the server has died. */
class DeadThread extends ExitError {}

/**
 * Runs a command on the data directory, or serves until a signal or `shutdown`.
 *
 * @param threads what is not as usual with the threads of `-t`, under test
 */
export async function serve(
  configuration: Configuration,
  rest: readonly string[],
  ignored: readonly string[],
  signals: Signals,
  threads: ThreadsUnderTest = {},
): Promise<number> {
  const [command, ...operands] = rest;
  const [target, ...surplus] = operands;
  if (surplus.length > 0 || (target !== undefined && command !== "backup")) {
    throw new ExitError(`unexpected argument '${operands.at(-1)}'`, Exit.usage);
  }
  await closeInspector();
  const { say } = await openLog(configuration, systemClock, () => configuration.verbose);
  if (ignored.length > 0) say(`ignored: ${ignored.join(" ")}`, "info");
  const isUpkeep = configuration.repair || isOfDirectory(command);
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
      return await listenAndServe(configuration, signals, threads);
    case "check":
      return await check(configuration.dataDir);
    case "backup":
      return await backup(configuration.dataDir, target, configuration.copy);
    case "copy":
    case "restore":
    case "verify": {
      const { copyOnce, restore, verify } = await import("./copies/commands.ts");
      const run = { copy: copyOnce, restore, verify }[command];
      return await run(configuration, (line) => console.error(`kvs-server: ${line}`));
    }
    default:
      throw new ExitError(
        `unknown command '${command}': kvs-server takes none to serve, or check, hash-password, config, report, backup TARGET, copy --once, restore or verify`,
        Exit.usage,
      );
  }
}

/** Whether a command works on a data directory. */
function isOfDirectory(command: string | undefined): boolean {
  return command !== undefined &&
    ["check", "backup", "copy", "restore", "verify"].includes(command);
}

async function listenAndServe(
  configuration: Configuration,
  signals: Signals,
  threads: ThreadsUnderTest,
): Promise<number> {
  const live = liveSettings(configuration);
  const log = await openLog(configuration, systemClock, () => live.verbosity);
  try {
    const counters = new Counters();
    const access = new Access(configuration, counters, log.say);
    const observation = await Observation.begin(configuration, log, access);
    try {
      return await serveObserved(
        configuration,
        signals,
        live,
        observation,
        access,
        counters,
        threads,
      );
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
  threads: ThreadsUnderTest,
): Promise<number> {
  const log = observation.say;
  const { pidfile } = configuration;
  const isSeveral = configuration.threads > 1;
  const testClock = Deno.env.get(TEST_CLOCK)
    ? isSeveral ? new SharedArrayBuffer(16) : new ArrayBuffer(16)
    : undefined;
  const debugClock = testClock && new AdjustableClock(testClock);
  const clock = debugClock ?? systemClock;
  const began = performance.now();
  const pool = isSeveral
    ? new (await import("./threads/pool.ts")).Pool({
      configuration,
      log: observation.log.say,
      audited: (line, more) => access.audit.take(line, more),
      renew: (user) => access.users?.renew(user),
      onExchanged: observation.exchangedElsewhere,
      testClock: testClock as SharedArrayBuffer | undefined,
      ...threads,
    })
    : undefined;
  const copies = await beginCopies(configuration, log, signals);
  if (signals.reason !== undefined) {
    copies?.end();
    return Exit.ok;
  }
  const front: Front = pool ?? new OneThread(configuration, access.encryption);
  const watchers = pool?.watchers ?? new Watchers();
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
  signals.onReload(() => {
    reload(access, front).catch((error) =>
      log(`cannot read certificates or users again: ${messageOf(error)}`)
    );
  });
  let store: Store | undefined;
  try {
    store = await openUnlessStopped(choice, signals, pool);
  } finally {
    if (store === undefined) copies?.end();
  }
  if (store === undefined) return Exit.ok;
  let closed = false;
  let fenced = false;
  try {
    // A stop that was asked for while the store opened: it is consistent now, and nothing else is open.
    if (signals.reason !== undefined) return Exit.ok;
    if (copies !== undefined) {
      copies.copy(store);
      if (configuration.copyFence === "stop") {
        void copies.fenced.then(() => {
          fenced = true;
          signals.stop("fenced");
        });
      }
      // Who may not copy any more has been taken over from: better it is not asked for anything first.
      await Promise.race([copies.looked, signals.stopped]);
      if (fenced) return Exit.fenced;
    }
    const maxConnections = fitConnections(configuration, log);
    const context: Context = makeContext(
      configuration,
      makePrefixes(configuration),
      {
        ...{ store, clock, debugClock, log, counters, watchers, live, maxConnections },
        users: access.users,
        audit: access.audit,
        tls: access.tls,
        refreshCertificates: access.tls && (async () => {
          const problem = await access.refreshCertificates();
          if (problem === undefined) await front.reload({ certificates: true, users: false });
          return problem;
        }),
        moreSettings: () => access.settings,
        timing: observation.timing,
        copies: copies && (() => copies.figures()),
        events: observation.log.events,
        watch: () => observation.watch,
        shutdown: configuration.enableShutdown ? () => signals.stop("shutdown") : undefined,
        started: clock.now(),
      },
      () => front,
    );
    // Threads that open stores of their own may wait for what is elsewhere.
    await Promise.race([front.start(context), signals.stopped]);
    if (signals.reason !== undefined) return Exit.ok;
    const places = await front.listen();
    access.guard(places);
    await front.accept();
    const portFile = Deno.env.get(PORT_FILE);
    if (
      portFile && (configuration.unixSocket === undefined || configuration.endpoints.length > 0)
    ) {
      try {
        writePortFile(portFile, places.map(({ addr }) => addr));
      } catch (error) {
        log(`cannot write ${PORT_FILE} '${portFile}': ${messageOf(error)}`);
      }
    }
    if (pidfile !== undefined) writePidFile(pidfile);
    const where = places.map(({ address }) => address).join(", ") || "no address";
    const { items, bytes } = store.info();
    const took = secondsSince(began);
    const ready = `listening on ${where}, items kept ${placeOf(choice)}: ` +
      `${counted(items, "item")}, ${counted(bytes, "byte")}, ${took} s`;
    observation.serve(context, front, ready);
    observation.log.say(ready, "notice", { items, bytes, seconds: took });
    tellForeground();
    await dropPermissions(configuration, observation.speaksTo);
    const reason = await Promise.race([signals.stopped, front.died.then(failed)]);
    const stopping = performance.now();
    const connections = front.size;
    observation.log.say(`stopping: ${reason}, ${counted(connections, "connection")}`, "notice", {
      connections,
    });
    observation.health.drain();
    access.close();
    await front.drain();
    if (pidfile !== undefined) removePidFile(pidfile, log);
    await copies?.stop();
    const left = store.info();
    await end(store);
    closed = true;
    const seconds = secondsSince(stopping);
    observation.log.say(
      `stopped: ${counted(left.items, "item")}, ${counted(left.bytes, "byte")}, ${seconds} s`,
      "notice",
      {
        items: left.items,
        bytes: left.bytes,
        seconds,
      },
    );
  } catch (error) {
    // A thread has died: nobody waits long for what is not needed to keep what was acknowledged.
    if (error instanceof DeadThread) closed = await endSoon(store);
    throw error;
  } finally {
    front.end();
    copies?.end();
    if (!closed) await end(store);
  }
  return fenced ? Exit.fenced : Exit.ok;
}

/** Starts the copies, where there are any, and restores what they have where that is asked for. */
async function beginCopies(
  configuration: Configuration,
  log: Say,
  signals: Signals,
): Promise<Copies | undefined> {
  const settings = copySettings(configuration);
  if (settings === undefined) return undefined;
  const { Copies } = await import("./copies/copies.ts");
  const copies = await Copies.start(settings, log);
  if (!configuration.restoreIfEmpty) return copies;
  try {
    await Promise.race([copies.restore(), signals.stopped]);
    return copies;
  } catch (error) {
    copies.end();
    throw error;
  }
}

/** Certificates and users are read again, by all threads: by the others what is found good here. */
async function reload(access: Access, front: Front): Promise<void> {
  const certificates = await access.refreshCertificates() === undefined;
  const ended = access.refreshUsers(() => front.members());
  const users = typeof ended === "number";
  const elsewhere = await front.reload({ certificates, users });
  if (users) access.auditReload(ended + elsewhere);
}

/** @throws {DeadThread} */
function failed(why: string): never {
  throw new DeadThread(`${why}: the server ends; what was acknowledged is kept`, Exit.software);
}

/** Closes a store, if that takes no longer than {@linkcode CLOSE_TIME}. */
async function endSoon(store: Store): Promise<true> {
  await within(CLOSE_TIME, store.close().catch(() => {}));
  return true;
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
  pool: Pool | undefined,
): Promise<Store | undefined> {
  if (signals.reason !== undefined) return undefined;
  const opening = pool?.openStore(choice) ?? openStore(choice);
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
