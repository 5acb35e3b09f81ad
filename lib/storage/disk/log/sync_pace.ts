/**
 * Whether the thread waits for a sync, or serves others meanwhile. docs/benchmarks.md, "Group commit",
 * has the measurements.
 *
 * To hand a sync to another thread and be woken when it is over takes about a tenth of a millisecond, and
 * CPU that a few sets would take. A medium that is faster than that (one with a battery behind it) is waited for; while
 * another is at work there is time to serve, and the next group gathers. Without `--fsync always` no reply waits
 * for a sync, which may have much more to write, and the thread never does.
 *
 * @module
 */

/** A sync that is faster, in milliseconds, is waited for. */
const FAST_SYNC = 0.1;
/** One that is late by chance counts for no more than this. */
const LATE = FAST_SYNC * 4;
/** Of the average a new one is this part. */
const WEIGHT = 1 / 8;
/**
 * On a slow medium one sync after so many is waited for all the same, to find out whether it still is:
 * after each that was slow twice as many pass, up to the second number.
 */
const FIRST_PROBE = 16;
const LAST_PROBE = 1 << 12;

/** What is known of the syncs of one medium. */
export class SyncPace {
  /** Milliseconds that a sync takes which is waited for, on the average. */
  #average = LATE;
  #probeAfter = FIRST_PROBE;
  /** Syncs since the last that was waited for. The first one is: nobody is served yet. */
  #passed = FIRST_PROBE;

  /** Whether the next sync is to be waited for. */
  next(): boolean {
    if (this.#average >= FAST_SYNC && this.#passed++ < this.#probeAfter) return false;
    this.#passed = 0;
    return true;
  }

  /** Notes how long one took that was waited for, in milliseconds. */
  took(milliseconds: number): void {
    const isFast = milliseconds < FAST_SYNC;
    // One that is fast says that they can be: the next that is slow says otherwise.
    if (isFast && this.#average >= FAST_SYNC) this.#average = milliseconds;
    else this.#average += (Math.min(milliseconds, LATE) - this.#average) * WEIGHT;
    this.#probeAfter = isFast ? FIRST_PROBE : Math.min(this.#probeAfter * 2, LAST_PROBE);
  }
}
