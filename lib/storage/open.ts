/**
 * `--store NAME` to a store. The only place that knows the drivers; each is loaded when it is asked
 * for, so that a server on disk needs no npm package.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { redactedUrl } from "../redact.ts";
import { Exit, ExitError, StoreError } from "../errors.ts";
import type { Store, StoreOptions } from "./contract.ts";
import type { ChannelMemory, Owner, RemoteStore, Shelf, Whole } from "./shared/mod.ts";

/** The stores there are. */
export const storeNames = ["disk", "gcs", "redis", "memory"] as const;

/** When the disk store makes its writes safe from a power loss. */
export const fsyncNames = ["always", "everysec", "no"] as const;

/**
 * What of Redis's certificate is checked: all, or only who signed it. Memorystore signs with an authority
 * of its own for each Redis, and its certificates need not name the address that it is reached by.
 */
export const redisVerifyNames = ["full", "ca"] as const;

/** What Redis takes for a password: that of the URL, or Google's access tokens. */
export const redisAuthNames = ["password", "iam"] as const;

/** The options of all stores, as the command line gives them. */
export interface StoreChoice extends StoreOptions {
  readonly store: typeof storeNames[number];
  /** Bytes of memory for values: the cache of the disk store, the limit of the memory store. */
  readonly memoryLimit: number;
  /** Whether a full store makes room by evicting old items, instead of refusing new ones. */
  readonly evict: boolean;
  /** Milliseconds that Redis or Cloud Storage may take for a request; the store knows its own. */
  readonly storeTimeout?: number;
  /** What stands before each key in Redis or the bucket; the store knows its own. */
  readonly prefix?: string;
  readonly dataDir: string;
  readonly fsync: typeof fsyncNames[number];
  /** Bytes that the data directory may take; 0 for no limit. */
  readonly maxDisk: number;
  /** Files of the data directory that are open at a time while nothing is written to them; 1024 unless given. */
  readonly openFiles?: number | undefined;
  readonly redisUrl: readonly string[];
  readonly redisCluster: boolean;
  /** File of certificates in PEM that TLS to Redis trusts. */
  readonly redisCa?: string;
  readonly redisVerify: typeof redisVerifyNames[number];
  /** Files of the certificate that is shown to Redis, and of its key, in PEM. */
  readonly redisCert?: string;
  readonly redisKey?: string;
  readonly redisAuth: typeof redisAuthNames[number];
  /** File whose first line is the password, instead of one in the URL. */
  readonly redisPasswordFile?: string;
  /** `[user:]password` of the Sentinels. */
  readonly redisSentinelAuth?: string;
  /** Addresses as Redis tells them, each with `=` and the one it is reached by. */
  readonly redisNat: readonly string[];
  /** How many replicas have a change before it is answered. */
  readonly redisWait: number;
  readonly bucket?: string;
  readonly gcsEndpoint?: string;
  /** Requests to Cloud Storage in flight. */
  readonly gcsConcurrency: number;
  /** Milliseconds for which a read value may be shown again without asking Cloud Storage. */
  readonly cacheTtl: number;
}

/** Opens the store of that name. */
export async function openStore(choice: StoreChoice): Promise<Store> {
  const { clock, log, onEvicted, accessedElsewhere, onSynced, onExchanged, causeOf } = choice;
  const { storeTimeout: timeout } = choice;
  switch (choice.store) {
    case "memory": {
      const { openMemoryStore } = await import("./memory/mod.ts");
      return openMemoryStore({
        clock,
        log,
        onEvicted,
        accessedElsewhere,
        limit: choice.memoryLimit,
        evict: choice.evict,
      });
    }
    case "redis": {
      const { openRedisStore } = await import("./redis/mod.ts");
      return openRedisStore({
        clock,
        log,
        onExchanged,
        causeOf,
        timeout,
        urls: choice.redisUrl,
        cluster: choice.redisCluster,
        prefix: choice.prefix ?? "",
        ca: choice.redisCa === undefined ? undefined : readPem("--redis-ca", choice.redisCa),
        anyName: choice.redisVerify === "ca",
        identity: redisIdentityOf(choice),
        passwordFile: choice.redisPasswordFile,
        tokens: choice.redisAuth === "iam" ? await googleTokens(log) : undefined,
        sentinelLogin: choice.redisSentinelAuth,
        nat: choice.redisNat,
        replicas: choice.redisWait,
      });
    }
    case "disk": {
      const { openDiskStore } = await import("./disk/mod.ts");
      const { memoryLimit, fsync, maxDisk, evict } = choice;
      const directory = choice.dataDir;
      return openDiskStore({
        clock,
        log,
        onEvicted,
        onSynced,
        directory,
        memoryLimit,
        fsync,
        maxDisk,
        evict,
        openFiles: choice.openFiles,
      });
    }
    case "gcs": {
      if (choice.bucket === undefined) {
        throw new ExitError("--store gcs needs --bucket NAME", Exit.usage);
      }
      const { openGcsStore } = await import("./gcs/mod.ts");
      return openGcsStore({
        clock,
        log,
        onExchanged,
        causeOf,
        timeout,
        bucket: choice.bucket,
        prefix: choice.prefix,
        endpoint: choice.gcsEndpoint,
        concurrency: choice.gcsConcurrency,
        cacheTtl: choice.cacheTtl,
      });
    }
  }
}

