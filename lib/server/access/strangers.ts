/**
 * The connections that have yet to log in: so many at most, each for so long at most.
 *
 * When their share is full the oldest of them makes room, and not the newest is refused: nobody locks
 * others out by connections that never log in.
 *
 * @module
 */

import { type Count, PlainCount } from "../../count.ts";

/** How long a connection may take to log in, in seconds. */
export const LOGIN_TIME = 5;

/** A connection that may log in. */
export interface Stranger {
  readonly session: { readonly checking: boolean; admitted: (() => void) | undefined };
  close(): void;
}

/** The strangers of one thread, in the order in which they came. */
export class Strangers {
  /** Connections that were closed as they took too long, or made room. */
  closed = 0;
  readonly #most: number;
  /** Those of all threads. */
  readonly #count: Count;
  /** When each came, in seconds of {@linkcode tick}. */
  readonly #since = new Map<Stranger, number>();
  #now = 0;

  /**
   * @param most how many there may be, in all threads together
   * @param count those of all threads
   */
  constructor(most: number, count: Count = new PlainCount()) {
    this.#most = most;
    this.#count = count;
  }

  /** Those of this thread that have not logged in. */
  get size(): number {
    return this.#since.size;
  }

  /** Takes one more. Where the share is full, and other threads have all of it, that is one too many. */
  enter(stranger: Stranger): void {
    if (this.#count.value >= this.#most) {
      const [oldest] = this.#since.keys();
      if (oldest !== undefined) this.#close(oldest);
    }
    this.#since.set(stranger, this.#now);
    this.#count.add(1);
    stranger.session.admitted = () => this.leave(stranger);
  }

  /** A connection has ended, or is a stranger no more. */
  leave(stranger: Stranger): void {
    if (this.#since.delete(stranger)) this.#count.add(-1);
    stranger.session.admitted = undefined;
  }

  /** Call once a second. */
  tick(): void {
    this.#now++;
    for (const [stranger, since] of this.#since) {
      if (this.#now - since <= LOGIN_TIME) break;
      if (!stranger.session.checking) this.#close(stranger);
    }
  }

  #close(stranger: Stranger): void {
    this.leave(stranger);
    this.closed++;
    stranger.close();
  }
}
