/**
 * When the next request is due.
 *
 * @module
 */

/** Hands out requests, one at a time. Times are those of `performance.now()`, in milliseconds. */
export interface Pace {
  /**
   * When the next request is due, now or later; `undefined` when there is none left. Its latency
   * counts from then.
   */
  next(now: number): number | undefined;
}

/** Closed loop: the next request is due when the one before has been answered. */
export class BackToBack implements Pace {
  #requests: number;
  readonly #deadline: number;

  /** `requests` of them, until `deadline`. */
  constructor(requests: number, deadline: number) {
    this.#requests = requests;
    this.#deadline = deadline;
  }

  next(now: number): number | undefined {
    if (this.#requests <= 0 || now >= this.#deadline) return undefined;
    this.#requests--;
    return now;
  }
}

/**
 * Open loop: requests are due by the clock, whatever the server does. What waits because the server,
 * or the queue before it, is slow has been waiting since it was due, and its latency says so: no
 * omission is coordinated with the server's pauses. The clock also ends it: what was due and could
 * not be sent by the deadline is counted, and not sent.
 */
export class Schedule implements Pace {
  readonly #rate: number;
  readonly #start: number;
  readonly #deadline: number;
  readonly #requests: number;
  #given = 0;

  /** `rate` is in requests a second; it ends after `requests`, or at `deadline`. */
  constructor(
    { rate, start, requests, deadline }: {
      rate: number;
      start: number;
      requests: number;
      deadline: number;
    },
  ) {
    this.#rate = rate;
    this.#start = start;
    this.#deadline = deadline;
    this.#requests = Math.min(requests, this.#dueBy(deadline));
  }

  next(now: number): number | undefined {
    if (this.#given >= this.#requests || now >= this.#deadline) return undefined;
    return this.#start + this.#given++ * 1000 / this.#rate;
  }

  /** How many were due by `now` and have not been handed out. */
  unsent(now: number): number {
    const due = this.#dueBy(Math.min(now, this.#deadline));
    return Math.max(0, Math.min(this.#requests, due) - this.#given);
  }

  /** How many are due before `time`. */
  #dueBy(time: number): number {
    // The difference of two large times is off in its last digits: that makes no request more.
    return Math.ceil((time - this.#start) * this.#rate / 1000 - 1e-6);
  }
}
