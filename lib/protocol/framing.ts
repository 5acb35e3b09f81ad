/**
 * The bytes that a connection has received and not yet understood, and those that it passes over.
 *
 * A connection reads into {@linkcode ReceiveBuffer.room}. What requests view stays valid until the
 * next call of that.
 *
 * @module
 */

import { free } from "../bytes.ts";

const LF = 0x0a;

/**
 * Memory of a connection that waits, in bytes. A read that is under way keeps its memory, and most
 * connections wait most of the time, many thousands of them.
 */
const SMALL_ROOM = 2 * 1024;
/** Memory of a connection whose client sends much in one go, in bytes. */
const LARGE_ROOM = 16 * 1024;
/** Bytes that are read in one go, at most: to copy more would take long. */
const MOST_READ = 128 * 1024;
/** After so many reads that would have fitted in the small room, it is enough again. */
const CALM_READS = 4;
const NO_BYTES = new Uint8Array(0);

/** The receive buffer of one connection. */
export class ReceiveBuffer {
  bytes: Uint8Array<ArrayBuffer> = NO_BYTES;
  /** What has arrived and was not understood stands from `start` to `end`. */
  start = 0;
  end = 0;
  /** No line end stands from `start` to here. */
  #searched = 0;
  /** How much memory the last reads asked for, in bytes, and how many of them needed less. */
  #wanted: number;
  #calmReads = 0;
  readonly #takesMuch: boolean;

  /** @param takesMuch whether it always takes what a client sends in one go, up to 16 KiB, together */
  constructor(takesMuch = false) {
    this.#takesMuch = takesMuch;
    this.#wanted = takesMuch ? LARGE_ROOM : SMALL_ROOM;
  }

  /** How many bytes have arrived and were not understood. */
  get held(): number {
    return this.end - this.start;
  }

  /** Where the next read may put bytes. What earlier requests view is overwritten. */
  room(): Uint8Array<ArrayBuffer> {
    const held = this.end - this.start;
    if (held === 0) {
      this.start = this.end = this.#searched = 0;
      if (this.bytes.length !== this.#wanted) {
        free(this.bytes);
        this.bytes = new Uint8Array(this.#wanted);
      }
    } else if (this.bytes.length - this.end < Math.min(LARGE_ROOM, this.bytes.length) / 4) {
      // Grow by what has come, not by what a header promises: promises cost the sender nothing.
      const grown = held > this.bytes.length / 2
        ? new Uint8Array(Math.max(this.bytes.length * 2, LARGE_ROOM))
        : this.bytes;
      grown.set(this.bytes.subarray(this.start, this.end));
      if (grown !== this.bytes) free(this.bytes);
      this.bytes = grown;
      this.#searched = Math.max(0, this.#searched - this.start);
      this.end = held;
      this.start = 0;
    }
    if (this.end === 0 && this.bytes.length <= MOST_READ) return this.bytes;
    return this.bytes.subarray(this.end, this.end + MOST_READ);
  }

  /** Says that a read has put `count` bytes into the {@linkcode room}. */
  added(count: number): void {
    this.end += count;
    if (this.end === this.bytes.length) {
      this.#wanted = LARGE_ROOM;
      this.#calmReads = 0;
    } else if (this.#wanted !== SMALL_ROOM) {
      this.#calmReads = this.end < SMALL_ROOM ? this.#calmReads + 1 : 0;
      if (this.#calmReads === CALM_READS && !this.#takesMuch) this.#wanted = SMALL_ROOM;
    }
  }

  /** Where the line that begins at `start` has its line feed; -1 where that has not come. */
  lineEnd(): number {
    const { bytes, end } = this;
    let i = Math.max(this.start, this.#searched);
    // Most lines are short: a loop here is cheaper than a call.
    const near = Math.min(end, i + 64);
    for (; i < near; i++) if (bytes[i] === LF) return i;
    if (i < end) {
      const found = bytes.subarray(0, end).indexOf(LF, i);
      if (found >= 0) return found;
    }
    this.#searched = end;
    return -1;
  }

  /** Passes over up to `count` bytes; returns how many of them have yet to come. */
  pass(count: number): number {
    const passed = Math.min(count, this.held);
    this.start += passed;
    return count - passed;
  }

  /** Forgets all that has arrived. */
  drop(): void {
    this.start = this.end;
  }

  /** Gives its memory back: nothing is read any more, and nobody views what was. */
  release(): void {
    free(this.bytes);
    this.bytes = NO_BYTES;
    this.start = this.end = this.#searched = 0;
  }
}
