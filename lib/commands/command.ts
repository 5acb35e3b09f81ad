/**
 * What a command is.
 *
 * @module
 */

import type { Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import type { Context } from "./context.ts";
import type { Session } from "./session.ts";

/**
 * Runs a request: fills the outcome. Where the store must be waited for it returns a promise, and
 * request and outcome are its own until that is settled.
 */
export type Command = (
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
) => Promise<void> | void;
