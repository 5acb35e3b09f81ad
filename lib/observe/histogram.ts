/**
 * Times in Prometheus's classic buckets: a fixed few, each an addition.
 *
 * @module
 */

/** The upper bounds of the buckets, in seconds; the last one, infinity, has none. */
export const bounds: readonly number[] = [
  0.0001,
  0.00025,
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
];

/** How often something took how long. */
export class Histogram {
  /** How many fell into each bucket, those of the ones before it left out; the last is infinity's. */
  readonly counts = new Float64Array(bounds.length + 1);
  /** The sum of the times, in seconds. */
  sum = 0;

  /** Adds `times` times of so many seconds each. */
  add(seconds: number, times = 1): void {
    let bucket = 0;
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++;
    this.counts[bucket]! += times;
    this.sum += seconds * times;
  }

  /** How many times were added. */
  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** The time in seconds that `share` of all did not exceed, between two bounds; 0 where there are none. */
  quantile(share: number): number {
    return quantileOf(this.counts, share);
  }
}

/** As {@linkcode Histogram.quantile}, of counts alone: of those of a minute, say. */
export function quantileOf(counts: ArrayLike<number>, share: number): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i]!;
  let remaining = total * share;
  for (let i = 0; i < bounds.length && total > 0; i++) {
    if (remaining <= counts[i]! && counts[i]! > 0) {
      const below = i === 0 ? 0 : bounds[i - 1]!;
      return below + (bounds[i]! - below) * remaining / counts[i]!;
    }
    remaining -= counts[i]!;
  }
  return total === 0 ? 0 : bounds.at(-1)!;
}
