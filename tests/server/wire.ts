/** Bytes over a network connection, as text of one character a byte. */

import { binaryString, bytesOfBinaryString } from "../../lib/bytes.ts";

/** Sends all of a text. */
export async function send(conn: Deno.Conn, text: string): Promise<void> {
  let bytes = bytesOfBinaryString(text);
  while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
}

/** Returns what comes until the other side ends the connection, also where it resets it. */
export async function receiveAll(conn: Deno.Conn): Promise<string> {
  const into = new Uint8Array(64 * 1024);
  let text = "";
  try {
    for (let count; (count = await conn.read(into)) !== null;) {
      text += binaryString(into.subarray(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return text;
}

/** Returns what comes until it ends with `end`, or the connection does. */
export async function receiveUntil(conn: Deno.Conn, end: string): Promise<string> {
  const into = new Uint8Array(64 * 1024);
  let text = "";
  while (!text.endsWith(end)) {
    const count = await conn.read(into);
    if (count === null) break;
    text += binaryString(into.subarray(0, count));
  }
  return text;
}

/**
 * Sends a text on a connection of its own, says that it was all, and returns what comes back.
 *
 * @param address a port of this machine, or a Unix socket.
 */
export async function exchangeWith(
  address: number | Deno.UnixConnectOptions,
  text: string,
): Promise<string> {
  using conn = await connect(address);
  const received = receiveAll(conn);
  try {
    await send(conn, text);
    await conn.closeWrite();
  } catch (error) {
    // A server may hang up on what it is being sent.
    if (!isHangUp(error)) throw error;
  }
  return await received;
}

function connect(
  address: number | Deno.UnixConnectOptions,
): Promise<Deno.TcpConn | Deno.UnixConn> {
  return typeof address === "number"
    ? Deno.connect({ hostname: "127.0.0.1", port: address })
    : Deno.connect(address);
}

function isHangUp(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.NotConnected;
}
