/**
 * TLS connections to a server.
 *
 * @module
 */

import type { Transport } from "../transport.ts";

/** How a client speaks TLS. All texts are PEM. */
export interface ClientTls {
  /** Authorities that are trusted beside those of the machine. */
  readonly ca?: string | undefined;
  /** The certificate that is shown, with those between it and its authority, and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must have, where that is not the host that is connected to. */
  readonly serverName?: string | undefined;
}

/** Connects, and makes the handshake. */
export async function connectTls(
  hostname: string,
  port: number,
  { ca, cert, key, serverName }: ClientTls,
): Promise<Transport> {
  const caCerts = ca === undefined ? [] : [ca];
  const shows = cert !== undefined && key !== undefined;
  // Deno's own TLS shows no certificate where the name is not the host. Node has none of it.
  if (shows && serverName !== undefined || Deno.startTls === undefined) {
    return await connectByNode({ hostname, port, ca, cert, key, serverName });
  }
  if (shows) {
    const options = { hostname, port, caCerts, cert, key };
    return await shaken(await Deno.connectTls(options));
  }
  const conn = await Deno.connect({ hostname, port });
  conn.setNoDelay();
  return await shaken(await Deno.startTls(conn, { hostname: serverName ?? hostname, caCerts }));
}

async function shaken(conn: Deno.TlsConn): Promise<Transport> {
  try {
    await conn.handshake();
  } catch (error) {
    conn.close();
    throw error;
  }
  return conn;
}

/** By `node:tls`. */
async function connectByNode(
  { hostname, port, ca, cert, key, serverName }: ClientTls & { hostname: string; port: number },
): Promise<Transport> {
  const [{ connect, rootCertificates }, { NodeTransport }] = await Promise.all([
    import("node:tls"),
    import("./node_transport.ts"),
  ]);
  const socket = connect({
    host: hostname,
    port,
    ...serverName === undefined ? {} : { servername: serverName },
    ...cert === undefined || key === undefined ? {} : { cert, key },
    ...ca === undefined ? {} : { ca: [ca, ...rootCertificates] },
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  const addr = { transport: "tcp", hostname, port } as const;
  return new NodeTransport(socket, addr, addr);
}
