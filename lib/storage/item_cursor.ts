/**
 * An item as it was found, filled in place: one serves all reads of a thread, so that a read makes no
 * object.
 *
 * @module
 */

import type { ByteBuffer, Lender } from "../bytes.ts";
import type { Item } from "./contract.ts";
import { uint64 } from "../uint64.ts";

const NO_BYTES = new Uint8Array(0);

/** Looks at one item after another. What it shows is valid as long as point 3 of the contract says. */
export class ItemCursor implements Item {
  #bytes: Uint8Array = NO_BYTES;
  #view: DataView | undefined = undefined;
  #start = 0;
  #end = 0;
  /** Whose memory that is, where the value may be sent from there. */
  lender: Lender | undefined = undefined;
  flags = 0;
  exptime = 0;
  /** The cas unique in two words of 32 bits. */
  casHigh = 0;
  casLow = 0;
  stale = false;
  won = false;
  fetched = false;
  accessed = 0;
  binaryKey = false;
  version = 0;

  /**
   * Says that the value lies in `bytes` from `start` to `end`.
   *
   * @param view all of those bytes, where one is kept at hand
   */
  place(bytes: Uint8Array, view: DataView | undefined, start: number, end: number): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#start = start;
    this.#end = end;
  }

  /** A view of the value, made each time. */
  get value(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  get cas(): bigint {
    return uint64(this.casLow, this.casHigh);
  }

  /** The length of the value in bytes. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Writes the value to the end of `out`, or lets that borrow it. */
  appendTo(out: ByteBuffer): void {
    const { lender } = this;
    const view = this.#view;
    if (view === undefined || lender !== undefined) out.borrow(this.value, lender);
    else out.appendFrom(this.#bytes, view, this.#start, this.#end);
  }

  /** Lets go of the memory that the value lies in. */
  release(): void {
    this.place(NO_BYTES, undefined, 0, 0);
    this.lender?.release?.();
    this.lender = undefined;
  }

  /** Shows no cas unique from here on. */
  hideCas(): this {
    this.casHigh = this.casLow = 0;
    return this;
  }
}

/** The length of an item's value in bytes; no view of it is made. */
export function valueLength(item: { readonly value: Uint8Array }): number {
  return item instanceof ItemCursor ? item.size : item.value.length;
}
