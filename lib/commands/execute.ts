/**
 * A request to its outcome.
 *
 * Outcomes stay plain where the store's results are. What a store throws becomes the outcome of that
 * request alone; nothing is thrown from here.
 *
 * @module
 */

import { failures, type Outcome } from "../protocol/outcome.ts";
import type { Op, Request } from "../protocol/request.ts";
import type { Context } from "./context.ts";
import { failureOf } from "./failure.ts";
import type { Session } from "./session.ts";
import { Right } from "./rights.ts";
import { statsRight } from "./stats.ts";
import { commands, type Row } from "./table.ts";
import type { Running } from "./waiting.ts";

/** The op that was run last, and its row: requests come in runs of one kind, and a look by name costs more. */
let lastOp: Op = "malformed";
let lastRow = commands[lastOp];

/** Runs a request. Something to wait for only where the store must be waited for; it never rejects. */
export function execute(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Running | undefined {
  const row = rowOf(request.op);
  outcome.closes = request.closes;
  if (session.timed !== undefined) session.timed.note(request);
  if (!session.authenticated && (!row.open || isUnknownFrame(request))) {
    outcome.fail(failures.unauthenticated);
    outcome.closes ||= request.isBinary;
    return undefined;
  }
  if (session.rights !== undefined && !session.rights.permits(rightOf(request), request)) {
    outcome.fail(failures.permissionDenied);
    return undefined;
  }
  try {
    const running = row.run(request, outcome, session, context);
    if (running === undefined) return undefined;
    if (!(running instanceof Promise)) return running;
    return settled(running, outcome, session, context);
  } catch (error) {
    outcome.fail(failureOf(error, context));
    return undefined;
  }
}

function rowOf(op: Op): Row {
  if (op !== lastOp) {
    lastOp = op;
    lastRow = commands[op];
  }
  return lastRow;
}

/** Apart from what need not wait: a function that has a closure makes room for it in each call. */
function settled(
  running: Promise<void>,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> {
  return running.then(
    () => session.arrive(outcome),
    (error) => outcome.fail(failureOf(error, context)),
  );
}

/** The rights that a request needs. */
function rightOf(request: Request): number {
  if (request.op === "stats") return statsRight(request.words);
  // Binary's Touch shows nothing of the item.
  if (request.op === "getAndChange" && request.isBinary && !request.wantsValue) return Right.write;
  return commands[request.op].right;
}

/** Not even which opcodes there are is told to strangers, as in memcached. */
function isUnknownFrame({ isBinary, failure, closes }: Request): boolean {
  return isBinary && failure?.code === "unknownCommand" && !closes;
}
