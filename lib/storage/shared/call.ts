/**
 * What a worker has asked, while the owner runs it.
 *
 * @module
 */

import { Batch, type Item, type Swapped } from "../contract.ts";
import type { Channel } from "./channel.ts";

/** Bytes of key and value that a call has room for, at first. */
export const ROOM = 512;

/** A call that is under way. They are used again and again. */
export class Call {
  readonly batch = new Batch();
  channel!: Channel;
  number = 0;
  a = 0;
  b = 0;
  /** What `Changes.stamp` was when the state was read, or after the change. */
  stamp = 0;
  /** The key, and behind it the value, as long as the store may need them; the same as words. */
  bytes!: Uint8Array;
  words!: Uint32Array;
  keyLength = 0;
  #key: Uint8Array | undefined;
  #value: Uint8Array | undefined;
  isSwap = false;
  /** Bytes of the key and value that a swap puts there. */
  size = 0;
  /** What came of a swap, and whether that is to be put on the shelf. */
  swapped: Swapped = "absent";
  isShown = false;
  /** What a read has found, and whether that was current. */
  item: Item | undefined;
  isCurrent = false;
  /**
   * When a read was an access, in seconds since 1970; -1 for a peek. Of a swap, when what it is to replace was
   * accessed, where the store does not know that; 0 and -1 where there is nothing to tell it.
   */
  accessed = 0;

  constructor() {
    this.grow(ROOM);
  }

  /** Makes room for so many bytes. */
  grow(bytes: number): void {
    const memory = new ArrayBuffer(bytes + 3 & ~3);
    this.bytes = new Uint8Array(memory);
    this.words = new Uint32Array(memory);
    this.#key = this.#value = undefined;
  }

  /** The key, within {@linkcode bytes}. Calls are alike: a view of the last one's length is used again. */
  get key(): Uint8Array {
    if (this.#key?.length === this.keyLength) return this.#key;
    return this.#key = this.bytes.subarray(0, this.keyLength);
  }

  /** The value behind the key, which ends at `end`. */
  valueTo(end: number): Uint8Array {
    const value = this.#value;
    if (value?.byteOffset === this.keyLength && value.length === end - this.keyLength) return value;
    return this.#value = this.bytes.subarray(this.keyLength, end);
  }
}
