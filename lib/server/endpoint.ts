/**
 * Where to listen, as `-l` says it: `10.0.0.1`, `[::1]:11212`, `proto[ascii]:tag[tools]:*`.
 *
 * @module
 */

import { Exit, ExitError } from "../errors.ts";

/** The dialects that a listener takes: text and meta, binary, or either by a connection's first byte. */
export type Protocol = "ascii" | "binary" | "auto";

/**
 * Whether the connections of a listener are encrypted, and what certificate their clients must show: as
 * `-o ssl_verify_mode` says (`default`), none, or one that must be good.
 */
export type EndpointTls = "off" | "default" | "server" | "mutual";

/** The names of memcached's `-B`. */
export const protocolNames = ["auto", "ascii", "binary"] as const;

/** One address to listen on. */
export interface Endpoint {
  /** A host name or address; `undefined` for every address of the machine. */
  readonly host: string | undefined;
  /** TCP port; 0 for any free one. */
  readonly port: number;
  /** The dialects of the connections that come by it. */
  readonly protocol: Protocol;
  readonly tls: EndpointTls;
}

/** What holds for an endpoint that says nothing else. */
export interface EndpointDefaults {
  /** TCP port; -1 for any free one. */
  readonly port: number;
  readonly protocol: Protocol;
  /** Whether there is TLS (memcached's `-Z`). */
  readonly tls: boolean;
}

/** memcached's words before an address, with TLS. */
const TLS_WORDS = new Map<string, EndpointTls>([
  ["notls", "off"],
  ["btls", "server"],
  ["mtls", "mutual"],
]);

const PROTOCOLS = new Map<string, Protocol>([
  ["ascii", "ascii"],
  ["binary", "binary"],
  ["negotiating", "auto"],
  ["negotiate", "auto"],
  ["auto", "auto"],
]);

/**
 * Reads the parts of `-l`, which stand between commas or semicolons.
 *
 * @throws {ExitError} 64, in one line, for a part that is none.
 */
export function readEndpoints(parts: readonly string[], defaults: EndpointDefaults): Endpoint[] {
  return [...new Set(parts.flatMap((part) => part.split(";")))]
    .map((part) => readEndpoint(part, defaults));
}

function readEndpoint(part: string, defaults: EndpointDefaults): Endpoint {
  const wrong = (what: string) => new ExitError(`-l/--listen: ${what} in '${part}'`, Exit.usage);
  let rest = part;
  let tls: EndpointTls = defaults.tls ? "default" : "off";
  const word = /^(notls|btls|mtls):/.exec(rest);
  if (word !== null) {
    if (!defaults.tls) throw wrong(`'${word[1]}' is valid only with TLS (-Z)`);
    tls = TLS_WORDS.get(word[1]!)!;
    rest = rest.slice(word[0].length);
  }

  let protocol: Protocol | undefined = defaults.protocol;
  const proto = /^proto\[([^\]]*)\]:/.exec(rest);
  if (proto !== null) {
    protocol = PROTOCOLS.get(proto[1]!);
    rest = rest.slice(proto[0].length);
    if (protocol === undefined) {
      throw wrong(`no protocol '${proto[1]}', but ascii, binary or negotiating,`);
    }
  }
  // memcached's proxy routes by tags; elsewhere they have no effect.
  const tag = /^tag(?:\[([^\]]*)\]|_([^_]*)_):/.exec(rest);
  if (tag !== null) {
    const { length } = tag[1] ?? tag[2]!;
    if (length < 1 || length > 8) throw wrong("a tag has 1 to 8 characters,");
    rest = rest.slice(tag[0].length);
  }

  const [host, digits] = splitPort(rest);
  if (host === "" || /[[\]]/.test(host)) throw wrong("no address");
  const port = digits === undefined ? defaults.port : Number(digits);
  if (digits !== undefined && !/^-?\d+$/.test(digits) || port < -1 || port > 65535) {
    throw wrong(`no port '${digits}'`);
  }
  return { host: host === "*" ? undefined : host, port: Math.max(port, 0), protocol, tls };
}

function splitPort(address: string): [host: string, port: string | undefined] {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(address);
  if (bracketed !== null) return [bracketed[1]!, bracketed[2]];
  const colon = address.indexOf(":");
  // Several colons and no brackets: an IPv6 address without a port.
  if (colon < 0 || colon !== address.lastIndexOf(":")) return [address, undefined];
  return [address.slice(0, colon), address.slice(colon + 1)];
}
