/**
 * What `--redis-url` may say.
 *
 * @module
 */

import type { ConnectionOptions } from "node:tls";
import type { RedisOptions } from "ioredis";
import { Exit, ExitError } from "../../errors.ts";
import type { StoreOptions } from "../contract.ts";
import type { Address } from "./cluster.ts";

/** How the Redis store is opened. */
export interface RedisStoreOptions extends StoreOptions {
  /**
   * `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS. Several are seeds of one
   * cluster, with the same user, password and TLS.
   */
  readonly urls: readonly string[];
  /** Whether it is a Redis Cluster. */
  readonly cluster: boolean;
  /** What stands before every key in Redis; may be empty. */
  readonly prefix: string;
  /** Milliseconds within which Redis answers or the request fails; 2000 where it is left out. */
  readonly timeout?: number;
  /** Certificates in PEM that TLS trusts, instead of the machine's. */
  readonly ca?: string;
  /** Whether what `ca` has signed is trusted whatever host it names. */
  readonly anyName?: boolean;
}

/** Where to connect, and how. */
export interface Target {
  readonly seeds: readonly Address[];
  readonly connection: RedisOptions;
}

/**
 * Reads the URLs.
 *
 * @throws {ExitError} where one is not what it has to be
 */
export function targetOf(options: RedisStoreOptions): Target {
  const { urls, cluster, ca, anyName } = options;
  if (urls.length === 0) throw wrong("", "it is missing");
  if (urls.length > 1 && !cluster) {
    throw wrong(urls.join(","), "several addresses need --redis-cluster");
  }
  const parsed = urls.map((text) => parse(text, cluster));
  const first = parsed[0];
  for (const [i, one] of parsed.entries()) {
    if (one.secure !== first.secure) {
      throw wrong(urls[i], "a cluster is reached by redis:// or by rediss://, not by both");
    }
  }
  const named = parsed.find((one) => one.password !== "") ?? first;
  return {
    seeds: parsed.map(({ host, port }) => ({ host, port })),
    connection: {
      ...(named.user !== "" && { username: named.user }),
      ...(named.password !== "" && { password: named.password }),
      ...(first.db !== 0 && { db: first.db }),
      ...(first.secure && { tls: trust(ca, anyName) }),
    },
  };
}

function trust(ca: string | undefined, anyName = false): ConnectionOptions {
  if (!anyName) return ca === undefined ? {} : { ca };
  // Among the machine's authorities are those of the whole world.
  if (ca === undefined) throw new ExitError("--redis-verify ca needs --redis-ca FILE", Exit.usage);
  return { ca, checkServerIdentity: () => undefined };
}

interface Parsed extends Address {
  readonly secure: boolean;
  readonly user: string;
  readonly password: string;
  readonly db: number;
}

function parse(text: string, cluster: boolean): Parsed {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong(text, "it is not a URL");
  }
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") throw wrong(text, "of another kind");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "") throw wrong(text, "the host is missing");
  const path = url.pathname.replace(/^\//, "");
  if (!/^\d{0,5}$/.test(path) || url.search !== "" || url.hash !== "") {
    throw wrong(text, "after the address comes a database's number or nothing");
  }
  const db = Number(path);
  if (cluster && db !== 0) throw wrong(text, "a cluster has only the database 0");
  try {
    return {
      host,
      port: Number(url.port || 6379),
      secure: url.protocol === "rediss:",
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      db,
    };
  } catch {
    throw wrong(text, "user and password are to be percent-encoded");
  }
}

/** The error text does not repeat a password. */
function wrong(text: string, why: string): ExitError {
  const shown = text.replaceAll(/\/\/[^@/]*@/g, "//…@");
  return new ExitError(
    `Cannot use --redis-url '${shown}': ${why}; it takes redis://[user:password@]host[:port][/db], or rediss:// for TLS`,
    Exit.usage,
  );
}
