/**
 * A server from its options to its end.
 *
 * @module
 */

import type { Values } from "../cli/parse.ts";
import { systemClock } from "../clock.ts";
import type { Context } from "../commands/context.ts";
import { Exit, ExitError, messageOf, StoreError } from "../errors.ts";
import { Counters } from "../observe/counters.ts";
import type { Store } from "../storage/contract.ts";
import { openStore, placeOf } from "../storage/open.ts";
import { MEMCACHED_VERSION, VERSION } from "../version.ts";
import { listen } from "./listen.ts";
import { backup, check, repair } from "./maintenance.ts";
import { modeOf, type serverOptions } from "./options.ts";
import { Server } from "./server.ts";
import { evicts, settingsOf } from "./settings.ts";

/** The server's options, read. */
export type Options = Values<typeof serverOptions>;

/** Runs a command on the data directory, or serves until a signal or `shutdown`. */
export async function serve(
  options: Options,
  rest: readonly string[],
  ignored: readonly string[],
): Promise<number> {
  const [command, ...operands] = rest;
  const [target, ...surplus] = operands;
  if (surplus.length > 0 || (target !== undefined && command !== "backup")) {
    throw new ExitError(`unexpected argument '${operands.at(-1)}'`, Exit.usage);
  }
  const log = (line: string) => console.error(`kvs-server: ${line}`);
  if (options.verbose > 0 && ignored.length > 0) log(`ignored: ${ignored.join(" ")}`);
  const isUpkeep = options.repair || command === "check" || command === "backup";
  if (options.store !== "disk" && isUpkeep) {
    const what = options.repair ? "--repair" : command;
    throw new ExitError(`${what} works on a data directory: --store disk`, Exit.usage);
  }
  if (options.repair) await repair(options.dataDir, log);
  switch (command) {
    case undefined:
      return await listenAndServe(options, log);
    case "check":
      return await check(options.dataDir);
    case "backup":
      return await backup(options.dataDir, target, options.copy);
    default:
      throw new ExitError(
        `unknown command '${command}': kvs-server takes none to serve, or check, or backup TARGET`,
        Exit.usage,
      );
  }
}

async function listenAndServe(options: Options, log: (line: string) => void): Promise<number> {
  const mode = modeOf(options.unixMask);
  const stop = Promise.withResolvers<void>();
  const release = onSignals(stop.resolve);
  const clock = systemClock;
  const choice = { ...options, evict: evicts(options), clock, log };
  const store = await openStore(choice);
  try {
    const listening = await listen({
      port: options.port,
      hosts: options.listen,
      backlog: options.backlog,
      socketPath: options.unixSocket,
      socketMode: mode,
    });
    const context: Context = {
      store,
      storeName: options.store,
      clock,
      log,
      counters: new Counters(),
      limits: { itemSize: options.maxItemSize },
      version: `${MEMCACHED_VERSION} kvs-${VERSION}`,
      allowFlush: !options.disableFlushAll,
      allowDump: !options.disableDumping,
      shutdown: options.enableShutdown ? stop.resolve : undefined,
      connections: () => server.size,
      describeConnections: () => server.describe(),
      maxConnections: options.connLimit,
      settings: settingsOf(options),
      started: clock.now(),
    };
    const server = new Server(context, { idleTimeout: Math.ceil(options.idleTimeout / 1000) });
    for (const { listener } of listening) server.accept(listener);
    if (options.pidFile !== undefined) writePidFile(options.pidFile);
    const where = listening.map(({ address }) => address).join(", ");
    log(`listening on ${where}, items kept ${placeOf(choice)}`);
    await stop.promise;
    await server.drain();
    if (options.pidFile !== undefined) removePidFile(options.pidFile, log);
  } finally {
    release();
    await end(store);
  }
  return Exit.ok;
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

function removePidFile(path: string, log: (line: string) => void): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      log(`cannot remove --pidfile: ${messageOf(error)}`);
    }
  }
}

/** Calls `stop` on SIGINT and SIGTERM, which may come more than once. Gives what ends that. */
function onSignals(stop: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  return () => {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
  };
}

function writePidFile(path: string): void {
  try {
    Deno.writeTextFileSync(path, `${Deno.pid}\n`);
  } catch (error) {
    throw new ExitError(`cannot write --pidfile '${path}': ${messageOf(error)}`, Exit.cannotCreate);
  }
}
