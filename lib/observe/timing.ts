/**
 * How long requests take, from the moment that they were read to the one that their replies were sent.
 *
 * Of the batches that a server reads, one of {@linkcode ONE_OF} is timed, so that the rest pay nothing but a
 * comparison. Shares and quantiles are those of all requests; how many there were, the counters tell.
 *
 * @module
 */

import { Histogram } from "./histogram.ts";

/** One batch of so many is timed. */
const ONE_OF = 16;

/** The commands of one batch that is timed. */
export class TimedBatch {
  began = 0;
  readonly #counts = new Map<string, number>();

  /** A request of this command is in the batch. */
  note(command: string): void {
    this.#counts.set(command, (this.#counts.get(command) ?? 0) + 1);
  }

  /** What was noted, and forgets it. */
  take(): ReadonlyArray<readonly [command: string, count: number]> {
    const counts = [...this.#counts];
    this.#counts.clear();
    return counts;
  }
}

/** The times of one thread. */
export class Timing {
  /** By command. */
  readonly requests = new Map<string, Histogram>();
  /** Syncs of the disk store. */
  readonly syncs = new Histogram();
  #turn = 0;
  readonly #spare: TimedBatch[] = [];

  /** A batch was read: it is timed, or `undefined` where it is not. */
  begin(): TimedBatch | undefined {
    if (this.#turn++ % ONE_OF !== 0) return undefined;
    const batch = this.#spare.pop() ?? new TimedBatch();
    batch.began = performance.now();
    return batch;
  }

  /** The replies of the batch were sent. */
  end(batch: TimedBatch): void {
    const seconds = (performance.now() - batch.began) / 1000;
    for (const [command, count] of batch.take()) {
      let histogram = this.requests.get(command);
      if (histogram === undefined) this.requests.set(command, histogram = new Histogram());
      histogram.add(seconds, count);
    }
    this.#spare.push(batch);
  }
}
