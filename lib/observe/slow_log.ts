/**
 * The last slow requests, for `stats slow`.
 *
 * @module
 */

/** How many are remembered. */
export const SLOW_REQUESTS = 128;

/** Requests that were read in one go and answered late. */
export interface SlowBatch {
  /** When they were answered, in milliseconds since 1970. */
  readonly time: number;
  readonly milliseconds: number;
  /** What the first of them asked, and its key, one character a byte. */
  readonly command: string;
  readonly key: string;
  /** How many they were. */
  readonly requests: number;
  /** The number of the connection, as `stats conns` shows it. */
  readonly connection: number;
}

/** Remembers the last ones. */
export class SlowLog {
  /** How many there were since the start. */
  total = 0;
  #batches: SlowBatch[] = [];

  /** @param threshold milliseconds from which on a request is slow */
  constructor(readonly threshold: number) {}

  add(batch: SlowBatch): void {
    this.total++;
    this.#batches.push(batch);
    if (this.#batches.length > SLOW_REQUESTS) this.#batches.shift();
  }

  clear(): void {
    this.#batches = [];
  }

  /** Those that are remembered, the newest first. */
  list(): readonly SlowBatch[] {
    return this.#batches.toReversed();
  }
}
