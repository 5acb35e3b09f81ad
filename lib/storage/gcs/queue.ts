/**
 * The work in hand for one key.
 *
 * @module
 */

import type { StoreError } from "../../errors.ts";
import type { Answer, Step } from "./plan.ts";

/** A step that waits for its answer. */
export class Task {
  /** Whether nobody has answered it yet. Once it is answered, its item's memory is the caller's. */
  open = true;

  /** @param until when it is too late for an answer, as `performance.now()` tells time. */
  constructor(
    readonly step: Step,
    readonly until: number,
    readonly settle: (answer: Answer | StoreError) => void,
  ) {}
}

/** What waits for one key, and what the store must remember between its writes. */
export class Queue {
  waiting: Task[] = [];
  running = false;
  /** When the last write was answered, as `performance.now()` tells time. */
  written = -Infinity;
  /** Until when its writes are kept apart, likewise. */
  pacedUntil = -Infinity;
  /** Before which its next write is not sent, likewise: the service asked for it. */
  notBefore = -Infinity;
  /** Until when a lost write may yet create the object, in milliseconds since 1970. */
  unsure = 0;
  /** What went wrong with the last write, if anything did. */
  trouble = "";

  constructor(readonly key: string) {}
}
