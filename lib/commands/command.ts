/**
 * What a command is.
 *
 * @module
 */

import type { Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import type { Context } from "./context.ts";
import type { Session } from "./session.ts";
import type { Running } from "./waiting.ts";

/**
 * Runs a request: fills the outcome. Where the store must be waited for it returns what to wait for, and
 * request and outcome are its own until that is over.
 */
export type Command = (
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
) => Running | void;
