/**
 * How long requests take, from the moment that they were read to the one that their replies were sent, and
 * which keys they ask for.
 *
 * Of the batches that a server reads, so many are timed that it is some hundred a second; each stands for
 * those that were not, so that counts are estimates of all requests, and the rest pay nothing but a
 * comparison. With a threshold for slow requests all batches are timed, for that threshold, by a coarse
 * clock: it is read once a batch.
 *
 * @module
 */

import { binaryString, bytesOfBinaryString, LEAST_GIVEN } from "../bytes.ts";
import { Histogram } from "./histogram.ts";
import { HotKeys } from "./hot_keys.ts";
import { CoarseClock } from "./coarse_clock.ts";
import { SlowLog } from "./slow_log.ts";

/** Batches that are counted in so many milliseconds, about. */
const WINDOW = 250;
const PER_WINDOW = 50;
/** One batch of so many is counted at the least. */
const MOST_SKIPPED = 1024;

/**
 * What is noted of a request. The bytes stay as they are until the batch is answered, but for memory that may
 * be given away.
 */
export interface Noted {
  readonly op: string;
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
}

const NO_BYTES = new Uint8Array(0);

/** Where keys are counted. */
interface Keys {
  add(key: string, times: number): void;
}

/** A batch that was timed in another thread, as it is told. Keys are binary strings. */
export interface Told {
  /** When it began, in milliseconds since 1970: each thread has a `performance.now()` of its own. */
  readonly began: number;
  readonly milliseconds: number;
  readonly weight: number;
  readonly requests: number;
  readonly first: string;
  readonly key: string;
  readonly commands: ReadonlyArray<readonly [command: string, count: number]>;
  readonly keys: readonly string[];
  readonly connection: number;
}

/** Keys of a batch that are told to another thread, at most. */
const MOST_TOLD = 256;

/** The span of one batch, in whose name its requests are run. */
export interface BatchSpan {
  run<T>(work: () => T): T;
  /** The replies of the batch were sent. */
  end(batch: TimedBatch, connection: number): void;
}

/** The requests of one batch that is timed. */
export class TimedBatch {
  began = 0;
  /** When it began by the coarse clock, where slow ones are looked for. */
  coarselyBegan = 0;
  /** For how many batches it counts; 0 where it is timed to be found slow only. */
  weight = 0;
  /** Its span, where it is sampled. */
  span: BatchSpan | undefined;
  /** How many there are, and what the first of them asks. */
  requests = 0;
  first = "";
  readonly commands = new Map<string, number>();
  readonly #hot: Keys;
  #bytes: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;

  constructor(hot: Keys) {
    this.#hot = hot;
  }

  /** A batch that another thread has timed. */
  static of({ began, weight, requests, first, key, commands }: Told, hot: Keys): TimedBatch {
    const batch = new TimedBatch(hot);
    batch.began = began - performance.timeOrigin;
    batch.weight = weight;
    batch.requests = requests;
    batch.first = first;
    batch.#bytes = bytesOfBinaryString(key);
    batch.#end = batch.#bytes.length;
    for (const [command, count] of commands) batch.commands.set(command, count);
    return batch;
  }

