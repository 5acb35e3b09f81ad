/**
 * What is known of keys that were read or written not long ago: it spares requests, and is never an
 * answer by itself (but for reads, as long as `--cache-ttl` allows). A write that goes by a hint is
 * conditional on its generation, so an old hint costs a request, not the truth.
 *
 * @module
 */

import { bytesOfBinaryString } from "../../bytes.ts";
import { KeyedMap } from "../../keyed_map.ts";
import type { Stored } from "./metadata.ts";

/** The state of a key. */
export interface State {
  /** What is there; `undefined` for nothing. */
  readonly stored: Stored | undefined;
  /** Its value, where that is known. */
  readonly value: Uint8Array | undefined;
}

/** Nothing is there. */
export const nothing: State = { stored: undefined, value: undefined };

/** A state, and since when nothing newer is known. */
export interface Hint extends State {
  /** When the request was sent that showed it, or was answered that made it (`performance.now()`). */
  readonly at: number;
}

/** What a hint takes beside key and value, in bytes, more or less. */
const overhead = 400;

/** Keeps the hints that were used last, up to a size. */
export class Hints {
  readonly #hints = new KeyedMap<Hint>();
  #bytes = 0;
  /** The latest time of a state that was forgotten for want of room. */
  #forgotten = -Infinity;

  /**
   * @param limit the size of all hints, in bytes.
   * @param greatest the greatest value that is kept, in bytes.
   */
  constructor(readonly limit: number, readonly greatest: number) {}

  /** How much memory the hints take, in bytes, more or less. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param key the key as a `binaryString`. */
  get(key: string): Hint | undefined {
    const bytes = bytesOfBinaryString(key);
    const hint = this.#hints.get(bytes);
    if (hint !== undefined) {
      this.#hints.delete(bytes);
      this.#hints.set(bytes, hint);
    }
    return hint;
  }

  /** Takes a state in, unless a newer one is known. Copies the value. */
  put(key: string, state: State, at: number): void {
    const bytes = bytesOfBinaryString(key);
    const before = this.#hints.get(bytes);
    // What is forgotten may have been newer: a write whose answer is out is not to be undone by a read before it.
    if ((before?.at ?? this.#forgotten) > at) return;
    this.#remove(bytes, before);
    const { stored, value } = state;
    const kept = value !== undefined && value.length <= this.greatest ? value.slice() : undefined;
    this.#hints.set(bytes, { stored, value: kept, at });
    this.#bytes += sizeOf(bytes, kept);
    if (this.#bytes > this.limit) this.#shrink();
  }

  delete(key: string): void {
    const bytes = bytesOfBinaryString(key);
    this.#remove(bytes, this.#hints.get(bytes));
  }

  #remove(key: Uint8Array, hint: Hint | undefined): void {
    if (hint === undefined) return;
    this.#hints.delete(key);
    this.#bytes -= sizeOf(key, hint.value);
  }

  #shrink(): void {
    for (const [oldest, hint] of this.#hints) {
      if (this.#bytes <= this.limit) break;
      this.#forgotten = Math.max(this.#forgotten, hint.at);
      this.#remove(oldest, hint);
    }
  }
}

function sizeOf(key: Uint8Array, value: Uint8Array | undefined): number {
  return overhead + key.length + (value?.length ?? 0);
}
