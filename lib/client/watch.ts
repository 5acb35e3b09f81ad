/**
 * `watch`: a server's log as it is written, over a connection of its own.
 *
 * @module
 */

import { binaryString, bytesOf } from "../bytes.ts";
import { messageOf } from "../errors.ts";
import { clientDialects } from "../protocol/client_dialects.ts";
import { isErrorLine } from "../protocol/text/reply_lines.ts";
import { type Address, addressText } from "./address.ts";
import { type ConnectionOptions, LONGEST_TIMER } from "./connection.ts";
import { dial } from "./dial.ts";
import {
  errorOf,
  RequestError,
  ServerError,
  TimeoutError,
  UnreachableError,
  UnreadableError,
} from "./errors.ts";
import { logIn } from "./login.ts";

/** No line of a log is longer, in bytes: a key has 250, each of three letters here. */
const LONGEST_LINE = 16 * 1024;
/** Of a line that is none, so many letters are shown. */
const SHOWN = 80;

/** What memcached answers who cannot watch, beside errors. */
const REFUSALS = /^WATCHER_/;

/**
 * The lines of a server's streams (`fetchers`, `mutations`, `evictions`, …), each as a
 * {@linkcode binaryString}, until the consumer leaves or `signal` aborts.
 *
 * @throws {RequestError} where the server has no such stream or allows none,
 * {@linkcode TimeoutError} where it does not begin in time, {@linkcode UnreachableError} when it ends the
 * connection, the signal's reason when that aborts.
 */
export async function* watchServer(
  address: Address,
  { signal, credentials, tls, timeout = 5000 }: ConnectionOptions,
  streams: readonly string[],
): AsyncGenerator<string, void, void> {
  const server = addressText(address);
  const dialing = dial(address, tls);
  // Nothing ends a dial that goes on, so who waits for it must be let go.
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {});
  let reason: unknown;
  const stop = (why: unknown) => {
    reason ??= why;
    stopped.reject(reason);
    dialing.then((socket) => socket.close()).catch(() => {
      // It has not connected, or is closed already.
    });
  };
  const abort = () => stop(signal!.reason);
  const late = setTimeout(
    () => stop(new TimeoutError(`no reply from ${server} within ${timeout} ms`)),
    Math.min(LONGEST_TIMER, timeout),
  );
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort);
  try {
    const socket = await Promise.race([dialing, stopped.promise]);
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
        else accepted = isAccepted(line, server);
      }
      if (accepted) clearTimeout(late);
    }
    throw new UnreachableError(`${server} closed the connection`);
  } catch (error) {
    if (reason !== undefined) throw reason;
    const isTold = error instanceof UnreachableError || error instanceof RequestError ||
      error instanceof ServerError;
    if (isTold) throw error;
    throw new UnreachableError(`cannot reach ${server}: ${messageOf(error)}`, { cause: error });
  } finally {
    clearTimeout(late);
    signal?.removeEventListener("abort", abort);
    stop(undefined);
  }
}

/** Whether a line says that the streams begin, as it must. */
function isAccepted(line: string, server: string): true {
  if (line === "OK") return true;
  if (isErrorLine(line) || REFUSALS.test(line)) throw errorOf(line);
  const shown = JSON.stringify(line.slice(0, SHOWN));
  throw new UnreadableError(`${server} does not speak memcached: the line ${shown}`);
}
