/**
 * What a client is told of what went wrong.
 *
 * @module
 */

import { messageOf, OutOfSpaceError, StoreError } from "../errors.ts";
import { type Failure, failures, storeFailed } from "../protocol/outcome.ts";
import type { Context } from "./context.ts";

/** What a request is answered that the store, or a bug, made fail. */
export function failureOf(error: unknown, context: Context): Failure {
  if (error instanceof OutOfSpaceError) {
    context.counters.store_no_memory++;
    return failures.outOfMemory;
  }
  if (!(error instanceof StoreError)) {
    context.log(`internal error: ${error instanceof Error ? error.stack : error}`);
    return failures.internal;
  }
  return storeFailed(messageOf(error));
}
