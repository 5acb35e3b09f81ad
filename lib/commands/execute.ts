/**
 * A request to its reply: one row a command.
 *
 * Results stay plain where the store's are. What a store throws becomes the reply of that request
 * alone; nothing is thrown from here.
 *
 * @module
 */

import { messageOf, OutOfSpaceError, StoreError } from "../errors.ts";
import {
  type Dump,
  replies,
  type Reply,
  type Request,
  serverError,
  type Shutdown,
} from "../protocol/message.ts";
import type { Awaitable, Batch } from "../storage/contract.ts";
import { addDelta } from "./arithmetic.ts";
import type { Context } from "./context.ts";
import { flushAll, remove, touch } from "./removal.ts";
import { get, getAndTouch } from "./retrieval.ts";
import { stats } from "./stats.ts";
import { add, compareAndSwap, extend, refuse, replace, set } from "./storage.ts";

type Command<R> = (request: R, context: Context, batch: Batch) => Awaitable<Reply>;

const commands: { readonly [Op in Request["op"]]: Command<Extract<Request, { op: Op }>> } = {
  get,
  gat: getAndTouch,
  set,
  add,
  replace,
  append: extend,
  prepend: extend,
  cas: compareAndSwap,
  too_large: refuse,
  incr: addDelta,
  decr: addDelta,
  delete: remove,
  touch,
  flush_all: flushAll,
  dump,
  stats,
  version: (_, context) => ({ kind: "version", version: context.version }),
  verbosity: () => replies.ok,
  crawler: () => replies.ok,
  quit: () => replies.close,
  shutdown,
  malformed: (request) => request.reply,
};

/** Runs a request. */
export function execute(request: Request, context: Context, batch: Batch): Awaitable<Reply> {
  try {
    const reply = (commands[request.op] as Command<Request>)(request, context, batch);
    return reply instanceof Promise ? reply.catch((error) => failure(error, context)) : reply;
  } catch (error) {
    return failure(error, context);
  }
}

type Failure = Extract<Reply, { kind: "error" }>;

/** The reply to a request that the store, or a bug, made fail. */
export function failure(error: unknown, context: Context): Failure {
  if (error instanceof OutOfSpaceError) {
    context.counters.store_no_memory++;
    return replies.outOfMemory;
  }
  if (!(error instanceof StoreError)) {
    context.log(`internal error: ${error instanceof Error ? error.stack : error}`);
    return serverError("internal error");
  }
  return serverError(messageOf(error));
}

function dump(request: Dump, context: Context): Reply {
  const { format } = request;
  if (!context.allowDump) {
    const what = format === "metadump" ? "metadump" : "key dump";
    return { kind: "error", line: `ERROR ${what} not allowed` };
  }
  context.counters.lru_crawler_starts++;
  return { kind: "dump", format, items: context.store.scan() };
}

function shutdown(request: Shutdown, context: Context): Reply {
  if (context.shutdown === undefined) {
    return { kind: "error", line: "SERVER_ERROR: shutdown not enabled" };
  }
  if (!request.isMode) return { kind: "error", line: "CLIENT_ERROR invalid shutdown mode" };
  context.shutdown();
  return replies.close;
}