/** How a worker, from 1, reaches the thread that has the store. */
export interface RemoteChoice {
  readonly number: number;
  readonly bells: SharedArrayBuffer;
  readonly channel: ChannelMemory;
  readonly hashKey: Uint8Array;
  readonly shelf: SharedArrayBuffer | undefined;
  readonly clock: Clock;
  /** Sends the owner a frame that does not go by the ring. */
  readonly post: (frame: ArrayBuffer) => void;
  readonly whole: Whole;
}

/** The store that another thread has. */
export async function openRemoteStore(choice: RemoteChoice): Promise<RemoteStore> {
  const { bellOf, Channel, RemoteStore, ShelfReader } = await import("./shared/mod.ts");
  const { number, bells, channel, hashKey, shelf, clock, post, whole } = choice;
  return new RemoteStore({
    ...{ clock, hashKey, whole },
    channel: new Channel(channel.answers, channel.requests, bellOf(bells, 0), post),
    bell: bellOf(bells, number),
    shelf: shelf && new ShelfReader(shelf, number, clock),
  });
}

/** Bytes of the shelf where the store has no limit of memory. */
const UNLIMITED_SHELF = 1 << 26;
/** The part of a store's memory that the shelf takes: the disk store's is within it, the memory store's beside it. */
const DISK_SHELF = 1 / 2;
const MEMORY_SHELF = 1 / 4;
/** A smaller shelf is none. */
const LEAST_SHELF = 1 << 18;

/** A store of this thread that other threads use. */
export interface SharedStore {
  readonly store: Store;
  readonly owner: Owner;
  readonly bells: SharedArrayBuffer;
  readonly shelf: Shelf | undefined;
}

/**
 * Opens a store for several threads: on disk or in memory, of which there is one a process.
 *
 * @param workers how many threads use it
 * @param broken told when nothing can be trusted any more
 */
export async function openSharedStore(
  choice: StoreChoice,
  workers: number,
  broken: (error: unknown) => void,
): Promise<SharedStore> {
  const { bellMemory, bellOf, Owner, Shelf } = await import("./shared/mod.ts");
  const { memoryLimit, clock, onEvicted } = choice;
  const isDisk = choice.store === "disk";
  const room = isDisk
    ? Math.floor(memoryLimit * DISK_SHELF)
    : memoryLimit === 0
    ? UNLIMITED_SHELF
    : Math.floor(memoryLimit * MEMORY_SHELF);
  const seconds = Math.floor(clock.now() / 1000);
  const shelf = room < LEAST_SHELF ? undefined : new Shelf(room, seconds);
  const own: { owner?: Owner } = {};
  const store = await openStore({
    ...choice,
    memoryLimit: isDisk ? memoryLimit - (shelf?.bytes ?? 0) : memoryLimit,
    onEvicted: (item) => {
      own.owner?.evicted(item);
      onEvicted?.(item);
    },
    accessedElsewhere: (key) => own.owner?.accessed(key) ?? 0,
  });
  const bells = bellMemory(workers);
  const owner = own.owner = new Owner({ store, clock, bell: bellOf(bells, 0), shelf, broken });
  return { store, owner, bells, shelf };
}

/** What keeps the disk store's directories in order. */
export async function diskMaintenance() {
  return await import("./disk/mod.ts");
}

/** Where a store keeps its data, in words for the operator. */
export function placeOf(choice: StoreChoice): string {
  switch (choice.store) {
    case "disk":
      return `in ${choice.dataDir} (fsync ${choice.fsync})`;
    case "gcs":
      return `in gs://${choice.bucket}/${choice.prefix ?? "kvs/"}`;
    case "redis":
      return `at ${choice.redisUrl.map(redactedUrl).join(", ")}`;
    case "memory":
      return "in memory, gone with the process";
  }
}

function redisIdentityOf({ redisCert, redisKey }: StoreChoice) {
  if (redisCert === undefined && redisKey === undefined) return undefined;
  if (redisCert === undefined || redisKey === undefined) {
    throw new ExitError("--redis-cert and --redis-key go together", Exit.usage);
  }
  return { cert: readPem("--redis-cert", redisCert), key: readPem("--redis-key", redisKey) };
}

async function googleTokens(log: (line: string) => void) {
  const { Credentials } = await import("./google_credentials.ts");
  try {
    return await Credentials.find(log);
  } catch (error) {
    if (error instanceof StoreError) throw new ExitError(error.message, Exit.unavailable);
    throw error;
  }
}

function readPem(option: string, path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new ExitError(`cannot read the file of ${option}: ${error}`, Exit.usage);
  }
}
