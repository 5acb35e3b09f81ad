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
  /** The key, and behind it the value, as long as the store may need them. */
  bytes = new Uint8Array(ROOM);
  keyLength = 0;
  /** The key, within {@linkcode bytes}. */
  key!: Uint8Array;
  isSwap = false;
  /** What came of a swap, and whether that is to be put on the shelf. */
  swapped: Swapped = "absent";
  isShown = false;
  /** What a read has found, and whether that was current. */
  item: Item | undefined;
  isCurrent = false;
  /** When the read was an access, in seconds since 1970; -1 for a peek. */
  accessed = 0;
}
