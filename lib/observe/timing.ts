/**
 * How long requests take, from the moment that they were read to the one that their replies were sent, and
 * which keys they ask for.
 *
 * Of the batches that a server reads, so many are timed that it is some hundred a second; each stands for
 * those that were not, so that counts are estimates of all requests, and the rest pay nothing but a
 * comparison. With a threshold for slow requests all batches are timed, for that threshold.
 *
 * @module
 */

import { binaryString } from "../bytes.ts";
import { Histogram } from "./histogram.ts";
import { HotKeys } from "./hot_keys.ts";
import { SlowLog } from "./slow_log.ts";

/** Batches that are counted in so many milliseconds, about. */
const WINDOW = 250;
const PER_WINDOW = 50;
/** One batch of so many is counted at the least. */
const MOST_SKIPPED = 1024;

/** What is noted of a request; the bytes stay as they are until the batch is answered. */
export interface Noted {
  readonly op: string;
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
}

const NO_BYTES = new Uint8Array(0);

/** The requests of one batch that is timed. */
export class TimedBatch {
  began = 0;
  /** For how many batches it counts; 0 where it is timed to be found slow only. */
  weight = 0;
  /** How many there are, and what the first of them asks. */
  requests = 0;
  first = "";
  readonly commands = new Map<string, number>();
  readonly #hot: HotKeys;
  #bytes: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;

  constructor(hot: HotKeys) {
    this.#hot = hot;
  }

  /** The key of the first request, one character a byte, as it was sent. */
  get key(): string {
    return binaryString(this.#bytes.subarray(this.#start, this.#end));
  }

  /** A request is in the batch. */
  note({ op, bytes, keyStart, keyEnd }: Noted): void {
    if (this.requests++ === 0) {
      this.first = op;
      this.#bytes = bytes;
      this.#start = keyStart;
      this.#end = keyEnd;
    }
    if (this.weight === 0) return;
    this.commands.set(op, (this.commands.get(op) ?? 0) + 1);
    if (keyEnd > keyStart) {
      this.#hot.add(binaryString(bytes.subarray(keyStart, keyEnd)), this.weight);
    }
  }

  /** Forgets all, and keeps no buffer. */
  clear(): void {
    this.commands.clear();
    this.requests = 0;
    this.#bytes = NO_BYTES;
  }
}

/** The times of one thread. */
export class Timing {
  /** By command. */
  readonly requests = new Map<string, Histogram>();
  /** Syncs of the disk store. */
  readonly syncs = new Histogram();
  /** Exchanges with Redis or Cloud Storage, by what was asked. */
  readonly exchanges = new Map<string, Histogram>();
  /** Told of each batch that counts, when its replies were sent. */
  onBatch: ((batch: TimedBatch, milliseconds: number, connection: number) => void) | undefined;
  readonly hot = new HotKeys();
  readonly slow: SlowLog;
  readonly #all: boolean;
  readonly #now: () => number;
  /** One batch of so many is counted, and how many are left until the next one is. */
  #interval = 1;
  #left = 0;
  /** When the window began, in milliseconds, and the batches since. */
  #windowBegan: number;
  #batches = 0;
  readonly #spare: TimedBatch[] = [];

  /**
   * @param slow milliseconds from which on a request is slow; `Infinity` for never
   * @param now milliseconds since any moment
   */
  constructor(slow = Infinity, now: () => number = () => performance.now()) {
    this.slow = new SlowLog(slow);
    this.#all = slow !== Infinity;
    this.#now = now;
    this.#windowBegan = now();
  }

  /** A batch was read: it is timed, or `undefined` where it is not. */
  begin(): TimedBatch | undefined {
    if (--this.#left >= 0 && !this.#all) return undefined;
    const began = this.#now();
    const batch = this.#spare.pop() ?? new TimedBatch(this.hot);
    batch.began = began;
    batch.weight = 0;
    if (this.#left >= 0) return batch;
    batch.weight = this.#interval;
    this.#batches += this.#interval;
    if (began - this.#windowBegan >= WINDOW) this.#adapt(began);
    this.#left = this.#interval - 1;
    return batch;
  }

  /** The replies of the batch were sent. */
  end(batch: TimedBatch, connection: number): void {
    const milliseconds = this.#now() - batch.began;
    if (milliseconds >= this.slow.threshold && batch.requests > 0) {
      const { first: command, key, requests } = batch;
      this.slow.add({ time: Date.now(), milliseconds, command, key, requests, connection });
    }
    for (const [command, count] of batch.commands) {
      histogramOf(this.requests, command).add(milliseconds / 1000, count * batch.weight);
    }
    if (batch.weight > 0) this.onBatch?.(batch, milliseconds, connection);
    batch.clear();
    this.#spare.push(batch);
  }

  /** A sync of the disk store's log took so many milliseconds. */
  synced(milliseconds: number): void {
    this.syncs.add(milliseconds / 1000);
  }

  /** An exchange with Redis or Cloud Storage took so many milliseconds. */
  exchanged(operation: string, milliseconds: number): void {
    histogramOf(this.exchanges, operation).add(milliseconds / 1000);
  }

  /** Forgets hot keys and slow requests: `stats reset`. */
  clear(): void {
    this.hot.clear();
    this.slow.clear();
  }

  /** Counts the next batches as often as the pace of the last ones allows. */
  #adapt(now: number): void {
    const expected = this.#batches / (now - this.#windowBegan) * WINDOW;
    this.#interval = Math.min(MOST_SKIPPED, Math.max(1, Math.round(expected / PER_WINDOW)));
    this.#windowBegan = now;
    this.#batches = 0;
  }
}

function histogramOf(histograms: Map<string, Histogram>, name: string): Histogram {
  let histogram = histograms.get(name);
  if (histogram === undefined) histograms.set(name, histogram = new Histogram());
  return histogram;
}
