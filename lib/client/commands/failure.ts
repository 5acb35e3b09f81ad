/**
 * What the errors of a client come to: a sentence and an exit code.
 *
 * @module
 */

import { Exit, ExitError } from "../../errors.ts";
import { KeyError } from "../../protocol/key.ts";
import { LoginError, RequestError, ServerError, UnreachableError } from "../errors.ts";

/** What a server says that wants a login first; it takes a set for one. */
const WANTS_LOGIN = /^CLIENT_ERROR (unauthenticated|bad authentication token format)$/;
/** How the words of a server begin; other sentences are the client's own. */
const SERVERS_WORDS = /^[A-Z]+(_[A-Z]+)*\b/;

/** What went wrong, with its exit code; bugs and broken pipes as they are. */
export function asExit(error: unknown): unknown {
  if (error instanceof UnreachableError) return new ExitError(error.message, Exit.unavailable);
  if (error instanceof LoginError) return new ExitError(error.message, Exit.software);
  if (error instanceof ServerError || error instanceof RequestError) {
    const remedy = WANTS_LOGIN.test(error.message) ? "; --user NAME logs in" : "";
    const who = SERVERS_WORDS.test(error.message) ? "the server answered: " : "";
    return new ExitError(`${who}${error.message}${remedy}`, Exit.software);
  }
  return error instanceof KeyError ? new ExitError(error.message, Exit.usage) : error;
}

/** Whether the server takes no request of this client, whatever it asks. */
export function isShutOut(error: unknown): boolean {
  return error instanceof LoginError ||
    error instanceof RequestError && WANTS_LOGIN.test(error.message);
}
