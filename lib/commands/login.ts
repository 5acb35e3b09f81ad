/**
 * Logins: memcached's `set` of user and password over text, SASL over binary.
 *
 * @module
 */

import { bytesOfBinaryString } from "../bytes.ts";
import { failures, type Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import type { Context } from "./context.ts";
import type { Session, User } from "./session.ts";

/** So many wrong pairs end a connection, after so many milliseconds. */
const MOST_WRONG = 3;
const PAUSE = 1000;

/** A user and a password, the words of the request. */
export function login(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  const { users, counters, sasl } = context;
  const { isBinary, failure } = request;
  if (users === undefined || (isBinary && !sasl)) return outcome.fail(failures.unknownCommand);
  if (failure !== undefined) return outcome.fail(failure);
  counters.auth_cmds++;
  const [name, password] = request.words;
  const found = name === undefined || password === undefined
    ? undefined
    : users.check(bytesOfBinaryString(name), bytesOfBinaryString(password), session.address);
  if (!(found instanceof Promise)) {
    return settle(found, name, outcome, session, context, isBinary);
  }
  session.checking = true;
  return found.finally(() => session.checking = false)
    .then((user) => settle(user, name, outcome, session, context, isBinary));
}

function settle(
  user: User | undefined,
  name: string | undefined,
  outcome: Outcome,
  session: Session,
  { counters, audit }: Context,
  isBinary: boolean,
): Promise<void> | void {
  if (user !== undefined) {
    session.admit(user);
    session.wrongLogins = 0;
    outcome.code = isBinary ? "authenticated" : "stored";
    audit?.say("login", session);
    return;
  }
  counters.auth_errors++;
  outcome.fail(failures.wrongPassword);
  audit?.say("failed login", session, name ?? "");
  if (++session.wrongLogins < MOST_WRONG) return;
  outcome.closes = true;
  return new Promise((resolve) => setTimeout(resolve, PAUSE));
}

/** The SASL mechanisms there are. */
export function mechanisms(_: Request, outcome: Outcome, __: Session, context: Context): void {
  if (!context.sasl) return outcome.fail(failures.unknownCommand);
  outcome.code = "mechanisms";
  outcome.text = "PLAIN";
}
