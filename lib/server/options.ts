/**
 * The server's options: one table, from which flags, environment, file, defaults and help come.
 *
 * memcached's letters mean what they mean in memcached, so that its unit files and tests can start
 * kvs.
 *
 * @module
 */

import type { Manual } from "../cli/help.ts";
import {
  choice,
  count,
  duration,
  flag,
  ignored,
  integer,
  list,
  size,
  text,
} from "../cli/option.ts";
import { Exit, ExitError } from "../errors.ts";
import { fsyncNames, redisAuthNames, redisVerifyNames, storeNames } from "../storage/open.ts";

const MIB = 2 ** 20;

/** The table. */
export const serverOptions = {
  port: integer({
    flags: "-p, --port",
    min: -1,
    max: 65535,
    default: 11211,
    help: "TCP port; 0 for none, -1 for any free one",
  }),
  listen: list({
    flags: "-l, --listen",
    default: ["127.0.0.1"],
    value: "HOST[:PORT],…",
    help: "addresses to listen on",
  }),
  unixSocket: text({
    flags: "-s, --unix-socket",
    value: "PATH",
    help: "listen on this Unix socket instead of TCP",
  }),
  unixMask: text({
    flags: "-a, --unix-mask",
    value: "MODE",
    default: "700",
    help: "permissions of the Unix socket, in octal",
  }),
  store: choice({
    flags: "--store",
    of: storeNames,
    default: "disk",
    help: "where items are kept",
  }),
  dataDir: text({ flags: "--data-dir", value: "DIR", default: "./data", help: "disk: where" }),
  fsync: choice({
    flags: "--fsync",
    of: fsyncNames,
    default: "everysec",
    help: "disk: when writes are made safe from a power loss",
  }),
  maxDisk: size({
    flags: "--max-disk",
    default: 0,
    help: "disk: most bytes the data directory may take; 0 for no limit",
  }),
  repair: flag({
    flags: "--repair",
    lineOnly: true,
    help: "disk: first set aside what is damaged in the data directory, and keep what is whole",
  }),
  redisUrl: list({
    flags: "--redis-url",
    value: "URL,…",
    default: ["redis://127.0.0.1:6379"],
    help: "redis: redis://[user:password@]host[:port][/db], rediss:// for TLS, " +
      "redis-sentinel://host[:port]/master[/db], unix:///path[?db=N]; several are seeds of a " +
      "cluster, or Sentinels",
  }),
  redisCluster: flag({ flags: "--redis-cluster", help: "redis: it is a Redis Cluster" }),
  redisCa: text({
    flags: "--redis-ca",
    value: "FILE",
    help: "redis: trust these certificates (PEM) instead of the machine's",
  }),
  redisVerify: choice({
    flags: "--redis-verify",
    of: redisVerifyNames,
    default: "full",
    help:
      "redis: with TLS, check its certificate in full, or only that one of --redis-ca signed it",
  }),
  redisCert: text({
    flags: "--redis-cert",
    value: "FILE",
    help: "redis: with TLS, show this certificate (PEM) to Redis",
  }),
  redisKey: text({
    flags: "--redis-key",
    value: "FILE",
    help: "redis: the key (PEM) of --redis-cert",
  }),
  redisAuth: choice({
    flags: "--redis-auth",
    of: redisAuthNames,
    default: "password",
    help: "redis: log in by the URL's password, or by Google's access tokens, as Memorystore takes",
  }),
  redisSentinelAuth: text({
    flags: "--redis-sentinel-auth",
    value: "[USER:]PASSWORD",
    help: "redis: what the Sentinels ask for, where they ask",
  }),
  redisNat: list({
    flags: "--redis-nat",
    value: "HOST:PORT=HOST:PORT,…",
    help: "redis: reach what a cluster or Sentinel calls by the first address by the second",
  }),
  redisWait: integer({
    flags: "--redis-wait",
    min: 0,
    max: 100,
    default: 0,
    help:
      "redis: answer a change when so many replicas have it, and with an error when they have not",
  }),
  bucket: text({ flags: "--bucket", value: "NAME", help: "gcs: the bucket" }),
  gcsEndpoint: text({
    flags: "--gcs-endpoint",
    value: "URL",
    help: "gcs: another endpoint than Google's, such as an emulator; or STORAGE_EMULATOR_HOST",
  }),
  gcsConcurrency: integer({
    flags: "--gcs-concurrency",
    min: 1,
    default: 256,
    help: "gcs: requests at once",
  }),
  cacheTtl: duration({
    flags: "--cache-ttl",
    unit: "ms",
    default: 0,
    help: "gcs: show a value again for so long without asking; others' changes are seen late",
  }),
  prefix: text({
    flags: "--prefix",
    help: "redis and gcs: what stands before every key (gcs: kvs/)",
  }),
  storeTimeout: duration({
    flags: "--store-timeout",
    min: 1,
    help: "redis and gcs: how long a request may take (redis: 2s, gcs: 30s)",
  }),
  memoryLimit: size({
    flags: "-m, --memory-limit",
    unit: "m",
    min: MIB,
    default: 64 * MIB,
    help: "memory for values: the disk store's cache, the memory store's limit",
  }),
  evict: flag({
    flags: "--evict",
    help: "disk: at --max-disk, throw out the oldest items instead of refusing new ones",
  }),
  noEvictions: flag({
    flags: "-M, --disable-evictions",
    help: "memory store: when full, refuse new items instead of throwing out old ones",
  }),
  maxItemSize: size({
    flags: "-I, --max-item-size",
    min: 1024,
    max: 1024 * MIB,
    default: MIB,
    help: "greatest item, with key and overhead as memcached counts them",
  }),
  connLimit: integer({
    flags: "-c, --conn-limit",
    min: 1,
    default: 1024,
    help: "most connections at once",
  }),
  backlog: integer({
    flags: "-b, --listen-backlog",
    min: 1,
    max: 2 ** 31 - 1,
    default: 1024,
    help: "connections that may wait to be accepted; the system may allow fewer",
  }),
  idleTimeout: duration({
    flags: "--idle-timeout",
    default: 0,
    help: "close connections that were silent for so long; 0 for never",
  }),
  enableShutdown: flag({ flags: "-A, --enable-shutdown", help: "allow the shutdown command" }),
  disableFlushAll: flag({ flags: "-F, --disable-flush-all", help: "forbid flush_all" }),
  disableDumping: flag({ flags: "-X, --disable-dumping", help: "forbid listings of keys" }),
  pidFile: text({ flags: "-P, --pidfile", value: "FILE", help: "write the process id here" }),
  verbose: count({ flags: "-v, --verbose", help: "say more on standard error; -vv still more" }),
  config: text({ flags: "--config", value: "FILE", help: "read options from this JSON file" }),
  version: flag({ flags: "-V, --version", lineOnly: true, help: "show the version and end" }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
  threads: ignored({ flags: "-t, --threads", value: "N", min: 1 }),
  requestsPerEvent: ignored({ flags: "-R, --max-reqs-per-event", value: "N", min: 1 }),
  user: ignored({ flags: "-u, --user", value: "NAME" }),
  udpPort: ignored({ flags: "-U, --udp-port", value: "N" }),
  extended: ignored({ flags: "-o, --extended", value: "LIST" }),
  factor: ignored({ flags: "-f, --slab-growth-factor", value: "N" }),
  minimum: ignored({ flags: "-n, --slab-min-size", value: "N" }),
  largePages: ignored({ flags: "-L, --enable-largepages" }),
  lockMemory: ignored({ flags: "-k, --lock-memory" }),
  coreFiles: ignored({ flags: "-r, --enable-coredumps" }),
} as const;

/** What `--help` says. */
export const serverManual: Manual = {
  usage: "kvs-server [options] [command]",
  about:
    "A memcached server that keeps what it is told: on disk, in a Google Cloud Storage bucket, " +
    "or in Redis.",
  commands: [
    ["check", "read everything in the data directory, say what is there and what is damaged"],
    ["backup TARGET", "copy the data directory, served or not; a server can start on the copy"],
  ],
};

/** Permission bits from their octal text. */
export function modeOf(mask: string): number {
  if (!/^[0-7]{1,4}$/.test(mask)) {
    throw new ExitError(
      `option --unix-mask: received '${mask}', takes permissions in octal, such as 700`,
      Exit.usage,
    );
  }
  return parseInt(mask, 8);
}
