/**
 * Where a server is.
 *
 * @module
 */

/** One server, and its share of the keys among several. */
export interface Address {
  /** A host name or IP address, or the path of a Unix socket. */
  readonly host: string;
  /** The TCP port; 0 for a Unix socket. */
  readonly port: number;
  /** Its share relative to the other servers' (1). */
  readonly weight: number;
}

/** memcached's port. */
export const DEFAULT_PORT = 11211;

const ADDRESS = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5})(?::(\d{1,9}))?)?$/;

/**
 * Reads an address: `host`, `host:port`, `host:port:weight`, `[::1]:11211`, `unix:/path` or `/path`.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(parseAddress("cache1:11212:2"), { host: "cache1", port: 11212, weight: 2 });
 * assertEquals(parseAddress("unix:/run/kvs.sock"), { host: "/run/kvs.sock", port: 0, weight: 1 });
 * ```
 *
 * @throws {RangeError} if it is none of these.
 */
export function parseAddress(text: string): Address {
  const path = text.startsWith("unix:") ? text.slice(5) : text;
  if (path.startsWith("/")) return { host: path, port: 0, weight: 1 };
  const match = ADDRESS.exec(text);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  const weight = Number(match?.[4] ?? 1);
  if (match === null || port < 1 || port > 65535 || weight < 1) {
    throw new RangeError(
      `a server is host:port, host:port:weight or unix:/path, received '${text}'`,
    );
  }
  return { host: (match[1] ?? match[2])!, port, weight };
}

/** An address as {@linkcode parseAddress} reads it, without the weight. */
export function addressText({ host, port }: Address): string {
  if (port === 0) return `unix:${host}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
