/**
 * The options in groups: for `--help`, and to refuse what belongs to another store or command.
 *
 * @module
 */

import { Exit, ExitError } from "../errors.ts";
import type { serverOptions } from "./options.ts";

type Name = keyof typeof serverOptions;

/** The titles of the groups with their options, in the order of `--help`. */
export const optionGroups: readonly (readonly [title: string, names: readonly Name[]])[] = [
  ["Connections", [
    "port",
    "listen",
    "unixSocket",
    "unixMask",
    "protocol",
    "connLimit",
    "maxConnectionsPerIp",
    "connectRate",
    "maxClientMemory",
    "listenBacklog",
    "idleTimeout",
    "threads",
    "maxReqsPerEvent",
  ]],
  ["Who may do what", [
    "authFile",
    "users",
    "enableSasl",
    "enableSsl",
    "sslChainCert",
    "sslKey",
    "sslCaCert",
    "sslVerifyMode",
    "sslMinVersion",
    "insecure",
    "enableShutdown",
    "disableFlushAll",
    "disableDumping",
    "disableWatch",
  ]],
  ["Items", ["store", "memoryLimit", "maxItemSize", "disableEvictions", "disableCas"]],
  ["The disk store", ["dataDir", "memoryFile", "fsync", "maxDisk", "evict", "repair", "copy"]],
  ["Copies of the disk store", [
    "copyTo",
    "copyInterval",
    "copyRetention",
    "copyFence",
    "copyLease",
    "copyHeld",
    "copyHead",
    "copyBandwidth",
    "restoreIfEmpty",
    "from",
    "at",
    "list",
    "once",
  ]],
  ["The Redis store", [
    "redisUrl",
    "redisCluster",
    "redisCa",
    "redisVerify",
    "redisCert",
    "redisKey",
    "redisAuth",
    "redisPasswordFile",
    "redisSentinelAuth",
    "redisNat",
    "redisWait",
  ]],
  ["The bucket store (gcs)", ["bucket", "gcsConcurrency", "cacheTtl"]],
  ["Cloud Storage, for the bucket store and copies", ["gcsEndpoint"]],
  ["The Redis and the bucket store", ["prefix", "storeTimeout"]],
  ["What it tells", ["http", "logFormat", "logLevel", "verbose", "slowMs", "prefixDelimiter"]],
  ["The program", ["config", "daemon", "pidfile", "extended", "version", "license", "help"]],
];

/** The stores that the options of a group belong to. */
const STORES: Readonly<Record<string, readonly string[]>> = {
  "The disk store": ["disk"],
  "Copies of the disk store": ["disk"],
  "The Redis store": ["redis"],
  "The bucket store (gcs)": ["gcs"],
  "Cloud Storage, for the bucket store and copies": ["gcs", "disk"],
  "The Redis and the bucket store": ["redis", "gcs"],
};

/** The commands that options belong to which a server that serves does not take. */
const COMMANDS: Readonly<Partial<Record<Name, readonly string[]>>> = {
  copy: ["backup"],
  from: ["restore", "verify"],
  at: ["restore", "verify"],
  list: ["restore"],
  once: ["copy"],
};

/** Whether an option means something for a store. */
export function isOptionOf(store: string, name: string): boolean {
  const group = optionGroups.find(([, names]) => (names as readonly string[]).includes(name));
  const stores = group === undefined ? undefined : STORES[group[0]];
  return stores === undefined || stores.includes(store);
}

/**
 * Checks that no option of another store is set, be it by the command line, a variable or the
 * configuration file: it would change nothing, and whoever wrote it expects something. `origins` has
 * where each option's value is from.
 *
 * @throws {ExitError} 64 with a sentence.
 */
export function checkStoreOptions(store: string, origins: ReadonlyMap<Name, string>): void {
  for (const [title, names] of optionGroups) {
    const stores = STORES[title];
    if (stores === undefined || stores.includes(store)) continue;
    const stray = names.find((name) => origins.get(name) !== "default");
    if (stray === undefined) continue;
    throw new ExitError(
      `${origins.get(stray)} is an option of --store ${stores.join(" or ")}, and the store is ` +
        store,
      Exit.usage,
    );
  }
}

/**
 * Checks that no option of another command is set: without its command a server would start, on a
 * directory that was to be restored.
 *
 * @param command the word behind the options; none where a server is to serve
 * @throws {ExitError} 64 with a sentence.
 */
export function checkCommandOptions(
  command: string | undefined,
  origins: ReadonlyMap<Name, string>,
): void {
  for (const [name, commands] of Object.entries(COMMANDS) as [Name, readonly string[]][]) {
    if (origins.get(name) === "default") continue;
    if (command !== undefined && commands.includes(command)) continue;
    throw new ExitError(
      `${origins.get(name)} is an option of the command ${commands.join(" or ")}, and ` +
        (command === undefined ? "no command was given" : `the command is ${command}`),
      Exit.usage,
    );
  }
}
