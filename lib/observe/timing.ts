/**
 * How long requests take, from the moment that they were read to the one that their replies were sent, and
 * which keys they ask for.
 *
 * Of the batches that a server reads, one of {@linkcode ONE_OF} is timed, so that the rest pay nothing but a
 * comparison; with a threshold for slow requests, all of them are. Shares and quantiles are those of all
 * requests; how many there were, the counters tell.
 *
 * @module
 */

import { binaryString } from "../bytes.ts";
import { Histogram } from "./histogram.ts";
import { HotKeys } from "./hot_keys.ts";
import { SlowLog } from "./slow_log.ts";

/** One batch of so many is timed, and its keys counted. */
export const ONE_OF = 16;

/** The requests of one batch that is timed. */
export class TimedBatch {
  began = 0;
  /** Whether its times and keys are counted, or it is timed to be found slow only. */
  counts = false;
  /** The first command and its key, which is valid until the batch is answered. */
  first = "";
  requests = 0;
  key = "";
  readonly commands = new Map<string, number>();
  readonly #hot: HotKeys;

  constructor(hot: HotKeys) {
    this.#hot = hot;
  }

  /** A request of this command is in the batch. */
  note(command: string, key: Uint8Array): void {
    if (this.requests++ === 0) {
      this.first = command;
      this.key = binaryString(key);
    }
    if (!this.counts) return;
    this.commands.set(command, (this.commands.get(command) ?? 0) + 1);
    if (key.length > 0) this.#hot.add(this.requests === 1 ? this.key : binaryString(key));
  }
}

/** The times of one thread. */
export class Timing {
  /** By command. */
  readonly requests = new Map<string, Histogram>();
  /** Syncs of the disk store. */
  readonly syncs = new Histogram();
  readonly hot = new HotKeys();
  readonly slow: SlowLog;
  readonly #all: boolean;
  #turn = 0;
  readonly #spare: TimedBatch[] = [];

  /** @param slow milliseconds from which on a request is slow; `Infinity` for never */
  constructor(slow = Infinity) {
    this.slow = new SlowLog(slow);
    this.#all = slow !== Infinity;
  }

  /** A batch was read: it is timed, or `undefined` where it is not. */
  begin(): TimedBatch | undefined {
    const counts = this.#turn++ % ONE_OF === 0;
    if (!counts && !this.#all) return undefined;
    const batch = this.#spare.pop() ?? new TimedBatch(this.hot);
    batch.counts = counts;
    batch.began = performance.now();
    return batch;
  }

  /** The replies of the batch were sent. */
  end(batch: TimedBatch, connection: number): void {
    const milliseconds = performance.now() - batch.began;
    if (milliseconds >= this.slow.threshold && batch.requests > 0) {
      const { first: command, key, requests } = batch;
      this.slow.add({ time: Date.now(), milliseconds, command, key, requests, connection });
    }
    for (const [command, count] of batch.commands) {
      let histogram = this.requests.get(command);
      if (histogram === undefined) this.requests.set(command, histogram = new Histogram());
      histogram.add(milliseconds / 1000, count);
    }
    batch.commands.clear();
    batch.requests = 0;
    this.#spare.push(batch);
  }

  /** Forgets hot keys and slow requests: `stats reset`. */
  clear(): void {
    this.hot.clear();
    this.slow.clear();
  }
}
