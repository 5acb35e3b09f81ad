/**
 * Requests that go to Redis in one write.
 *
 * @module
 */

import type { Result } from "../exchanges.ts";
import type { Confirmation, Request } from "./request.ts";

/** Requests of one turn, and what has become of them. */
export interface Batch {
  readonly requests: Request[];
  /** The bytes to be sent; none once they are. */
  payload: Uint8Array | undefined;
  /** Bytes that count as unanswered. */
  size: number;
  /** How many keys they are about. */
  keys: number;
  /** Requests without a reply. */
  left: number;
  /** When the first of them is given up. */
  deadline: number;
  /** What its changes wait for before they are answered. */
  confirmation: Confirmation | undefined;
  /** When it was sent, by `performance.now()`. */
  sentAt: number;
  /** In whose name its requests are, where somebody follows that. */
  causes: Set<object> | undefined;
  /** How the exchange ended; the last that was not `ok` stands for all. */
  result: Result;
}

/** An empty one. */
export function newBatch(): Batch {
  return {
    requests: [],
    payload: undefined,
    size: 0,
    keys: 0,
    left: 0,
    deadline: Infinity,
    confirmation: undefined,
    sentAt: 0,
    causes: undefined,
    result: "ok",
  };
}
