/**
 * The keys that are asked for most, found in a bounded table (Metwally, Agrawal, El Abbadi: "Efficient
 * Computation of Frequent and Top-k Elements in Data Streams", 2005, Space-Saving).
 *
 * A key that makes up more than one of {@linkcode TRACKED} requests is in the table for certain. A count is
 * too high by its error at most, and never too low.
 *
 * @module
 */

/** Keys in the table: keys are a client's to choose, memory is not. */
const TRACKED = 256;

/** A key of the table. */
export interface HotKey {
  /** One character a byte. */
  readonly key: string;
  readonly count: number;
  /** By how much the count may be too high. */
  readonly error: number;
}

interface Counter {
  count: number;
  error: number;
}

/** Counts keys. */
export class HotKeys {
  readonly #counters = new Map<string, Counter>();

  /** Counts a key, one character a byte. */
  add(key: string): void {
    const counter = this.#counters.get(key);
    if (counter !== undefined) counter.count++;
    else if (this.#counters.size < TRACKED) this.#counters.set(key, { count: 1, error: 0 });
    else this.#replaceLeast(key);
  }

  clear(): void {
    this.#counters.clear();
  }

  /** The keys that were counted most, so many at most. */
  top(most: number): HotKey[] {
    return [...this.#counters].map(([key, counter]) => ({ key, ...counter }))
      .sort((a, b) => b.count - a.count).slice(0, most);
  }

  #replaceLeast(key: string): void {
    let least = "";
    let count = Infinity;
    for (const [other, counter] of this.#counters) {
      if (counter.count < count) {
        least = other;
        count = counter.count;
      }
    }
    this.#counters.delete(least);
    this.#counters.set(key, { count: count + 1, error: count });
  }
}
