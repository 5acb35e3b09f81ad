/**
 * What a connection is to the commands: who it is, and what it has under way.
 *
 * @module
 */

import type { TimedBatch } from "../observe/timing.ts";
import type { Outcome } from "../protocol/outcome.ts";
import { Batch } from "../storage/contract.ts";

/** The owner of a session is told when values that were waited for have grown by so many bytes. */
const GROWTH = 256 * 1024;

/** The session of one connection. */
export class Session {
  /** What the connection has asked in one go, and what its replies depend on. */
  readonly batch = new Batch();
  /** The batch in hand, where its requests are timed. */
  timed: TimedBatch | undefined = undefined;
  /** Bytes of values that were waited for, have come from the store and are in no reply yet. */
  arrived = 0;
  /** Is told when {@linkcode arrived} has grown much. */
  owner: { grew(): void } | undefined = undefined;
  #told = 0;

  /**
   * @param id the connection's number, as `stats conns` and `watch` tell it
   * @param authenticated whether it may do everything, or must log in first
   */
  constructor(readonly id: number, public authenticated: boolean) {}

  /** Counts a value that was waited for. */
  arrive(outcome: Outcome): void {
    if (outcome.code !== "value") return;
    this.arrived += outcome.item.value.length;
    if (this.arrived - this.#told < GROWTH) return;
    this.#told = this.arrived;
    this.owner?.grew();
  }

  /** Counts it no more: it is in a reply, or is needed no longer. */
  depart(outcome: Outcome): void {
    if (outcome.code !== "value") return;
    this.arrived -= outcome.item.value.length;
    this.#told = Math.min(this.#told, this.arrived);
  }
}
