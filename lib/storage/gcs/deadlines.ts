/**
 * Times by which something must have happened, watched by one timer: a timer for each would cost more
 * than much of what it watches.
 *
 * @module
 */

/** How much later than its time a deadline may be noticed, in milliseconds. */
const grain = 20;

/** What is to be done at a time. */
export interface Deadline {
  /** As `performance.now()` tells time. */
  readonly at: number;
  readonly late: () => void;
}

/** Calls what is late. */
export class Deadlines {
  readonly #waiting = new Set<Deadline>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #ended = false;

  /** Calls `late` when the time `at` has come and the deadline was not cleared before. */
  set(at: number, late: () => void): Deadline {
    const deadline = { at, late };
    if (this.#ended) {
      queueMicrotask(late);
      return deadline;
    }
    this.#waiting.add(deadline);
    this.#timer ??= setInterval(() => this.#tick(), grain);
    return deadline;
  }

  clear(deadline: Deadline): void {
    this.#waiting.delete(deadline);
  }

  /** Waits so many milliseconds, at most until the end. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.set(performance.now() + ms, resolve));
  }

  /** Calls all there are, and all that come after: their time is up. */
  end(): void {
    this.#ended = true;
    this.#callUntil(Infinity);
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    this.#callUntil(performance.now());
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #callUntil(time: number): void {
    for (const deadline of this.#waiting) {
      if (deadline.at > time) continue;
      this.#waiting.delete(deadline);
      deadline.late();
    }
  }
}
