/**
 * An item as a request brings it: its value lies among other bytes, and no view of it is made before
 * somebody asks for one.
 *
 * @module
 */

import { copyWords, dataViewOf, MOST_BY_WORDS } from "../bytes.ts";
import type { NewItem } from "./contract.ts";

/** What is to be stored. */
export class ArrivedItem implements NewItem {
  readonly stale = false;
  readonly won = false;
  readonly fetched = false;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #value: Uint8Array | undefined = undefined;

  /** The value lies in `bytes` from `start` to `end`. */
  constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    readonly flags: number,
    readonly exptime: number,
    readonly cas: bigint,
    readonly accessed: number,
    readonly binaryKey: boolean,
  ) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  get value(): Uint8Array {
    return this.#value ??= this.#bytes.subarray(this.#start, this.#end);
  }

  get size(): number {
    return this.#end - this.#start;
  }

  copyTo(bytes: Uint8Array, view: DataView, at: number): void {
    const { size } = this;
    if (size > MOST_BY_WORDS) bytes.set(this.value, at);
    else copyWords(dataViewOf(this.#bytes), this.#start, size, view, at);
  }
}
