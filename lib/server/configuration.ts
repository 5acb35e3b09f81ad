/**
 * What the options mean together: defaults that depend on each other, and combinations that are refused.
 *
 * @module
 */

import { sizeText } from "../cli/option.ts";
import type { Values } from "../cli/parse.ts";
import { Exit, ExitError } from "../errors.ts";
import { checkCopyOptions } from "./copies/settings.ts";
import { type Endpoint, type Protocol, readEndpoints } from "./endpoint.ts";
import { type Extended, readExtended } from "./extended.ts";
import { type HttpAddress, readHttpAddress } from "./http/address.ts";
import type { serverOptions } from "./options.ts";
import { defaultThreads, type Machine } from "./threads/default_number.ts";
import { type TlsChoice, tlsChoice } from "./tls_options.ts";

/** The options as they were given. */
export type Given = Values<typeof serverOptions>;

/** The options as the server takes them. */
export interface Configuration extends Omit<Given, "extended" | "http" | "listen"> {
  readonly store: NonNullable<Given["store"]>;
  readonly dataDir: string;
  readonly protocol: Protocol;
  /** Threads that serve connections. */
  readonly threads: number;
  /** Milliseconds of silence after which a connection is closed; 0 for never. */
  readonly idleTimeout: number;
  /** Bytes that the replies in hand of a connection may take, or `Infinity`. */
  readonly replyMemory: number;
  /** What `-l` said, in its words. */
  readonly listen: readonly string[];
  /** Where to listen for TCP. */
  readonly endpoints: readonly Endpoint[];
  readonly extended: Extended;
  /** How TCP connections are encrypted, where they are (`-Z`). */
  readonly tls: TlsChoice | undefined;
  /** Where to serve HTTP, if anywhere. */
  readonly http: HttpAddress | undefined;
}

/** What an address of `-l` begins with that is a Unix socket. */
const UNIX = "unix:";
/** Where memcached finds the users of `-S` if it is built with `--enable-sasl-pwdb`. */
const SASL_FILE = "MEMCACHED_SASL_PWDB";

/** What memcached runs with where `-t` says nothing, whatever the machine. */
const MEMCACHED_THREADS = 4;

/**
 * Makes a configuration of the options.
 *
 * @param machine what the number of threads is fitted to where it is not given
 * @throws {ExitError} 64, in one line, where they do not go together.
 */
export function configure(given: Given, machine?: () => Machine): Configuration {
  const extended = readExtended(given.extended);
  const { napiIds = 0, threads = MEMCACHED_THREADS } = given;
  if (napiIds > threads) {
    throw usage(`-N/--napi-ids ${napiIds} is more than the ${threads} of -t/--threads`);
  }
  const store = storeOf(given);
  checkCopyOptions(given);
  checkItemSize(given, store.store);
  const protocol = protocolOf(given);
  const tls = tlsChoice(given, extended);
  const unixSocket = unixSocketOf(given);
  const endpoints = endpointsOf(given, protocol);
  const authFile = authFileOf(given);
  const protection = {
    hasTls: tls !== undefined,
    hasUsers: authFile !== undefined || given.users !== undefined,
    insecure: given.insecure,
  };
  return {
    ...given,
    ...store,
    authFile,
    protocol,
    threads: given.threads ??
      defaultThreads({ ...given, ...store, unixSocket, endpoints }, machine),
    unixSocket,
    extended,
    http: given.http === undefined ? undefined : readHttpAddress(given.http, protection),
    endpoints,
    tls,
    // memcached shares it among its threads, each of which serves many connections.
    replyMemory: extended.replyMemory === 0 ? Infinity : Math.floor(extended.replyMemory / threads),
    idleTimeout: extended.idleTimeout === undefined
      ? given.idleTimeout
      : extended.idleTimeout * 1000,
  };
}

/** Where items are kept: `-e FILE` is the disk store in a directory FILE. */
function storeOf(
  { store, dataDir, memoryFile }: Given,
): Pick<Configuration, "store" | "dataDir"> {
  if (memoryFile === undefined) return { store: store ?? "disk", dataDir: dataDir ?? "./data" };
  if (dataDir !== undefined || (store ?? "disk") !== "disk") {
    throw usage(
      "-e/--memory-file FILE stands for --store disk --data-dir FILE, and goes with no other store " +
        "or directory",
    );
  }
  for (const path of [`${memoryFile}.meta`, memoryFile]) {
    if (isFile(path)) {
      throw usage(
        `-e/--memory-file: '${path}' is a file, such as memcached's own, which kvs cannot read: ` +
          "kvs keeps a directory there",
      );
    }
  }
  return { store: "disk", dataDir: memoryFile };
}

