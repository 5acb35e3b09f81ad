/**
 * Requests on no single key, as the main thread runs them for the workers.
 *
 * @module
 */

import type { Context } from "../../commands/context.ts";
import { execute } from "../../commands/execute.ts";
import { Session, type User } from "../../commands/session.ts";
import { promised } from "../../commands/waiting.ts";
import { failures, Outcome } from "../../protocol/outcome.ts";
import { Request } from "../../protocol/request.ts";
import type { Order, Report } from "./calls.ts";

/**
 * Runs one, and makes it last.
 *
 * @param renew who a user is now; `undefined` where it is nobody any more
 */
export async function runOrder(
  order: Order,
  context: Context,
  renew: (user: User) => User | undefined,
): Promise<Report> {
  const request = new Request();
  request.clear(order.op, new Uint8Array(0));
  request.words = order.words;
  request.number = order.number;
  request.exptime = order.exptime;
  const outcome = new Outcome();
  // Whether it may be asked the worker has looked.
  const session = new Session(order.connection, true, order.address);
  if (order.user !== undefined) {
    const user = renew(order.user);
    if (user === undefined) outcome.fail(failures.permissionDenied);
    else session.admit(user);
  }
  if (order.user === undefined || session.user !== undefined) {
    const running = execute(request, outcome, session, context);
    if (running !== undefined) await promised(running);
    await context.store.commit(session.batch);
  }
  const { code, text, figures, entries, failure, closes } = outcome;
  return { code, text, figures, entries, failure, closes };
}
