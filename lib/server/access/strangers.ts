/**
 * The connections that have yet to log in: so many at most, each for so long at most.
 *
 * When their share is full the oldest of them makes room, and not the newest is refused: nobody locks
 * others out by connections that never log in.
 *
 * @module
 */

/** How long a connection may take to log in, in seconds. */
export const LOGIN_TIME = 5;

/** A connection that may log in. */
export interface Stranger {
  readonly session: { readonly authenticated: boolean; readonly checking: boolean };
  close(): void;
}

/** The strangers of one server, in the order in which they came. */
export class Strangers {
  /** Connections that were closed as they took too long, or made room. */
  closed = 0;
  readonly #most: number;
  /** When each came, in seconds of {@linkcode tick}. */
  readonly #since = new Map<Stranger, number>();
  #now = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Those that have not logged in, as of the last look at them. */
  get size(): number {
    return this.#since.size;
  }

  /** Takes one more. */
  enter(stranger: Stranger): void {
    if (this.#since.size >= this.#most) this.#forgetKnown();
    if (this.#since.size >= this.#most) {
      const [oldest] = this.#since.keys();
      this.#close(oldest!);
    }
    this.#since.set(stranger, this.#now);
  }

  /** A connection has ended. */
  leave(stranger: Stranger): void {
    this.#since.delete(stranger);
  }

  /** Call once a second. */
  tick(): void {
    this.#now++;
    this.#forgetKnown();
    for (const [stranger, since] of this.#since) {
      if (this.#now - since <= LOGIN_TIME) break;
      if (!stranger.session.checking) this.#close(stranger);
    }
  }

  /** A client that has logged in is a stranger no more. */
  #forgetKnown(): void {
    for (const stranger of this.#since.keys()) {
      if (stranger.session.authenticated) this.#since.delete(stranger);
    }
  }

  #close(stranger: Stranger): void {
    this.#since.delete(stranger);
    this.closed++;
    stranger.close();
  }
}
