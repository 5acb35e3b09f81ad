/**
 * What keeps requests waiting or sends them away: latency, and a bucket's rates.
 *
 * @module
 */

/**
 * Latency as its quantiles, evenly spaced, in milliseconds: `[25, 50]` is anything from 25 to 50,
 * `[25, 30, 40, 400]` has a long tail. An empty one is no latency.
 */
export type Latency = readonly number[];

/** One latency drawn from the distribution, in milliseconds. */
export function drawLatency(latency: Latency): number {
  if (latency.length < 2) return latency[0] ?? 0;
  const at = Math.random() * (latency.length - 1);
  const below = Math.floor(at);
  return latency[below] + (latency[below + 1] - latency[below]) * (at - below);
}

/** A token bucket that holds one second's worth. */
export class Rate {
  #tokens: number;
  #filled = performance.now();

  /** @param perSecond how many requests a second pass; `Infinity` lets all pass. */
  constructor(readonly perSecond: number) {
    this.#tokens = perSecond;
  }

  /** Whether one more passes now. */
  take(): boolean {
    if (this.perSecond === Infinity) return true;
    const now = performance.now();
    this.#tokens = Math.min(
      this.perSecond,
      this.#tokens + (now - this.#filled) * this.perSecond / 1000,
    );
    this.#filled = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