/** memcached's rule, for the stores that keep values in the memory of `-m`. */
function checkItemSize({ maxItemSize, memoryLimit }: Given, store: string): void {
  if (store !== "memory" && store !== "disk" || maxItemSize <= memoryLimit / 2) return;
  throw usage(
    `-I/--max-item-size ${sizeText(maxItemSize)} is more than half of the ` +
      `${sizeText(memoryLimit)} of -m/--memory-limit`,
  );
}

/** The file of users that `-Y` names, or the environment for `-S` alone, as memcached has it. */
function authFileOf({ authFile, users, enableSasl }: Given): string | undefined {
  if (authFile !== undefined && users !== undefined) {
    throw usage("-Y/--auth-file and --users both say who may log in: give one of them");
  }
  if (authFile !== undefined || users !== undefined || !enableSasl) return authFile;
  const path = Deno.env.get(SASL_FILE);
  if (path) return path;
  throw usage(
    "-S/--enable-sasl needs users: name a file of them with -Y/--auth-file, --users or the " +
      `environment's ${SASL_FILE}`,
  );
}

/** memcached's rule: a log-in in one protocol leaves no other one open. */
function protocolOf({ protocol, enableSasl, authFile, users }: Given): Protocol {
  const hasUsers = authFile !== undefined || users !== undefined;
  if (enableSasl) {
    if (!hasUsers && (protocol ?? "binary") !== "binary") {
      throw usage(
        `-S/--enable-sasl alone logs in by the binary protocol, which -B ${protocol} is not; with ` +
          "-Y/--auth-file or --users by all",
      );
    }
    return protocol ?? (hasUsers ? "auto" : "binary");
  }
  if (hasUsers && (protocol ?? "ascii") !== "ascii") {
    throw usage(
      `-Y/--auth-file and --users log in by the text protocol, which -B ${protocol} is not; with ` +
        "-S/--enable-sasl by the binary one too",
    );
  }
  return protocol ?? (hasUsers ? "ascii" : "auto");
}

/** The path of the Unix socket: that of `-s`, which takes the place of TCP, or one of `-l` beside it. */
function unixSocketOf({ unixSocket, listen }: Given): string | undefined {
  const paths = listen.filter(isUnix).map((part) => part.slice(UNIX.length));
  if (unixSocket !== undefined) paths.push(unixSocket);
  if (paths.length > 1) {
    throw usage(
      `-s/--unix-socket and -l/--listen name ${paths.length} Unix sockets: one is the most`,
    );
  }
  if (paths[0] === "") throw usage(`-l/--listen: no path behind '${UNIX}'`);
  return paths[0];
}

function isUnix(part: string): boolean {
  return part.startsWith(UNIX);
}

function endpointsOf(given: Given, protocol: Protocol): Endpoint[] {
  const { port, listen, authFile, users, enableSasl, unixSocket } = given;
  const tcp = listen.filter((part) => !isUnix(part));
  const endpoints = readEndpoints(tcp, { port, protocol, tls: given.enableSsl });
  // memcached's rule: with -s there is no TCP, whatever -l says.
  if (unixSocket !== undefined) return [];
  // memcached's rule: without a TCP port no address of -l is listened on, also one with a port of its own.
  if (port === 0) return [];
  if (authFile === undefined && users === undefined && !enableSasl || protocol === "auto") {
    return endpoints;
  }
  // Every listener must be one where its connections can log in: no gate stands open beside the other.
  return endpoints.map((endpoint) => {
    if (endpoint.protocol === protocol) return endpoint;
    if (endpoint.protocol === "auto") return { ...endpoint, protocol };
    throw usage(
      `-l/--listen: connections log in by the ${protocol} protocol, so that no listener may be ` +
        `proto[${endpoint.protocol}]`,
    );
  });
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function usage(message: string): ExitError {
  return new ExitError(message, Exit.usage);
}
