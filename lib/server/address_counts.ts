/**
 * Counts by IP address, each of which has a bound.
 *
 * @module
 */

/** Counts, of one thread or of all. */
export interface AddressCounts {
  /** Counts one more, unless the address has `most` already; whether it was counted. */
  enter(address: string, most: number): boolean;
  /** Counts one less. */
  leave(address: string): void;
  /** Counts anew: call it once a second where counts are those of a second. */
  clear(): void;
}

/** Counts of one thread. */
export class PlainAddressCounts implements AddressCounts {
  readonly #counts = new Map<string, number>();

  enter(address: string, most: number): boolean {
    const count = this.#counts.get(address) ?? 0;
    if (count >= most) return false;
    this.#counts.set(address, count + 1);
    return true;
  }

  leave(address: string): void {
    const remaining = this.#counts.get(address)! - 1;
    if (remaining > 0) this.#counts.set(address, remaining);
    else this.#counts.delete(address);
  }

  clear(): void {
    this.#counts.clear();
  }
}
