/**
 * Endpoints to listeners.
 *
 * @module
 */

import { Exit, ExitError, messageOf } from "../errors.ts";
import type { PeerPolicy, Tls } from "../net/tls/mod.ts";
import type { Acceptor } from "../net/transport.ts";
import type { Endpoint, Protocol } from "./endpoint.ts";
import { peerPolicy, type TlsChoice } from "./tls_options.ts";

/** Where a server listens. */
export interface Addresses {
  /** TCP endpoints; none where `-s` takes their place or TCP is off. */
  readonly endpoints: readonly Endpoint[];
  /** How many connections may wait to be accepted; the system may allow fewer. */
  readonly backlog: number;
  readonly socket?: UnixSocket;
  /** Whether others of this process listen on the same addresses. */
  readonly reusePort?: boolean;
  /** TLS for the endpoints that have it. */
  readonly tls?: Encryption | undefined;
}

/** How a server encrypts, and what it was told of that. */
export interface Encryption {
  readonly by: Tls;
  readonly choice: TlsChoice;
}

/** A Unix socket to listen on. */
export interface UnixSocket {
  readonly path: string;
  /** Its permission bits. */
  readonly mode: number;
  readonly protocol: Protocol;
}

/** A listener and what is known of it. */
export interface Listening extends Omit<Place, "addr"> {
  readonly listener: Acceptor;
}

/** What is listened on, for whoever has no part in it. */
export interface Place {
  readonly addr: Deno.Addr;
  /** `127.0.0.1:11211` or the path. */
  readonly address: string;
  /** The dialects of the connections that come by it. */
  readonly protocol: Protocol;
  /** What is asked of clients' certificates; `undefined` without TLS. */
  readonly policy: PeerPolicy | undefined;
}

/** The places of listeners. */
export function placesOf(listening: readonly Listening[]): Place[] {
  return listening.map(({ listener: { addr }, address, protocol, policy }) => ({
    addr,
    address,
    protocol,
    policy,
  }));
}

/**
 * Opens all listeners.
 *
 * @throws {ExitError} 71, in one line, where an address cannot be listened on; none is open then.
 */
export async function listen(addresses: Addresses): Promise<Listening[]> {
  const { socket, endpoints } = addresses;
  const open: Listening[] = [];
  try {
    // A socket for all of IPv6 goes before one for all of IPv4, which it may stand for.
    const ordered = endpoints.toSorted((a, b) => Number(b.host === "::") - Number(a.host === "::"));
    for (const endpoint of ordered) open.push(...await listenTcp(endpoint, addresses, open));
    if (socket !== undefined) open.push(await listenUnix(socket));
  } catch (error) {
    for (const { listener } of open) listener.close();
    throw error;
  }
  return open;
}

/** How long an address that does not answer is asked, in milliseconds. */
const PATIENCE = 1000;

/**
 * Looks whether somebody listens on a port already. Another process of this user may have been told to share it as
 * well, and then its connections would be shared with it without an error.
 *
 * To listen for a moment without sharing would tell too, but clients that connect in that moment are reset.
 *
 * @throws {ExitError} 71, in one line, where somebody does
 */
export async function checkUnused(endpoints: readonly Endpoint[]): Promise<void> {
  for (const { host, port, tls } of endpoints) {
    if (port === 0 || tls !== "off") continue;
    for (const hostname of await addressesOf(host)) {
      if (await answers(ANY.get(hostname) ?? hostname, port)) {
        throw cannotListen(textOf({ hostname: host ?? "*", port }), new Deno.errors.AddrInUse());
      }
    }
  }
}

/** Where the machine itself reaches who listens on every address. */
const ANY = new Map([["::", "::1"], ["0.0.0.0", "127.0.0.1"]]);

async function answers(hostname: string, port: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), PATIENCE);
  });
  const connecting = Deno.connect({ hostname, port });
  try {
    const conn = await Promise.race([connecting, late]);
    if (conn === undefined) return false;
    const { localAddr, remoteAddr } = conn;
    // A connection of a free port to itself: the system may have chosen it for this end as well.
    return localAddr.port !== remoteAddr.port;
  } catch {
    // Nobody is there, or this process may not ask.
    return false;
  } finally {
    clearTimeout(timer);
    connecting.then((conn) => conn.close(), () => {});
  }
}

/**
 * Listens on addresses where another thread of this process listens with `reusePort`.
 *
 * @throws {ExitError} 71, in one line, where one cannot be listened on; none is open then.
 */
