/**
 * How a connection logs in, before it carries any request.
 *
 * @module
 */

import { ByteBuffer } from "../bytes.ts";
import { writeSaslMechanisms, writeSaslPlain } from "../protocol/binary/format_request.ts";
import type {
  ClientDialect,
  Expect,
  Reply,
  ReplyOf,
  ReplyReader,
} from "../protocol/client_dialect.ts";
import { writeLine, writeLogin } from "../protocol/text/format_request.ts";
import type { Transport } from "../net/transport.ts";
import { RequestError, UnreachableError, UnreadableError } from "./errors.ts";

/** Who logs in. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

const READ_BUFFER = 4096;

/** What a server says to whoever has to log in first. */
const WANTS_LOGIN = /\bunauthenticated\b/;

/** What it says to a request that it does not know: one without SASL does not ask who it is. */
const NO_SUCH_COMMAND = "ERROR";

/**
 * Logs in, where the server says that it wants that: elsewhere the password would be stored as an item.
 * Over text and meta by memcached's `set` of an auth token (its `-Y`), over binary by SASL
 * PLAIN (its `-S`), for which the server must offer that.
 *
 * @throws {RequestError} where the server refuses, {@linkcode UnreachableError} or the socket's own
 * error where it does not answer.
 */
export async function logIn(
  socket: Transport,
  dialect: ClientDialect,
  reader: ReplyReader,
  { user, password }: Credentials,
): Promise<void> {
  const ask = async <E extends Expect>(write: (out: ByteBuffer) => E): Promise<ReplyOf<E>> => {
    const reply = await exchange(socket, reader, write);
    if (reply.kind === "error") throw new RequestError(reply.line);
    return reply as ReplyOf<E>;
  };
  if (dialect.name === "binary") {
    const offered = await exchange(socket, reader, (out) => writeSaslMechanisms(out, OPAQUE));
    if (offered.kind === "error") {
      if (offered.line === NO_SUCH_COMMAND) return;
      throw new RequestError(offered.line);
    }
    const { text } = offered as ReplyOf<ReturnType<typeof writeSaslMechanisms>>;
    if (!text.split(" ").includes("PLAIN")) {
      throw new RequestError(`of SASL's mechanisms it has not PLAIN, but ${text || "none"}`);
    }
    await ask((out) => writeSaslPlain(out, OPAQUE, user, password));
  } else {
    const asked = await exchange(socket, reader, (out) => {
      writeLine(out, "version");
      return "line" as const;
    });
    if (asked.kind !== "error" || !WANTS_LOGIN.test(asked.line)) return;
    const { status } = await ask((out) => writeLogin(out, user, password));
    if (status !== "done") throw new RequestError(status);
  }
}

/** Nothing else is under way. */
const OPAQUE = 0;

async function exchange<E extends Expect>(
  socket: Transport,
  reader: ReplyReader,
  write: (out: ByteBuffer) => E,
): Promise<Reply> {
  const out = new ByteBuffer();
  const expect = write(out);
  for (let bytes = out.view(); bytes.length > 0;) {
    bytes = bytes.subarray(await socket.write(bytes));
  }
  const memory = new Uint8Array(READ_BUFFER);
  while (true) {
    const length = await socket.read(memory);
    if (length === null) throw new UnreachableError("it closed the connection");
    reader.push(memory.subarray(0, length));
    const reply = reader.next(expect, OPAQUE);
    if (reply === undefined) continue;
    if (reply.kind === "unreadable") throw new UnreadableError(reply.reason);
    if (reader.pending) throw new UnreadableError("a reply that nobody asked for");
    return reply;
  }
}
