/**
 * From an address to a connection.
 *
 * @module
 */

import { type ClientTls, connectTls } from "../net/tls/client.ts";
import type { Transport } from "../net/transport.ts";
import type { Address } from "./address.ts";

/** Connects over TCP, TLS or a Unix socket. Rejects with the error of the network. */
export async function dial(
  { host, port }: Address,
  tls: ClientTls | undefined,
): Promise<Transport> {
  if (port === 0) return await Deno.connect({ transport: "unix", path: host });
  if (tls !== undefined) return await connectTls(host, port, tls);
  const conn = await Deno.connect({ hostname: host, port });
  conn.setNoDelay();
  return conn;
}
