/**
 * Logins: memcached's `set` of user and password over text, SASL over binary.
 *
 * @module
 */

import { bytesOfBinaryString } from "../bytes.ts";
import { failures, type Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import type { Context } from "./context.ts";
import type { Session } from "./session.ts";

/** A user and a password, the words of the request. */
export function login(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): void {
  const { users, counters, sasl } = context;
  const { isBinary } = request;
  if (users === undefined || (isBinary && !sasl)) return outcome.fail(failures.unknownCommand);
  counters.auth_cmds++;
  const [user, password] = request.words;
  if (
    user === undefined || password === undefined ||
    !users.check(bytesOfBinaryString(user), bytesOfBinaryString(password))
  ) {
    counters.auth_errors++;
    return outcome.fail(failures.wrongPassword);
  }
  session.authenticated = true;
  outcome.code = isBinary ? "authenticated" : "stored";
}

/** The SASL mechanisms there are. */
export function mechanisms(_: Request, outcome: Outcome, __: Session, context: Context): void {
  if (!context.sasl) return outcome.fail(failures.unknownCommand);
  outcome.code = "mechanisms";
  outcome.text = "PLAIN";
}
