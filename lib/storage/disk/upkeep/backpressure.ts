/**
 * Writers that are faster than compaction wait for it: each until compaction has gained as many bytes
 * as it wrote.
 *
 * @module
 */

import type { Placements } from "../index/placements.ts";
import type { Log } from "../log/log.ts";

/** Segments may be so many times the live bytes, and one more, before some are given up. */
export const TOLERATED = 1.5;
/** From so many times on, and nearly two segments, writers wait for compaction. */
const OUTRUN = 1.65;
const OUTRUN_SEGMENTS = 1.75;

/** What writers owe, and the writes that wait for it to be paid. */
export class Backpressure {
  readonly #log: Log;
  readonly #placements: Placements;
  /** Bytes that writers have written since they were outrun. */
  #debt = 0;
  #waiters: Array<() => void> = [];

  constructor(log: Log, placements: Placements) {
    this.#log = log;
    this.#placements = placements;
  }

  /** Whether there is so much more than what is alive that writers should wait. */
  get isOutrun(): boolean {
    return this.#excess > this.#most;
  }

  /** Whether writers wait. */
  get isWaitedFor(): boolean {
    return this.#waiters.length > 0;
  }

  /** How far writers are from having to wait: 1 while there is nothing to do, 0 when they do. */
  get ease(): number {
    const least = TOLERATED * this.#placements.live + this.#log.segmentBytes;
    return Math.min(1, Math.max(0, (this.#most - this.#excess) / (this.#most - least)));
  }

  get #excess(): number {
    return this.#log.total - this.#log.hintTotal;
  }

  get #most(): number {
    return OUTRUN * this.#placements.live + OUTRUN_SEGMENTS * this.#log.segmentBytes;
  }

  /** Resolves when compaction has done as much as the writers; `bytes` is what one has written. */
  caughtUp(bytes: number): Promise<void> {
    this.#debt += bytes;
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Takes from the debt what compaction has gained; `Infinity` when there is nothing to wait for. */
  pay(bytes: number): void {
    this.#debt = Math.max(0, this.#debt - bytes);
    if (this.#debt > 0 || this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