export function listenOn(
  places: ReadonlyArray<{ readonly addr: Deno.Addr; readonly protocol: Protocol }>,
  backlog: number,
): Listening[] {
  const open: Listening[] = [];
  try {
    for (const { addr, protocol } of places) {
      if (addr.transport !== "tcp") continue;
      const { hostname, port } = addr;
      const listener = Deno.listen({ hostname, port, tcpBacklog: backlog, reusePort: true });
      open.push({ listener, address: textOf(addr), protocol, policy: undefined });
    }
  } catch (error) {
    for (const { listener } of open) listener.close();
    throw cannotListen("the address of another thread", error);
  }
  return open;
}

/**
 * Writes which ports are listened on, as memcached does for who started it with `-p -1`: a line `TCP INET:
 * 11211` or `TCP INET6: 11211` a listener. The file appears whole or not at all.
 */
export function writePortFile(path: string, addresses: readonly Deno.Addr[]): void {
  const lines = addresses.map((addr) => {
    if (addr.transport !== "tcp") return "";
    return `TCP ${addr.hostname.includes(":") ? "INET6" : "INET"}: ${addr.port}\n`;
  });
  Deno.writeTextFileSync(`${path}.lck`, lines.join(""));
  Deno.renameSync(`${path}.lck`, path);
}

/**
 * Listens on every address that an endpoint stands for, all with one port. As in memcached one of them is
 * enough: a machine may know a name by addresses that it does not have.
 *
 * @param open what is listened on already. A socket for all of IPv6 takes IPv4 as well where the system
 * does so by itself, and then no second one can be bound for the same port.
 */
async function listenTcp(
  endpoint: Endpoint,
  { backlog, tls, reusePort = false }: Addresses,
  open: readonly Listening[],
): Promise<Listening[]> {
  const { host, port, protocol } = endpoint;
  const policy = endpoint.tls === "off" ? undefined : peerPolicy(endpoint.tls, tls!.choice);
  const listening: Listening[] = [];
  let problem: unknown;
  let bound = port;
  for (const hostname of await addressesOf(host)) {
    try {
      const listener = policy === undefined
        ? Deno.listen({ hostname, port: bound, tcpBacklog: backlog, reusePort })
        : await tls!.by.listen({ hostname, port: bound, backlog }, policy);
      bound = listener.addr.port;
      listening.push({ listener, address: textOf(listener.addr), protocol, policy });
    } catch (error) {
      if (isCovered({ hostname, port: bound, protocol, policy }, [...open, ...listening])) {
        return listening;
      }
      problem ??= error;
    }
  }
  if (listening.length === 0) throw cannotListen(textOf({ hostname: host ?? "*", port }), problem);
  return listening;
}

/** Whether an IPv4 address is listened on by a socket for all of IPv6. */
function isCovered(
  { hostname, port, protocol, policy }:
    & Pick<Listening, "protocol" | "policy">
    & Deno.TcpListenOptions,
  open: readonly Listening[],
): boolean {
  return !hostname?.includes(":") && open.some((other) => {
    const addr = other.listener.addr as Deno.NetAddr;
    return addr.hostname === "::" && addr.port === port && other.protocol === protocol &&
      other.policy === policy;
  });
}

/** The addresses of a host; where it is every address of the machine, those of IPv6 first. */
async function addressesOf(host: string | undefined): Promise<readonly string[]> {
  if (host === undefined) return ["::", "0.0.0.0"];
  if (/^[\d.]+$/.test(host) || host.includes(":")) return [host];
  const { lookup } = await import("node:dns/promises");
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    throw new ExitError(`cannot listen on ${host}: no address is known by that name`, Exit.os);
  }
}

function textOf({ hostname, port }: { hostname: string; port: number }): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

async function listenUnix({ path, mode, protocol }: UnixSocket): Promise<Listening> {
  try {
    await removeStale(path);
    const listener = narrowly(mode, () => Deno.listen({ transport: "unix", path }));
    Deno.chmodSync(path, mode);
    return { listener, address: path, protocol, policy: undefined };
  } catch (error) {
    throw cannotListen(path, error);
  }
}

/** Does something that makes a file, which has no more than those permission bits from the beginning. */
function narrowly<T>(mode: number, make: () => T): T {
  const before = Deno.umask(~mode & 0o777);
  try {
    return make();
  } finally {
    Deno.umask(before);
  }
}

function cannotListen(where: string, error: unknown): ExitError {
  return new ExitError(`cannot listen on ${where}: ${reason(error)}`, Exit.os);
}

/**
 * A socket stays behind when its server was killed. One that somebody answers at is in use, and
 * anything else at that path is not ours.
 */
async function removeStale(path: string): Promise<void> {
  try {
    if (!Deno.lstatSync(path).isSocket) return;
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) Deno.removeSync(path);
    else if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "the address is in use";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  return messageOf(error);
}
