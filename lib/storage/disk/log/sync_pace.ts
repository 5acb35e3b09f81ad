/**
 * Whether the thread waits for a sync, or serves others meanwhile. docs/benchmarks.md, "Group commit",
 * has the measurements.
 *
 * To hand a sync to another thread and be woken when it is over takes about a tenth of a millisecond, and
 * CPU that a few sets would take. A medium that is faster than that (one with a battery behind it) is waited for; while
 * another is at work there is time to serve, and the next group gathers. Where nobody is there to be served, as
 * everybody waits for that sync, and where a group is served in less time than a sync takes, the thread waits too.
 * Without `--fsync always` no reply waits for a sync, which may have much more to write, and the thread never does.
 *
 * @module
 */

/** A sync that is faster, in milliseconds, is waited for whatever else is to be served. */
const FAST_SYNC = 0.1;
/** Where nobody is lately served without a sync, one that is faster is waited for, in milliseconds. */
const FAST_FOR_ALL = 0.2;
/** One that is late by chance counts for no more than this. */
const LATE = 0.4;
/** Of the average a new one is this part. */
const WEIGHT = 1 / 8;
/**
 * On a slow medium one sync after so many is waited for all the same, to find out whether it still is:
 * after each that was slow twice as many pass, up to the second number.
 */
const FIRST_PROBE = 16;
const LAST_PROBE = 1 << 12;
/** Where all are waiting for it, one that is faster is waited for, in milliseconds. */
const BEARABLE_SYNC = 2;
/** All are waiting where of so many batches at most one needs no sync. */
const ALL_BUT_ONE_OF = 64;
/** Batches that are looked back on, about. */
const REMEMBERED = 512;
/** What a batch takes to be served, in milliseconds, about: a longer group is served while a sync is under way. */
const SERVED = 0.016;

/** What is known of the syncs of one medium, and of those who are served meanwhile. */
export class SyncPace {
  /** Batches since the last sync began: those that wait for one, and others. */
  waiting = 0;
  free = 0;
  /** The same of lately. */
  #waiting = 0;
  #free = 0;
  /** Milliseconds that a sync takes which is waited for, on the average. */
  #average = LATE;
  /** The same of all syncs, with what it costs to hand one to another thread. */
  #typical = BEARABLE_SYNC;
  #probeAfter = FIRST_PROBE;
  /** Syncs since the last that was waited for. The first one is: nobody is served yet. */
  #passed = FIRST_PROBE;

  /** Whether the next sync is to be waited for. */
  next(): boolean {
    const group = this.waiting;
    this.#waiting += group;
    this.#free += this.free;
    this.waiting = this.free = 0;
    if (this.#waiting + this.#free > REMEMBERED) {
      this.#waiting /= 2;
      this.#free /= 2;
    }
    const allWait = group > 0 && this.#free * ALL_BUT_ONE_OF <= this.#waiting;
    if (allWait && this.#typical < BEARABLE_SYNC && group * SERVED < this.#typical) return true;
    if (
      this.#average >= (allWait ? FAST_FOR_ALL : FAST_SYNC) && this.#passed++ < this.#probeAfter
    ) return false;
    this.#passed = 0;
    return true;
  }

  /**
   * Notes how long one took, in milliseconds.
   *
   * @param isWaitedFor whether the thread did nothing else meanwhile
   */
  took(milliseconds: number, isWaitedFor: boolean): void {
    this.#typical += (Math.min(milliseconds, 2 * BEARABLE_SYNC) - this.#typical) * WEIGHT;
    if (!isWaitedFor) return;
    const isFast = milliseconds < FAST_FOR_ALL;
    // One that is fast says that they can be: the next that is slow says otherwise.
    if (isFast && this.#average >= FAST_FOR_ALL) this.#average = milliseconds;
    else this.#average += (Math.min(milliseconds, LATE) - this.#average) * WEIGHT;
    this.#probeAfter = isFast ? FIRST_PROBE : Math.min(this.#probeAfter * 2, LAST_PROBE);
  }
}
