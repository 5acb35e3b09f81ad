/**
 * A node's address, and what to reach it by where Redis does not know how it is reached.
 *
 * @module
 */

/** A node's address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 address. */
export function nameOf({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads a {@linkcode nameOf}; `undefined` where it is none. */
export function addressOf(name: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(name);
  return match === null ? undefined : { host: match[1] ?? match[2], port: Number(match[3]) };
}
