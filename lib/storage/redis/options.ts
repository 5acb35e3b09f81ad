/**
 * What the Redis options may say, and what comes of them.
 *
 * @module
 */

import type { ConnectionOptions } from "node:tls";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import type { Awaitable, StoreOptions } from "../contract.ts";
import { type Address, addressOf, nameOf } from "./address.ts";
import type { Place } from "./dialer.ts";
import type { Access, Login } from "./handshake.ts";
import { Sentinels } from "./sentinels.ts";
import { addressOfUrl, type Parsed, wrong } from "./url.ts";

/** A password that is renewed from time to time: an access token. */
export interface Tokens {
  /** The one to use now. */
  token(): Awaitable<string>;
  /** Calls back whenever there is a new one. */
  onRenewal(call: () => void): void;
  /** Renews no more. */
  stop(): void;
}

/** How the Redis store is opened. */
export interface RedisStoreOptions extends StoreOptions {
  /** `--redis-url`: see `url.ts`. Several are seeds of one cluster, or Sentinels of one master. */
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
  /** The certificate in PEM that is shown to Redis, with its key. */
  readonly identity?: { readonly cert: string; readonly key: string };
  /** `--redis-nat`: addresses as Redis tells them, each with `=` and the one it is reached by. */
  readonly nat?: readonly string[];
  /** `[user:]password` of the Sentinels, which have passwords of their own. */
  readonly sentinelLogin?: string;
  /** How many replicas have a change before it is answered; 0 where it is left out. */
  readonly replicas?: number;
  /** File whose first line is the password, read at each login: it may change. */
  readonly passwordFile?: string;
  /** What stands for the password. */
  readonly tokens?: Tokens;
}

/** Where to connect, and how. */
export interface Target {
  /** The one Redis, or the seeds of a cluster. */
  readonly places: readonly Place[];
  readonly tls: ConnectionOptions | undefined;
  readonly access: Access;
  /** The address by which one that Redis tells is reached from here. */
  readonly reach: (told: Address) => Address;
}

/**
 * Reads the options.
 *
 * @throws {ExitError} where one is not what it has to be
 */
export function targetOf(options: RedisStoreOptions): Target {
  const { urls, cluster, replicas = 0 } = options;
  if (urls.length === 0) throw wrong("", "it is missing");
  const parsed = urls.map(addressOfUrl);
  const [first] = parsed;
  agree(options, parsed);
  const tls = first.secure ? trust(options) : undefined;
  if (!first.secure && options.identity !== undefined) {
    throw usage("--redis-cert is shown over TLS: it needs a rediss:// URL");
  }
  const reach = reachOf(options.nat ?? []);
  return {
    places: first.master === undefined ? parsed : [{
      host: "",
      port: 0,
      sentinels: new Sentinels({
        name: first.master,
        seeds: parsed,
        login: sentinelLoginOf(options.sentinelLogin),
        tls,
        reach,
      }),
    }],
    tls,
    access: {
      login: loginOf(options, parsed),
      db: first.db,
      replicas,
      master: first.master !== undefined,
    },
    reach: cluster || first.master !== undefined ? reach : (told) => told,
  };
}

/** Refuses URLs that do not go together. */
function agree({ urls, cluster, sentinelLogin, nat }: RedisStoreOptions, parsed: Parsed[]): void {
  const [first] = parsed;
  const sentinel = first.master !== undefined;
  for (const [i, one] of parsed.entries()) {
    if (one.secure !== first.secure || one.master !== first.master || one.db !== first.db) {
      throw wrong(urls[i], "all URLs have the same scheme, master and database");
    }
    if (cluster && (sentinel || one.path !== undefined)) {
      throw wrong(urls[i], "a cluster is reached by redis:// or rediss://");
    }
    if (cluster && one.db !== 0) throw wrong(urls[i], "a cluster has only the database 0");
  }
  if (urls.length > 1 && !cluster && !sentinel) {
    throw wrong(urls.join(","), "several addresses need --redis-cluster or redis-sentinel://");
  }
  if (sentinelLogin !== undefined && !sentinel) {
    throw usage("--redis-sentinel-auth needs a redis-sentinel:// URL");
  }
  if (nat !== undefined && nat.length > 0 && !cluster && !sentinel) {
    throw usage("--redis-nat is for the addresses that a cluster or Sentinel tells");
  }
}

function loginOf(
  { tokens, passwordFile }: RedisStoreOptions,
  parsed: readonly Parsed[],
): Access["login"] {
  const named = parsed.find((one) => one.password !== "") ?? parsed.find((one) => one.user !== "");
  const { user, password } = named ?? parsed[0];
  if (passwordFile !== undefined) {
    if (password !== "" || tokens !== undefined) {
      throw usage("--redis-password-file takes the place of a password in --redis-url and of iam");
    }
    let last = readPassword(passwordFile);
    return () => {
      try {
        last = readPassword(passwordFile);
      } catch {
        // It is being replaced: Redis says whether the one before still holds.
      }
      return { user, password: last };
    };
  }
  if (tokens !== undefined) {
    if (password !== "") throw usage("--redis-auth iam takes no password in --redis-url");
    return async () => ({ user, password: await tokens.token() });
  }
  if (password === "") {
    if (user !== "") throw usage("--redis-url names a user without a password");
    return undefined;
  }
  return () => ({ user, password });
}

/** The first line of a file. */
function readPassword(path: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw usage(`cannot read the file of --redis-password-file: ${messageOf(error)}`);
  }
  const [password = ""] = text.split(/\r?\n/, 1);
  if (password === "") throw usage(`there is no password in '${path}' of --redis-password-file`);
  return password;
}

function sentinelLoginOf(text: string | undefined): Login | undefined {
  if (text === undefined) return undefined;
  const colon = text.indexOf(":");
  return { user: text.slice(0, Math.max(0, colon)), password: text.slice(colon + 1) };
}

function trust({ ca, anyName = false, identity }: RedisStoreOptions): ConnectionOptions {
  // Among the machine's authorities are those of the whole world.
  if (anyName && ca === undefined) throw usage("--redis-verify ca needs --redis-ca FILE");
  return {
    ...(ca !== undefined && { ca }),
    ...(anyName && { checkServerIdentity: () => undefined }),
    ...identity,
  };
}

function reachOf(nat: readonly string[]): (told: Address) => Address {
  const reached = new Map<string, Address>();
  for (const text of nat) {
    const [told, by, ...more] = text.split("=").map(addressOf);
    if (told === undefined || by === undefined || more.length > 0) {
      throw usage(`--redis-nat takes HOST:PORT=HOST:PORT, not '${text}'`);
    }
    reached.set(nameOf(told), by);
  }
  return (told) => reached.get(nameOf(told)) ?? told;
}

function usage(message: string): ExitError {
  return new ExitError(message, Exit.usage);
}
