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
  /** The least count there was at the last look, and the keys that had it. */
  #floor = 0;
  #least: string[] = [];

  /** Counts a key, one character a byte, `times` times. */
  add(key: string, times = 1): void {
    const counter = this.#counters.get(key);
    if (counter !== undefined) counter.count += times;
    else if (this.#counters.size < TRACKED) this.#counters.set(key, { count: times, error: 0 });
    else this.#replaceLeast(key, times);
  }

  clear(): void {
    this.#counters.clear();
    this.#least = [];
  }

  /** The keys that were counted most, so many at most. */
  top(most: number): HotKey[] {
    return [...this.#counters].map(([key, counter]) => ({ key, ...counter }))
      .sort((a, b) => b.count - a.count).slice(0, most);
  }

  /** Takes the place of a key that was counted least. They are looked up once for all that are so. */
  #replaceLeast(key: string, times: number): void {
    for (;;) {
      const least = this.#least.pop();
      if (least === undefined) this.#findLeast();
      else if (this.#counters.get(least)?.count === this.#floor) {
        this.#counters.delete(least);
        this.#counters.set(key, { count: this.#floor + times, error: this.#floor });
        return;
      }
    }
  }

  #findLeast(): void {
    this.#floor = Infinity;
    for (const { count } of this.#counters.values()) this.#floor = Math.min(this.#floor, count);
    for (const [key, { count }] of this.#counters) if (count === this.#floor) this.#least.push(key);
  }
}
