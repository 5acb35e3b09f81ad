/**
 * The least that a server can do: tells requests apart by their first byte, counts their bytes and
 * answers with the same ones each time. What a generator gets out of it is what the generator can do.
 *
 *     deno run -A bench/echo.ts PORT '{"get k\r\n": "END\r\n", …}'
 *
 * All requests that begin alike must be as long as the one that stands for them.
 *
 * @module
 */

import { ByteBuffer, bytesOf } from "../lib/bytes.ts";
import { accept, close, listen, Poll, receive, send } from "./sockets.ts";

/** A request that stands for all of its kind, to its answer. */
export type Answers = Readonly<Record<string, string>>;

interface Kind {
  readonly length: number;
  readonly reply: Uint8Array;
}

/** Where a connection is in its stream of requests. */
interface State {
  kind: Kind;
  /** Bytes of the request that have not come. */
  missing: number;
}

const kinds = new Map(
  Object.entries<string>(JSON.parse(Deno.args[1]!) satisfies Answers).map(([request, reply]) => [
    request.charCodeAt(0),
    { length: request.length, reply: bytesOf(reply) } satisfies Kind,
  ]),
);
const memory = new Uint8Array(256 * 1024);
const out = new ByteBuffer(256 * 1024);
const poll = new Poll([listen(Number(Deno.args[0]))]);
const states = new Map<number, State>();

while (true) {
  poll.wait(-1);
  const closed = poll.sockets.filter((socket, index) =>
    index > 0 && poll.ready(index) && !answer(socket)
  );
  const opened = poll.ready(0) ? [accept(poll.sockets[0]!)] : [];
  if (closed.length === 0 && opened.length === 0) continue;
  for (const socket of closed) {
    poll.sockets.splice(poll.sockets.indexOf(socket), 1);
    states.delete(socket);
    close(socket);
  }
  poll.sockets.push(...opened);
  poll.update();
}

/** Answers what has come; false when the client has left. */
function answer(socket: number): boolean {
  const count = receive(socket, memory);
  if (count === 0) return false;
  const state = states.getOrInsertComputed(
    socket,
    () => ({ kind: kinds.values().next().value!, missing: 0 }),
  );
  out.clear();
  for (let at = 0; at < count;) {
    if (state.missing === 0) {
      state.kind = kinds.get(memory[at]!)!;
      state.missing = state.kind.length;
    }
    const taken = Math.min(state.missing, count - at);
    at += taken;
    state.missing -= taken;
    if (state.missing === 0) out.append(state.kind.reply);
  }
  if (out.length > 0) send(socket, out.view());
  return true;
}
