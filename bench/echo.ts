/**
 * The least that a server can do: counts the bytes that come and answers every full request with
 * the same bytes. What the generator gets out of it is what the generator can do.
 *
 *     deno run -A bench/echo.ts PORT '{"keys": 10000, "valueSize": 100}'
 *
 * @module
 */

import { framesOf, type Operation } from "./frames.ts";
import { accept, close, listen, Poll, receive, send } from "./sockets.ts";

/** Replies that are sent in one write at most; a longer pipeline takes several. */
const MOST = 128;

const [port, sizes] = [Number(Deno.args[0]), JSON.parse(Deno.args[1]!)];
const answers = new Map(
  (["get", "set"] satisfies Operation[]).map((operation) => {
    const { requestLength, reply } = framesOf({ ...sizes, operation, pipeline: 1 });
    const replies = new Uint8Array(reply.length * MOST);
    for (let i = 0; i < MOST; i++) replies.set(reply, i * reply.length);
    return [operation.charCodeAt(0), { requestLength, replyLength: reply.length, replies }];
  }),
);

const memory = new Uint8Array(256 * 1024);
const poll = new Poll([listen(port)]);
/** Bytes of a request that has not come to its end, by connection. */
const begun = new Map<number, number>();
/** How a connection is answered, by the first byte that it sent. */
const answerOf = new Map<number, NonNullable<ReturnType<typeof answers.get>>>();

while (true) {
  poll.wait(-1);
  const closed: number[] = [];
  for (let index = 1; index < poll.sockets.length; index++) {
    if (poll.ready(index) && !answer(poll.sockets[index]!)) closed.push(poll.sockets[index]!);
  }
  const opened = poll.ready(0) ? [accept(poll.sockets[0]!)] : [];
  if (closed.length === 0 && opened.length === 0) continue;
  for (const socket of closed) {
    poll.sockets.splice(poll.sockets.indexOf(socket), 1);
    close(socket);
    begun.delete(socket);
    answerOf.delete(socket);
  }
  poll.sockets.push(...opened);
  poll.update();
}

function answer(socket: number): boolean {
  const count = receive(socket, memory);
  if (count === 0) return false;
  let how = answerOf.get(socket);
  if (how === undefined) answerOf.set(socket, how = answers.get(memory[0]!)!);
  const { requestLength, replyLength, replies } = how;
  const bytes = (begun.get(socket) ?? 0) + count;
  let requests = Math.floor(bytes / requestLength);
  begun.set(socket, bytes - requests * requestLength);
  for (; requests > 0; requests -= MOST) {
    send(socket, replies.subarray(0, replyLength * Math.min(requests, MOST)));
  }
  return true;
}
