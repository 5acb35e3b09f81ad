/**
 * Whether a medium is so fast that the loop may wait for its reads.
 *
 * @module
 */

/** A read that takes longer than this, in milliseconds, came from a slow medium. */
const FAST_READ = 0.03;
/**
 * While the medium is slow, one read now and then finds out whether it still is; after each that was slow
 * twice as many pass, up to this number, for it holds up everybody; after one that was fast the next
 * follows soon.
 */
const LAST_PROBE = 1 << 15;
const SOON = 4;

/** What the reads so far tell: each asks {@linkcode isSlow}, and is measured where it does not. */
export class ReadPace {
  /** How long synchronous reads take, in milliseconds, a moving average; and when to measure again. */
  #readTime = 0;
  #untilMeasured = 0;
  /** Reads that pass before the medium is probed again, and that have passed. */
  #probeAfter: number;
  #passed = 0;

  readonly #firstProbe: number;

  /** @param firstProbe reads that pass before the first probe, at least */
  constructor(firstProbe = 64) {
    this.#firstProbe = this.#probeAfter = firstProbe;
  }

  /** Whether the next read would hold up the others. */
  isSlow(): boolean {
    if (this.#readTime < FAST_READ) return false;
    if (++this.#passed < this.#probeAfter) return true;
    this.#passed = 0;
    this.#untilMeasured = 0;
    return false;
  }

  /** A synchronous read begins; returns what {@linkcode end} is told. */
  begin(): number {
    return this.#untilMeasured-- <= 0 ? performance.now() : 0;
  }

  end(began: number): void {
    if (began === 0) return;
    const isProbe = this.#readTime >= FAST_READ;
    // One read that happens to be late says nothing: two in a row do.
    const took = Math.min(performance.now() - began, FAST_READ * 6);
    this.#readTime += (took - this.#readTime) / 8;
    this.#untilMeasured = this.#readTime > FAST_READ / 2 ? 0 : 7;
    if (!isProbe) return;
    this.#probeAfter = took < FAST_READ
      ? SOON
      : Math.min(Math.max(this.#probeAfter * 2, this.#firstProbe), LAST_PROBE);
  }
}
