/**
 * A run of bytes of known length that arrives in pieces. Memory grows with what has arrived, so that
 * an announced length alone takes none.
 *
 * @module
 */

/** Up to this length, in bytes, a run gets its memory as soon as it begins. */
const AT_ONCE = 2 ** 20;

const NONE = new Uint8Array();

/** One run of bytes after another. */
export class ArrivingBytes {
  #bytes: Uint8Array<ArrayBuffer> = NONE;
  #filled = 0;
  #length = 0;

  /** A run of so many bytes begins. */
  begin(length: number): void {
    this.#bytes = NONE;
    this.#filled = 0;
    this.#length = length;
  }

  /** Takes what `source` has of the run from `at` on, and returns how many bytes that is. */
  take(source: Uint8Array, at: number): number {
    const missing = this.#length - this.#filled;
    const count = Math.min(missing, source.length - at);
    if (count === 0) return 0;
    if (count === this.#length) {
      // The usual case: all of it lies in one piece and is copied once.
      this.#bytes = new Uint8Array(source.subarray(at, at + count));
    } else {
      this.#reserve(this.#filled + count);
      this.#bytes.set(source.subarray(at, at + count), this.#filled);
    }
    this.#filled += count;
    return count;
  }

  /** Whether all of it has arrived. */
  get complete(): boolean {
    return this.#filled === this.#length;
  }

  /** The run, which is the caller's from now on. It must be complete. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  #reserve(needed: number): void {
    const has = this.#bytes.length;
    if (needed <= has) return;
    const grown = new Uint8Array(Math.min(this.#length, Math.max(AT_ONCE, 2 * has, needed)));
    grown.set(this.#bytes.subarray(0, this.#filled));
    this.#bytes = grown;
  }
}
