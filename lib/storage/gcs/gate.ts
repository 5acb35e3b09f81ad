/**
 * How many requests are in flight, and which wait for their turn.
 *
 * @module
 */

import { StoreError } from "../../errors.ts";
import type { Deadlines } from "./deadlines.ts";

interface Waiter {
  readonly enter: () => void;
  waiting: boolean;
}

/** Lets a number of requests be in flight; the others wait in the order in which they came. */
export class Gate {
  #free: number;
  #queue: Waiter[] = [];
  #head = 0;
  #waiting = 0;

  /**
   * @param width how many may be in flight.
   * @param greatest how many may wait; one more is refused, so that memory stays bounded.
   */
  constructor(readonly width: number, readonly greatest: number, readonly deadlines: Deadlines) {
    this.#free = width;
  }

  /** How many are under way. */
  get busy(): number {
    return this.width - this.#free;
  }

  /** Enters if that is possible immediately. */
  tryEnter(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /**
   * Waits for the turn.
   *
   * @param until when it is too late, as `performance.now()` tells time.
   * @throws {StoreError} when it is too late, or too many wait.
   */
  enter(until: number): Promise<void> {
    if (this.#waiting >= this.greatest) {
      throw new StoreError("Too many requests are waiting for the bucket");
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = {
      waiting: true,
      enter: () => {
        this.deadlines.clear(deadline);
        resolve();
      },
    };
    const deadline = this.deadlines.set(until, () => {
      waiter.waiting = false;
      this.#waiting--;
      reject(new StoreError("The bucket is too slow for the requests that wait for it"));
    });
    this.#waiting++;
    this.#queue.push(waiter);
    return promise;
  }

  /** Leaves, and lets the next one in. */
  leave(): void {
    while (this.#head < this.#queue.length) {
      const waiter = this.#queue[this.#head++];
      if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (!waiter.waiting) continue;
      waiter.waiting = false;
      this.#waiting--;
      return waiter.enter();
    }
    this.#queue.length = this.#head = 0;
    this.#free++;
  }
}
