/**
 * Latencies by the million in a few kilobytes.
 *
 * @module
 */

/** Buckets up to twice this are exact; above it, each power of two has this many. */
const BUCKETS = 128;
const BUCKET_BITS = Math.log2(BUCKETS);
/** Microseconds that one unit is: a tenth, so that the shortest latencies are told apart. */
const UNIT = 0.1;
/** 2^31 units are 214 s; a longer latency counts as that. */
const MOST = 2 ** 31 - 1;

/** Counts latencies with an error below one percent. */
export class Histogram {
  /** How many fell into each bucket; what another thread needs to add them to its own. */
  readonly counts: Float64Array;
  #max: number;

  constructor(
    { counts, max }: { readonly counts: Float64Array; readonly max: number } = {
      counts: new Float64Array(bucketOf(MOST) + 1),
      max: 0,
    },
  ) {
    this.counts = counts;
    this.#max = max;
  }

  /** Adds a latency in milliseconds. */
  record(milliseconds: number): void {
    this.counts[bucketOf(Math.min(MOST, Math.max(0, Math.round(milliseconds * 1000 / UNIT))))]!++;
    if (milliseconds > this.#max) this.#max = milliseconds;
  }

  /** Adds what another one has counted. */
  add(other: { readonly counts: Float64Array; readonly max: number }): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i]! += other.counts[i]!;
    this.#max = Math.max(this.#max, other.max);
  }

  /** The longest latency, in milliseconds; exact. */
  get max(): number {
    return this.#max;
  }

  /** Latencies in milliseconds with how often they came, from the shortest to the longest. */
  *buckets(): Generator<{ readonly milliseconds: number; readonly count: number }> {
    for (let bucket = 0; bucket < this.counts.length; bucket++) {
      const count = this.counts[bucket]!;
      if (count === 0) continue;
      const milliseconds = highestOf(bucket) * UNIT / 1000;
      yield { milliseconds: Math.min(this.#max, milliseconds), count };
    }
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** The latency in milliseconds that `percent` of all did not exceed; 0 where there are none. */
  percentile(percent: number): number {
    let left = Math.ceil(this.count * percent / 100);
    if (left === 0) return 0;
    let bucket = 0;
    while ((left -= this.counts[bucket]!) > 0) bucket++;
    return Math.min(this.#max, (highestOf(bucket) * UNIT) / 1000);
  }
}

function bucketOf(units: number): number {
  const shift = Math.max(0, 31 - Math.clz32(units | 1) - BUCKET_BITS);
  return shift * BUCKETS + (units >>> shift);
}

/** The highest number of units in a bucket. */
function highestOf(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / BUCKETS) - 1);
  return (bucket - shift * BUCKETS + 1) * 2 ** shift - 1;
}