  /** The key of the first request, one character a byte, as it was sent. */
  get key(): string {
    return binaryString(this.#bytes.subarray(this.#start, this.#end));
  }

  /** A request is in the batch. */
  note({ op, bytes, keyStart, keyEnd }: Noted): void {
    if (this.requests++ === 0) {
      this.first = op;
      const isLasting = bytes.length < LEAST_GIVEN;
      this.#bytes = isLasting ? bytes : bytes.slice(keyStart, keyEnd);
      this.#start = isLasting ? keyStart : 0;
      this.#end = isLasting ? keyEnd : keyEnd - keyStart;
    }
    if (this.weight === 0) return;
    this.commands.set(op, (this.commands.get(op) ?? 0) + 1);
    if (keyEnd > keyStart) {
      this.#hot.add(binaryString(bytes.subarray(keyStart, keyEnd)), this.weight);
    }
  }

  /** Forgets all, and keeps no buffer. */
  clear(): void {
    if (this.weight > 0) this.commands.clear();
    this.requests = 0;
    this.first = "";
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
  /** Told of each batch that counts, when its replies were sent: how often it asked what. */
  onBatch: ((commands: ReadonlyMap<string, number>, milliseconds: number) => void) | undefined;
  /** Begins the span of a batch that counts, where it is sampled. */
  spans: { begin(): BatchSpan | undefined } | undefined;
  readonly hot = new HotKeys();
  readonly slow: SlowLog;
  /** By which slow batches are found; `undefined` where none are looked for. */
  readonly #coarse: CoarseClock | undefined;
  readonly #now: () => number;
  /** One batch of so many is counted, and how many are left until the next one is. */
  #interval = 1;
  #left = 0;
  /** When the window began, in milliseconds, and the batches since. */
  #windowBegan: number;
  #batches = 0;
  /** Those of them that were counted. */
  #counted = 0;
  readonly #spare: TimedBatch[] = [];
  /** Where batches are told instead of being counted here; and the keys of the one in hand. */
  readonly #tell: ((told: Told) => void) | undefined;
  #keys: string[] = [];

  /**
   * @param slow milliseconds from which on a request is slow; `Infinity` for never
   * @param now milliseconds since any moment
   * @param tell told each batch that counts, where another thread counts them
   * @param coarse by which slow ones are found
   */
  constructor(
    slow = Infinity,
    now: () => number = () => performance.now(),
    tell?: (told: Told) => void,
    coarse = slow === Infinity ? undefined : new CoarseClock(slow / 8),
  ) {
    this.#tell = tell;
    this.slow = new SlowLog(slow);
    this.#coarse = coarse;
    this.#now = now;
    this.#windowBegan = now();
  }

  /** A batch was read: it is timed, or `undefined` where it is not. */
  begin(): TimedBatch | undefined {
    const coarse = this.#coarse;
    const isCounted = --this.#left < 0;
    if (!isCounted && coarse === undefined) return undefined;
    const batch = this.#spare.pop() ??
      new TimedBatch(this.#tell === undefined ? this.hot : this.#own);
    if (coarse !== undefined) batch.coarselyBegan = coarse.recent();
    batch.weight = 0;
    if (!isCounted) return batch;
    const began = batch.began = this.#now();
    batch.weight = this.#interval;
    batch.span = this.spans?.begin();
    this.#batches += this.#interval;
    // After a rest the pace may be another: a burst is not counted batch by batch until the window ends.
    const isBurst = ++this.#counted > 2 * PER_WINDOW;
    if (isBurst || began - this.#windowBegan >= WINDOW) this.#adapt(began);
    this.#left = this.#interval - 1;
    return batch;
  }

  /** The replies of the batch were sent. */
  end(batch: TimedBatch, connection: number): void {
    let milliseconds = this.#coarse === undefined ? 0 : this.#coarse.read() - batch.coarselyBegan;
    if (batch.weight > 0) {
      milliseconds = this.#now() - batch.began;
      batch.span?.end(batch, connection);
      batch.span = undefined;
    }
    if (batch.weight > 0 || milliseconds >= this.slow.threshold) {
      if (this.#tell === undefined) this.#count(batch, milliseconds, connection);
      else this.#tellOf(batch, milliseconds, connection);
    }
    batch.clear();
    this.#spare.push(batch);
  }

  /** Counts a batch that another thread has timed. */
  take(told: Told): void {
    for (const key of told.keys) this.hot.add(key, told.weight);
    this.#count(TimedBatch.of(told, this.hot), told.milliseconds, told.connection);
  }

  readonly #own: Keys = {
    add: (key) => {
      if (this.#keys.length < MOST_TOLD) this.#keys.push(key);
    },
  };

  #tellOf(batch: TimedBatch, milliseconds: number, connection: number): void {
    const { weight, requests, first, key } = batch;
    const keys = this.#keys;
    this.#keys = [];
    const commands = [...batch.commands];
    const began = performance.timeOrigin + batch.began;
    this.#tell!({ began, milliseconds, weight, requests, first, key, commands, keys, connection });
  }

  #count(batch: TimedBatch, milliseconds: number, connection: number): void {
    if (milliseconds >= this.slow.threshold && batch.requests > 0) {
      const { first: command, key, requests } = batch;
      this.slow.add({ time: Date.now(), milliseconds, command, key, requests, connection });
    }
    if (batch.weight === 0) return;
    for (const [command, count] of batch.commands) {
      histogramOf(this.requests, command).add(milliseconds / 1000, count * batch.weight);
    }
    this.onBatch?.(batch.commands, milliseconds);
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
    const expected = this.#batches / Math.max(1, now - this.#windowBegan) * WINDOW;
    this.#interval = Math.min(MOST_SKIPPED, Math.max(1, Math.round(expected / PER_WINDOW)));
    this.#windowBegan = now;
    this.#batches = this.#counted = 0;
  }
}

function histogramOf(histograms: Map<string, Histogram>, name: string): Histogram {
  let histogram = histograms.get(name);
  if (histogram === undefined) histograms.set(name, histogram = new Histogram());
  return histogram;
}
