/**
 * Flushes: all items gone in one step, now or at a moment to come.
 *
 * @module
 */

import type { Batch } from "../../contract.ts";
import type { FlushKind, Log } from "./log.ts";
import type { Placements } from "../index/placements.ts";
import { Kind } from "../format/record.ts";
import type { Segment } from "./segment.ts";

/** What flushes work on. Times are milliseconds since 1970. */
export interface FlushOptions {
  readonly log: Log;
  readonly placements: Placements;
  readonly now: () => number;
  /** What all items are has been changed, for that batch, by a record that is written. */
  readonly changed: (batch?: Batch) => void;
  /** Everything before that segment is dead. */
  readonly flushed: (segment: Segment) => void;
}

/** The flush that was asked for last. */
export class Flushes {
  /** Records up to this sequence number are flushed, wherever there is a copy of them. */
  through = 0;

  /** Whether all items are absent by the one to come, and it is not yet written that it has come. */
  #owed = false;

  readonly #options: FlushOptions;

  /** @param at the moment of the one that is to come; 0 for none. */
  constructor(options: FlushOptions, public at: number) {
    this.#options = options;
  }

  /** Whether the one to come has come. */
  get isDue(): boolean {
    return this.at !== 0 && this.at <= this.#options.now();
  }

  /** Flushes now, or notes that it is to be done at `at`. */
  flush(at: number, batch: Batch): void {
    const { log, now, changed } = this.#options;
    if (at <= now()) return this.#flushNow(batch);
    log.writeOut();
    this.#append(Kind.flushToCome, at);
    this.at = at;
    changed(batch);
  }

  /**
   * Does what was to come, if its moment has, for those who read. Nothing is written for that: the
   * record that announced it makes it true at every start, until a write is to come behind it.
   */
  settle(): void {
    if (this.#owed || !this.isDue) return;
    const { log, placements } = this.#options;
    placements.clear();
    this.through = log.sequence;
    this.#owed = true;
  }

  /**
   * {@linkcode settle} for those who write: what they write comes behind the flush.
   *
   * @throws {StoreError} if that cannot be written
   */
  settleForWrite(): void {
    this.settle();
    if (this.#owed) this.#flushNow();
  }

  #flushNow(batch?: Batch): void {
    const { log, placements, changed, flushed } = this.#options;
    log.writeOut();
    this.#append(Kind.flush, 0);
    const { active } = log;
    placements.clear();
    this.at = 0;
    this.#owed = false;
    this.through = log.sequence;
    changed(batch);
    flushed(active!);
  }

  /** Writes a record that speaks of all keys; nothing else is pending. */
  #append(kind: FlushKind, time: number): void {
    const { log } = this.#options;
    try {
      log.appendFlush(kind, ++log.sequence, time);
      log.writeOut();
    } catch (error) {
      // Until it is cut off on the medium too, it may come into force.
      this.#options.changed();
      throw log.takeBack(error);
    }
  }
}
