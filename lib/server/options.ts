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
  decimal,
  duration,
  flag,
  ignored,
  integer,
  list,
  LONGEST_WAIT,
  type Option,
  size,
  text,
} from "../cli/option.ts";
import { logLevels } from "../log_level.ts";
import { logFormats } from "../observe/log.ts";
import { fsyncNames, redisAuthNames, redisVerifyNames, storeNames } from "../storage/open.ts";
import { MEMCACHED_VERSION, VERSION } from "../version.ts";
import { protocolNames } from "./endpoint.ts";
import { tlsVersions } from "./tls_options.ts";
import { copyFences } from "./copies/settings.ts";
import { optionGroups } from "./option_groups.ts";

const MIB = 2 ** 20;
/** Beyond that the thread that has the store would be the only one with work to do. */
const MAX_THREADS = 128;

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
    help:
      "addresses to listen on, * for all; proto[ascii]: or proto[binary]: before one fixes the " +
      "protocol of its connections, with -Z notls: and mtls: before that whether it has TLS; " +
      "unix:PATH listens on a Unix socket beside TCP",
  }),
  unixSocket: text({
    flags: "-s, --unix-socket",
    value: "PATH",
    help: "listen on this Unix socket instead of TCP",
  }),
  unixMask: {
    ...text({ flags: "-a, --unix-mask", value: "MODE", help: "permissions of the Unix socket" }),
    default: 0o700,
    shown: "700",
    takes: "permissions in octal, such as 700",
    read: (text: string) => /^[0-7]{1,4}$/.test(text) ? parseInt(text, 8) : undefined,
    write: (mode: number) => mode.toString(8),
  },
  protocol: choice({
    flags: "-B, --protocol",
    of: protocolNames,
    help:
      "the protocol of all connections, or auto: by their first byte (auto; ascii where users log " +
      "in, but with -S)",
  }),
  authFile: text({
    flags: "-Y, --auth-file",
    value: "FILE",
    help: "connections must log in as a user of this file, a line user:password each",
  }),
  users: text({
    flags: "--users",
    value: "FILE",
    help: "connections must log in as a user of this JSON file, which says what each may do",
  }),
  insecure: flag({
    flags: "--insecure",
    help: "listen where everybody can connect, though nobody has to log in",
  }),
  enableSsl: flag({
    flags: "-Z, --enable-ssl",
    help: "TLS on every TCP listener, but where -l says notls:",
  }),
  sslChainCert: text({
    flags: "--ssl-chain-cert",
    value: "FILE",
    help: "with TLS, the server's certificate and those between it and its authority (PEM)",
  }),
  sslKey: text({
    flags: "--ssl-key",
    value: "FILE",
    help: "with TLS, the key of the certificate (PEM)",
  }),
  sslCaCert: text({
    flags: "--ssl-ca-cert",
    value: "FILE",
    help: "with TLS, the authorities whose certificates clients may show (PEM)",
  }),
  sslVerifyMode: integer({
    flags: "--ssl-verify-mode",
    min: 0,
    max: 3,
    default: 0,
    help:
      "with TLS, 0 asks for no certificate of clients, 1 takes only good ones where they show " +
      "one, 2 and 3 want one",
  }),
  sslMinVersion: choice({
    flags: "--ssl-min-version",
    of: tlsVersions,
    default: "tlsv1.2",
    help: "with TLS, the least version of it",
  }),
  enableSasl: flag({
    flags: "-S, --enable-sasl",
    help: "they may log in by SASL PLAIN in the binary protocol too; without -Y and --users the " +
      "users are those of the file MEMCACHED_SASL_PWDB, and no other protocol is taken",
  }),
  store: choice({
    flags: "--store",
    of: storeNames,
    help: "where items are kept (disk)",
  }),
  dataDir: text({
    flags: "--data-dir",
    value: "DIR",
    help: "disk: where (./data)",
  }),
  memoryFile: text({
    flags: "-e, --memory-file",
    value: "FILE",
    help: "as --store disk --data-dir FILE: what memcached saves at a stop, kvs saves all the time",
  }),
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
  copy: flag({
    flags: "--copy",
    lineOnly: true,
    help: "disk: a backup shares no file with the data directory",
  }),
  copyTo: text({
    flags: "--copy-to",
    value: "URL",
    help: "disk: keep copies of the data here all the time: gs://BUCKET/PREFIX or file:///PATH",
  }),
  copyInterval: duration({
    flags: "--copy-interval",
    min: 1000,
    max: 3_600_000,
    default: 10_000,
    help: "disk: how often what was written since is copied",
  }),
  copyRetention: duration({
    flags: "--copy-retention",
    default: 7 * 24 * 3_600_000,
    help: "disk: for how long any moment can be restored; 0 for ever",
  }),
  copyFence: choice({
    flags: "--copy-fence",
    of: copyFences,
    default: "stop",
    help: "disk: what to do when another server has taken over the copies: stop, or serve without",
  }),
  copyLease: duration({
    flags: "--copy-lease",
    min: 6000,
    max: 3_600_000,
    default: 30_000,
    help: "disk: how long a server must give no sign before another may take over its copies",
  }),
  copyHeld: size({
    flags: "--copy-held",
    default: 1024 * MIB,
    help: "disk: most bytes of removed files that a copy which is late may keep on the disk",
  }),
  copyHead: text({
    flags: "--copy-head",
    value: "URL",
    help:
      "disk: keep the one object that is replaced here, where --copy-to lets nothing be replaced",
  }),
  copyBandwidth: size({
    flags: "--copy-bandwidth",
    default: 0,
    help: "disk: most bytes a second that copies send, at least 256k; 0 for no limit",
  }),
  restoreIfEmpty: flag({
    flags: "--restore-if-empty",
    help: "disk: where the data directory is empty, take over and restore what --copy-to has",
  }),
  from: text({
    flags: "--from",
    value: "URL",
    lineOnly: true,
    help: "restore, verify: the copies; those of --copy-to, where it is not given",
  }),
  at: {
    ...text({
      flags: "--at",
      value: "TIME",
      lineOnly: true,
      help: "restore, verify: the last moment up to this time, such as 2026-11-27T10:00:00Z",
    }),
    takes: "a time such as 2026-11-27T10:00:00Z",
    read: (text: string) => {
      const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)
        ? Date.parse(text)
        : NaN;
      return Number.isNaN(time) ? undefined : time;
    },
  } as Option<number | undefined>,
  list: flag({
    flags: "--list",
    lineOnly: true,
    help: "restore: print the moments that can be restored, and restore none",
  }),
  once: flag({
    flags: "--once",
    lineOnly: true,
    help: "copy: what copies to --copy-to do once, of a directory that is served or not",
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
  redisPasswordFile: text({
    flags: "--redis-password-file",
    value: "FILE",
    help: "redis: the password is the first line of this file, read at each login",
  }),
  redisSentinelAuth: text({
    flags: "--redis-sentinel-auth",
    value: "[USER:]PASSWORD",
    secret: true,
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
    help:
      "gcs, copies: another endpoint than Google's, such as an emulator; or STORAGE_EMULATOR_HOST",
  }),
  gcsConcurrency: integer({
    flags: "--gcs-concurrency",
    min: 1,
    default: 256,
    help: "gcs: requests in flight",
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
    max: LONGEST_WAIT,
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
    help: "disk: at --max-disk, evict the oldest items instead of refusing new ones",
  }),
  disableEvictions: flag({
    flags: "-M, --disable-evictions",
    help: "memory store: when full, refuse new items instead of evicting old ones",
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
    help: "most open connections",
  }),
  listenBacklog: integer({
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
  maxClientMemory: size({
    flags: "--max-client-memory",
    min: MIB,
    help: "memory that all clients together may make the server hold in requests and replies " +
      "(a quarter of the machine's)",
  }),
  maxConnectionsPerIp: integer({
    flags: "--max-connections-per-ip",
    min: 0,
    default: 0,
    help: "most connections from one address; 0 for no limit",
  }),
  connectRate: integer({
    flags: "--connect-rate",
    min: 0,
    default: 0,
    help: "most new connections a second from one address; 0 for no limit",
  }),
  disableCas: flag({ flags: "-C, --disable-cas", help: "every cas unique is 0" }),
  prefixDelimiter: text({
    flags: "-D",
    value: "CHAR",
    lineOnly: true,
    help: "what ends the prefix of a key for stats detail, which is on from the start (:)",
  }),
  enableShutdown: flag({ flags: "-A, --enable-shutdown", help: "allow the shutdown command" }),
  disableFlushAll: flag({ flags: "-F, --disable-flush-all", help: "forbid flush_all" }),
  disableDumping: flag({ flags: "-X, --disable-dumping", help: "forbid listings of keys" }),
  disableWatch: flag({ flags: "-W, --disable-watch", help: "forbid watch" }),
  daemon: flag({
    flags: "-d, --daemon",
    lineOnly: true,
    help: "run in the background; only where the program may start programs (deno run -A)",
  }),
  pidfile: text({ flags: "-P, --pidfile", value: "FILE", help: "write the process id here" }),
  http: text({
    flags: "--http",
    value: "[HOST:]PORT",
    help:
      "serve /metrics, /healthz, /readyz and a live page here; beyond the machine itself with TLS " +
      "and for users",
  }),
  logFormat: choice({
    flags: "--log-format",
    of: logFormats,
    default: "text",
    help: "how lines on standard error are written",
  }),
  logLevel: choice({
    flags: "--log-level",
    of: logLevels,
    default: "notice",
    help: "the least of what is said there; -v is info, -vv debug",
  }),
  slowMs: integer({
    flags: "--slow-ms",
    min: 1,
    help:
      "stats slow shows the last requests that took so many milliseconds or longer; costs one reading " +
      "of the clock a batch",
  }),
  verbose: count({
    flags: "-v, --verbose",
    help:
      "say more on standard error; -vv also each request and the head of its reply, -vvv each read and " +
      "write",
  }),
  config: text({ flags: "--config", value: "FILE", help: "read options from this JSON file" }),
  extended: list({
    flags: "-o, --extended",
    value: "WORD[=VALUE],…",
    help:
      "memcached's extended options, such as idle_timeout=SECONDS, track_sizes, no_maxconns_fast",
  }),
  threads: integer({
    flags: "-t, --threads",
    min: 1,
    max: MAX_THREADS,
    help:
      "threads that serve connections (disk and memory: one less than the cores, at most 4; else " +
      "1)",
  }),
  maxReqsPerEvent: integer({
    flags: "-R, --max-reqs-per-event",
    min: 1,
    help:
      "requests that a connection runs before the others have a turn; without it, as many as take 1 ms",
  }),
  version: flag({ flags: "-V, --version", lineOnly: true, help: "show the version and end" }),
  license: flag({ flags: "-i, --license", lineOnly: true, help: "show the licence and end" }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
  udpPort: ignored({
    ...integer({ flags: "-U, --udp-port", min: 0, max: 0, default: 0, help: "" }),
    takes: "0 alone, as kvs serves no UDP",
  }),
  napiIds: ignored(integer({ flags: "-N, --napi-ids", min: 1, help: "" })),
  user: ignored(text({ flags: "-u, --user", value: "NAME", help: "" })),
  factor: ignored(
    decimal({ flags: "-f, --slab-growth-factor", above: 1, default: 1.25, help: "" }),
  ),
  chunkSize: ignored(integer({ flags: "-n, --slab-min-size", min: 1, default: 48, help: "" })),
  largePages: ignored(flag({ flags: "-L, --enable-largepages", help: "" })),
  lockMemory: ignored(flag({ flags: "-k, --lock-memory", help: "" })),
  coreFiles: ignored(flag({ flags: "-r, --enable-coredumps", help: "" })),
} as const;

/** What `--help` says. */
export const serverManual: Manual = {
  // Harnesses read memcached's version here.
  title: `memcached ${MEMCACHED_VERSION} (kvs ${VERSION})`,
  usage: "kvs-server [options] [command]",
  about:
    "A memcached server that keeps what it is told: on disk, in a Google Cloud Storage bucket, " +
    "or in Redis.",
  groups: optionGroups,
  commands: [
    ["check", "read everything in the data directory, say what is there and what is damaged"],
    ["hash-password", "print the hash, for --users, of a password from standard input"],
    ["config", "print the options in force, and where each is from"],
    ["report [FILE]", "write what somebody needs who helps with this server into one tar"],
    ["backup TARGET", "copy the data directory, served or not; a server can start on the copy"],
    ["copy --once", "bring the copies in --copy-to up to date, without a server or beside it"],
    ["restore", "restore copies (--from, --at) into an empty data directory; --list shows moments"],
    ["verify", "read copies whole (--from, --at) and say whether a restore would succeed"],
  ],
  notes:
    `A flag goes before its variable, that before --config FILE, and the file before the default.

Exit codes: 0 stopped, 1 a user file that cannot be used, 64 wrong usage, 65 damaged data,
69 a bucket or copies out of reach, 70 a thread that ended, 71 an address in use,
73 a directory that cannot be made, written or locked, 74 a failed disk,
77 copies that another server has.

SIGTERM, SIGINT and SIGUSR1 stop the server in order; SIGHUP reads users and certificates again.`,
};
