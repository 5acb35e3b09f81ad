/**
 * The bytes that a connection has received and not yet understood, and those that it passes over.
 *
 * A connection reads into {@linkcode ReceiveBuffer.room}. What requests view stays valid until the
 * next call of that; what lies in memory that was given away ({@linkcode Giver}), until its request is answered.
 *
 * @module
 */

import {
  free,
  giveMemory,
  type Giver,
  LEAST_GIVEN,
  ROOM_OF_HEADER,
  SLACK_OF_GIVEN,
  takeMemory,
  takeSpare,
} from "../bytes.ts";

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
/**
 * Bytes of the next request that may be read with a large one. A read that fills its room tells nothing of
 * whether there is more: the one after it would ask the kernel in vain, and not count as a wait.
 */
const BEYOND = 8;
/** Memory for a request is at most so many times what has come of it: promises cost their sender nothing. */
const PROMISED = 8;
/** The same of memory that is there, and need not be filled with zeros first: a step less is a copy less. */
const PROMISED_SPARE = 64;
/** After so many reads that would have fitted in the small room, it is enough again. */
const CALM_READS = 4;
const NO_BYTES = new Uint8Array(0);

/** The receive buffer of one connection. */
export class ReceiveBuffer implements Giver {
  bytes: Uint8Array<ArrayBuffer> = NO_BYTES;
  /** What has arrived and was not understood stands from `start` to `end`. */
  start = 0;
  end = 0;
  /** No line end stands from `start` to here. */
  #searched = 0;
  /**
   * How many bytes the request that begins at `start` takes, as far as its dialect has read that; 0 where
   * it has not. Before so many have come it is not worth looking again.
   */
  needed = 0;
  /** How much memory the last reads asked for, in bytes, and how many of them needed less. */
  #wanted: number;
  #calmReads = 0;
  /** Where in its memory the first of what has arrived was put. */
  #first = 0;
  /** Whether requests that view what has arrived wait for the store. */
  #isPinned = false;
  /** Memory for what is small, which stays while a large request has memory of its own. */
  #small = NO_BYTES;
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

  /** Bytes of memory that it has. */
  get memory(): number {
    const { length } = this.bytes;
    return this.bytes === this.#small ? length : length + this.#small.length;
  }

  /** Where the next read may put bytes. What earlier requests view is overwritten. */
  room(): Uint8Array<ArrayBuffer> {
    const held = this.end - this.start;
    this.#isPinned = false;
    if (held === 0) this.#begin();
    else this.#makeRoom(held);
    const { bytes, end } = this;
    if (end === 0 && bytes.length <= MOST_READ) return bytes;
    // What a large request has memory for is read alone: of the next, hardly anything has to move.
    const most = bytes === this.#small || this.needed <= held
      ? bytes.length
      : Math.min(bytes.length, this.start + this.needed + BEYOND);
    return bytes.subarray(end, Math.min(most, end + MOST_READ));
  }

  /** Nothing is held: what comes next is small, or says how large it is. */
  #begin(): void {
    this.start = this.end = this.#searched = 0;
    if (this.bytes !== this.#small) giveMemory(this.bytes);
    if (this.#small.length !== this.#wanted) this.#small = new Uint8Array(this.#wanted);
    this.bytes = this.#small;
    this.#first = 0;
  }

  /** Makes room behind the bytes that are held: by what they say of their length, or without that. */
  #makeRoom(held: number): void {
    const { length } = this.bytes;
    const isShort = length - this.end < Math.min(LARGE_ROOM, length) / 4;
    if (this.needed > held) {
      if (this.start + this.needed <= length) return;
      const wanted = ROOM_OF_HEADER +
        Math.min(this.needed + BEYOND, Math.max(PROMISED * held, LARGE_ROOM));
      if (wanted > length) {
        const to = this.#spare(held) ?? takeMemory(wanted, SLACK_OF_GIVEN);
        this.#move(to, ROOM_OF_HEADER);
      } else if (isShort || this.#first + this.needed <= length) {
        this.#move(this.bytes, this.#first);
      }
    } else if (isShort) {
      const grows = held > length / 2;
      if (grows) this.#move(new Uint8Array(Math.max(2 * length, LARGE_ROOM)), 0);
      else this.#move(this.bytes, this.#first);
    }
  }

  /** Memory for the whole request where there is some, and enough has come of it. */
  #spare(held: number): Uint8Array<ArrayBuffer> | undefined {
    const whole = this.needed + BEYOND;
    if (whole <= PROMISED * held || whole > PROMISED_SPARE * held) return undefined;
    return takeSpare(ROOM_OF_HEADER + whole, SLACK_OF_GIVEN);
  }

  /** Puts the bytes that are held into some memory, from `first` on. */
  #move(to: Uint8Array<ArrayBuffer>, first: number): void {
    const from = this.bytes;
    const { start, end } = this;
    to.set(from.subarray(start, end), first);
    if (to !== from && from !== this.#small) giveMemory(from);
    this.bytes = to;
    this.#searched = first + Math.max(0, this.#searched - start);
    this.end = first + end - start;
    this.start = this.#first = first;
  }

  /**
   * Says that requests view what has arrived until the next read, and not until they have run: nothing of it is
   * given away before.
   */
  pin(): void {
    this.#isPinned = true;
  }

  offers(value: Uint8Array): boolean {
    return value.length >= LEAST_GIVEN && value.buffer === this.bytes.buffer && !this.#isPinned &&
      this.#first === ROOM_OF_HEADER && this.held <= this.#small.length;
  }

  give(): Uint8Array<ArrayBuffer> {
    const given = this.bytes;
    const { start, end } = this;
    this.bytes = this.#small;
    this.bytes.set(given.subarray(start, end));
    this.start = this.#first = this.#searched = 0;
    this.end = end - start;
    return given;
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
    this.needed = 0;
  }

  /** Gives its memory back: nothing is read any more, and nobody views what was. */
  release(): void {
    free(this.bytes);
    free(this.#small);
    this.bytes = this.#small = NO_BYTES;
    this.start =
      this.end =
      this.needed =
      this.#searched =
        0;
  }
}
