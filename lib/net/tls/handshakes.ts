/**
 * The handshakes that are under way: so many at most, each for so long at most.
 *
 * @module
 */

/** How long a handshake may take, in milliseconds. */
const LONGEST = 5000;
/** Handshakes at a time; the oldest makes room for one more. */
export const MOST_HANDSHAKES = 128;

/** One handshake. */
export interface Handshake {
  /** Says that it has ended, well or not; does nothing a second time. */
  end(): void;
}

/** All handshakes of a server. */
export class Handshakes {
  readonly #failed: () => void;
  readonly #most: number;
  readonly #longest: number;
  /** In the order in which they began. */
  readonly #open = new Map<Handshake, () => void>();

  constructor(failed: () => void, { most = MOST_HANDSHAKES, longest = LONGEST } = {}) {
    this.#failed = failed;
    this.#most = most;
    this.#longest = longest;
  }

  /** Handshakes under way. */
  get size(): number {
    return this.#open.size;
  }

  /** Begins one, which `close` ends where it takes too long or others need its place. */
  begin(close: () => void): Handshake {
    if (this.#open.size >= this.#most) {
      const [oldest] = this.#open.keys();
      this.#open.get(oldest!)!();
    }
    const expire = () => {
      handshake.end();
      close();
    };
    const timer = setTimeout(expire, this.#longest);
    const handshake: Handshake = {
      end: () => {
        if (this.#open.delete(handshake)) clearTimeout(timer);
      },
    };
    this.#open.set(handshake, expire);
    return handshake;
  }

  /** Counts a handshake that came to nothing. */
  fail(): void {
    this.#failed();
  }

  /** Ends all: the server ends. */
  close(): void {
    for (const expire of [...this.#open.values()]) expire();
  }
}
