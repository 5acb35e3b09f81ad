/**
 * `watch`: a server's log as it is written, over a connection of its own.
 *
 * @module
 */

import { binaryString, bytesOf } from "../bytes.ts";
import { messageOf } from "../errors.ts";
import { clientDialects } from "../protocol/client_dialects.ts";
import type { Transport } from "../net/transport.ts";
import { type Address, addressText } from "./address.ts";
import type { ConnectionOptions } from "./connection.ts";
import { dial } from "./dial.ts";
import { errorOf, UnreachableError, UnreadableError } from "./errors.ts";
import { logIn } from "./login.ts";

/** No line of a log is longer, in bytes: a key has 250, each of three letters here. */
const LONGEST_LINE = 16 * 1024;

/**
 * The lines of a server's streams (`fetchers`, `mutations`, `evictions`, …), each as a
 * {@linkcode binaryString}, until the consumer leaves or `signal` aborts.
 *
 * @throws {RequestError} where the server has no such stream or allows none,
 * {@linkcode UnreachableError} when it ends the connection, the signal's reason when that aborts.
 */
export async function* watchServer(
  address: Address,
  { signal, credentials, tls }: ConnectionOptions,
  streams: readonly string[],
): AsyncGenerator<string, void, void> {
  const server = addressText(address);
  let socket: Transport | undefined;
  const close = () => {
    try {
      socket?.close();
    } catch {
      // It is closed already.
    }
  };
  signal?.addEventListener("abort", close);
  try {
    signal?.throwIfAborted();
    socket = await dial(address, tls);
    const dialect = clientDialects.text;
    if (credentials !== undefined) {
      await logIn(socket, dialect, dialect.newReader(), credentials);
    }
    const request = bytesOf(`${["watch", ...streams].join(" ")}\r\n`);
    for (let at = 0; at < request.length;) at += await socket.write(request.subarray(at));
    let rest = "";
    let accepted = false;
    const memory = new Uint8Array(16 * 1024);
    for (let count; (count = await socket.read(memory)) !== null;) {
      const lines = (rest + binaryString(memory.subarray(0, count))).split("\n");
      rest = lines.pop()!;
      if (rest.length > LONGEST_LINE) throw new UnreadableError(`${server} sent no line of a log`);
      for (const text of lines) {
        const line = text.endsWith("\r") ? text.slice(0, -1) : text;
        if (accepted) yield line;
        else if (line === "OK") accepted = true;
        else throw errorOf(line);
      }
    }
    throw new UnreachableError(`${server} closed the connection`);
  } catch (error) {
    signal?.throwIfAborted();
    const isSocketError = error instanceof Deno.errors.ConnectionRefused ||
      error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.InvalidData;
    if (!isSocketError) throw error;
    throw new UnreachableError(`cannot reach ${server}: ${messageOf(error)}`, { cause: error });
  } finally {
    signal?.removeEventListener("abort", close);
    close();
  }
}
