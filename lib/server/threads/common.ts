/**
 * What all threads of a server count together, in shared memory.
 *
 * @module
 */

import { SharedCount } from "../../count.ts";

/** Words of a count: each has a line of the processor's cache for itself. */
const LINE = 8;
const CONNECTIONS = 0;
const NUMBERS = 1;
const LISTINGS = 2;
const LINES = 3;
const STRANGERS = 4;
const BEATS = 5;

/** The counts of one server. */
export class CommonCounts {
  /** Open connections. */
  readonly connections: SharedCount;
  /** The numbers of listeners and connections. */
  readonly numbers: SharedCount;
  /** Listings that are sent. */
  readonly listings: SharedCount;
  /** Lines made for watchers. */
  readonly lines: SharedCount;
  /** Connections that have yet to log in. */
  readonly strangers: SharedCount;
  readonly #words: BigInt64Array;

  /** @param memory of {@linkcode CommonCounts.memory} */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new BigInt64Array(memory);
    const count = (which: number) => new SharedCount(this.#words, which * LINE);
    this.connections = count(CONNECTIONS);
    this.numbers = count(NUMBERS);
    this.listings = count(LISTINGS);
    this.lines = count(LINES);
    this.strangers = count(STRANGERS);
  }

  static memory(workers: number): SharedArrayBuffer {
    return new SharedArrayBuffer((BEATS + workers + 1) * LINE * 8);
  }

  /** How often a worker, from 1, has said that it lives. */
  beatsOf(worker: number): SharedCount {
    return new SharedCount(this.#words, (BEATS + worker) * LINE);
  }
}
