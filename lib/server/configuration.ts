/**
 * What the options mean together: defaults that depend on each other, and combinations that are refused.
 *
 * @module
 */

import { sizeText } from "../cli/option.ts";
import type { Values } from "../cli/parse.ts";
import { Exit, ExitError } from "../errors.ts";
import { type Endpoint, type Protocol, readEndpoints } from "./endpoint.ts";
import { type Extended, readExtended } from "./extended.ts";
import { type HttpAddress, readHttpAddress } from "./http/address.ts";
import type { serverOptions } from "./options.ts";
import { peerPolicy, type TlsChoice, tlsChoice } from "./tls_options.ts";

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

/** Threads where `-t` says nothing: several are as new as they are fast. */
const THREADS = 1;
/** What memcached runs with where `-t` says nothing. */
const MEMCACHED_THREADS = 4;

/**
 * Makes a configuration of the options.
 *
 * @throws {ExitError} 64, in one line, where they do not go together.
 */
export function configure(given: Given): Configuration {
  const extended = readExtended(given.extended);
  const { napiIds = 0, threads = MEMCACHED_THREADS } = given;
  if (napiIds > threads) {
    throw usage(`-N/--napi-ids ${napiIds} is more than the ${threads} of -t/--threads`);
  }
  const store = storeOf(given);
  checkItemSize(given, store.store);
  const protocol = protocolOf(given);
  const tls = tlsChoice(given, extended);
  const endpoints = endpointsOf(given, protocol);
  if (tls !== undefined) {
    for (const endpoint of endpoints) if (endpoint.tls !== "off") peerPolicy(endpoint.tls, tls);
  }
  return {
    ...given,
    ...store,
    protocol,
    threads: given.threads ?? THREADS,
    extended,
    http: given.http === undefined ? undefined : readHttpAddress(given.http),
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

/** memcached's rule: a log-in in one protocol leaves no other one open. */
function protocolOf({ protocol, sasl, authFile }: Given): Protocol {
  if (sasl) {
    if (authFile === undefined) {
      throw usage("-S/--enable-sasl needs users: name a file of them with -Y/--auth-file");
    }
    if ((protocol ?? "binary") !== "binary") {
      throw usage(
        `-S/--enable-sasl logs in by the binary protocol alone, which -B ${protocol} is not`,
      );
    }
    return "binary";
  }
  if (authFile !== undefined && (protocol ?? "ascii") !== "ascii") {
    throw usage(
      `-Y/--auth-file logs in by the text protocol alone, which -B ${protocol} is not; with -S by ` +
        "the binary one",
    );
  }
  return protocol ?? (authFile === undefined ? "auto" : "ascii");
}

function endpointsOf(given: Given, protocol: Protocol): Endpoint[] {
  const { port, listen, authFile } = given;
  const endpoints = readEndpoints(listen, { port, protocol, tls: given.ssl });
  // memcached's rule: without a TCP port no address of -l is listened on, also one with a port of its own.
  if (port === 0) return [];
  if (authFile === undefined) return endpoints;
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
