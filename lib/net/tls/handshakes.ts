/**
 * The handshakes that are under way: so many at most, each for so long at most.
 *
 * Clients that connect all together, as they do when a server has started again, wait for each other in the
 * system's queue. But those that say nothing must not keep the others out: of so many handshakes the oldest makes
 * room, when it was looked at fifty times in a second and has not ended. Looks are counted, not milliseconds: on a machine
 * with much to do there are fewer, and all handshakes take longer.
 *
 * @module
 */

/** How long a handshake may take, in milliseconds. */
const LONGEST = 5000;
/** Handshakes at a time. */
export const MOST_HANDSHAKES = 128;
/** Milliseconds between two looks while somebody waits, and after how many the oldest makes room. */
const LOOK = 20;
const LOOKS = 50;

/** One handshake. */
export interface Handshake {
  /** Says that it has ended, well or not; does nothing a second time. */
  end(): void;
}

interface Open {
  /** Ends it. */
  readonly expire: () => void;
  /** How many looks there were before it. */
  readonly since: number;
}

/** All handshakes of a server. */
export class Handshakes {
  readonly #failed: () => void;
  readonly #most: number;
  readonly #longest: number;
  readonly #mostLooks: number;
  /** In the order in which they began. */
  readonly #open = new Map<Handshake, Open>();
  #looks = 0;
  #looking: ReturnType<typeof setInterval> | undefined;
  /** Resolves when there may be room, where somebody waits for that. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(
    failed: () => void,
    { most = MOST_HANDSHAKES, longest = LONGEST, looks = LOOKS } = {},
  ) {
    this.#failed = failed;
    this.#most = most;
    this.#longest = longest;
    this.#mostLooks = looks;
  }

  /** Handshakes under way. */
  get size(): number {
    return this.#open.size;
  }

  /** What to wait for before another connection is taken, after which there may be room; nothing where there is. */
  room(): Promise<void> | undefined {
    if (this.#open.size < this.#most || this.#isOverdue()) return undefined;
    this.#looking ??= setInterval(() => this.#look(), LOOK);
    return (this.#room ??= Promise.withResolvers<void>()).promise;
  }

  /** Begins one, which `close` ends where it takes too long or others need its place. */
  begin(close: () => void): Handshake {
    if (this.#open.size >= this.#most) {
      const [oldest] = this.#open.values();
      oldest!.expire();
    }
    const expire = () => {
      handshake.end();
      close();
    };
    const timer = setTimeout(expire, this.#longest);
    const handshake: Handshake = {
      end: () => {
        if (!this.#open.delete(handshake)) return;
        clearTimeout(timer);
        this.#wake();
      },
    };
    this.#open.set(handshake, { expire, since: this.#looks });
    return handshake;
  }

  /** Counts a handshake that came to nothing. */
  fail(): void {
    this.#failed();
  }

  /** Ends all: the server ends. */
  close(): void {
    for (const { expire } of [...this.#open.values()]) expire();
    clearInterval(this.#looking);
  }

  #isOverdue(): boolean {
    const [oldest] = this.#open.values();
    return oldest !== undefined && this.#looks - oldest.since >= this.#mostLooks;
  }

  #look(): void {
    this.#looks++;
    if (this.#room === undefined) {
      clearInterval(this.#looking);
      this.#looking = undefined;
    } else if (this.#isOverdue()) this.#wake();
  }

  #wake(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
