/**
 * Addresses to listeners.
 *
 * @module
 */

import { Exit, ExitError, messageOf } from "../errors.ts";

/** Where a server listens. */
export interface Addresses {
  /** TCP port; 0 for none, -1 for any free one. */
  readonly port: number;
  /** Host names or addresses, each perhaps with a port of its own. */
  readonly hosts: readonly string[];
  /** How many connections may wait to be accepted; the system may allow fewer. */
  readonly backlog: number;
  /** Path of a Unix socket, which takes the place of TCP. */
  readonly socketPath?: string;
  /** Permission bits of the Unix socket. */
  readonly socketMode: number;
}

/** A listener and its address in words. */
export interface Listening {
  readonly listener: Deno.Listener;
  /** `127.0.0.1:11211` or the path. */
  readonly address: string;
}

/**
 * Opens all listeners.
 *
 * @throws {ExitError} 71, in one line, where an address cannot be listened on, and 64 where there is
 *   none; none is open then.
 */
export async function listen(addresses: Addresses): Promise<Listening[]> {
  const { socketPath, socketMode, port, hosts, backlog } = addresses;
  if (socketPath !== undefined) return [await listenUnix(socketPath, socketMode)];
  if (port === 0) {
    throw new ExitError(
      "--port 0 leaves nothing to listen on but a --unix-socket; -1 takes any free port",
      Exit.usage,
    );
  }
  const open: Listening[] = [];
  try {
    for (const host of hosts) open.push(listenTcp(host, port, backlog));
  } catch (error) {
    for (const { listener } of open) listener.close();
    throw error;
  }
  return open;
}

function listenTcp(host: string, port: number, backlog: number): Listening {
  const own = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(host);
  const hostname = (own?.[1] ?? host).replace(/^\[(.*)\]$/, "$1");
  const wanted = Number(own?.[2] ?? Math.max(port, 0));
  try {
    const listener = Deno.listen({ hostname, port: wanted, tcpBacklog: backlog });
    const bound = listener.addr as Deno.NetAddr;
    const shown = bound.hostname.includes(":") ? `[${bound.hostname}]` : bound.hostname;
    return { listener, address: `${shown}:${bound.port}` };
  } catch (error) {
    throw new ExitError(`cannot listen on ${hostname}:${wanted}: ${reason(error)}`, Exit.os);
  }
}

async function listenUnix(path: string, mode: number): Promise<Listening> {
  try {
    await removeStale(path);
    const listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, mode);
    return { listener, address: path };
  } catch (error) {
    throw new ExitError(`cannot listen on ${path}: ${reason(error)}`, Exit.os);
  }
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
