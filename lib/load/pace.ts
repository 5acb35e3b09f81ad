/**
 * When the next request is due.
 *
 * @module
 */

/** Gives requests out, one at a time. Times are those of `performance.now()`, in milliseconds. */
export interface Pace {
  /**
   * When the next request is due, now or later; `undefined` when there is none left. Its latency
   * counts from then.
   */
  next(now: number): number | undefined;
}

/** Closed loop: the next request is due when the one before has been answered. */
export class BackToBack implements Pace {
  /** `requests` of them, until `deadline`. */
  constructor(private requests: number, private readonly deadline: number) {}

  next(now: number): number | undefined {
    if (this.requests <= 0 || now >= this.deadline) return undefined;
    this.requests--;
    return now;
  }
}

/**
 * Open loop: requests are due by the clock, whatever the server does. What waits because the server,
 * or the queue before it, is slow has been waiting since it was due, and its latency says so: no
 * omission is coordinated with the server's pauses.
 */
export class Schedule implements Pace {
  #given = 0;

  /** `rate` is in requests a second. */
  constructor(
    private readonly rate: number,
    private readonly start: number,
    private readonly requests: number,
    private readonly deadline: number,
  ) {}

  next(): number | undefined {
    if (this.#given >= this.requests) return undefined;
    const due = this.start + this.#given * 1000 / this.rate;
    if (due >= this.deadline) return undefined;
    this.#given++;
    return due;
  }
}
