/**
 * What a connection is to the commands: who it is, and what it has under way.
 *
 * @module
 */

import type { TimedBatch } from "../observe/timing.ts";
import { Batch } from "../storage/contract.ts";

/** The session of one connection. */
export class Session {
  /** What the connection has asked in one go, and what its replies depend on. */
  readonly batch = new Batch();
  /** The batch in hand, where its requests are timed. */
  timed: TimedBatch | undefined = undefined;

  /**
   * @param id the connection's number, as `stats conns` and `watch` tell it
   * @param authenticated whether it may do everything, or must log in first
   */
  constructor(readonly id: number, public authenticated: boolean) {}
}
