/**
 * Why requests are answered with an error, for `stats traffic`.
 *
 * @module
 */

import type { Counters } from "../observe/counters.ts";
import { type Failure, type FailureCode, failures } from "../protocol/outcome.ts";

type Refused = keyof Counters & `refused_${string}`;

const counterOf: Readonly<Partial<Record<FailureCode, Refused>>> = {
  unknownCommand: "refused_unreadable",
  badRequest: "refused_unreadable",
  badFrame: "refused_unreadable",
  tooLarge: "refused_too_large",
  outOfMemory: "refused_no_room",
  notNumeric: "refused_not_numeric",
  storeFailed: "refused_store",
  unauthenticated: "refused_unauthenticated",
  wrongPassword: "refused_unauthenticated",
  busy: "refused_busy",
  tooManyWatchers: "refused_watchers",
};

/** Counts so many requests that are answered so. */
export function countRefusal(counters: Counters, failure: Failure, times = 1): void {
  // Counted where it is found: response_obj_oom.
  if (failure === failures.noReplyMemory) return;
  counters[counterOf[failure.code] ?? "refused_not_allowed"] += times;
}
