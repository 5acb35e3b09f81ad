/**
 * Turns for what costs much processor time: so many concurrently, and among the addresses that wait each in
 * its turn. An address that guesses passwords by the thousand waits behind itself.
 *
 * @module
 */

/** Turns by address. */
export class Turns {
  readonly #most: number;
  #running = 0;
  /** Those who wait, by their addresses; the address that was served last stands last. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Runs `work` when it is the address's turn. */
  async run<T>(address: string, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#most) {
      await new Promise<void>((resolve) => {
        const queue = this.#waiting.get(address);
        if (queue === undefined) this.#waiting.set(address, [resolve]);
        else queue.push(resolve);
      });
    } else this.#running++;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  /** Hands the turn to the next address, if there is one. */
  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#running--;
      return;
    }
    const [address, queue] = first;
    const resolve = queue.shift()!;
    this.#waiting.delete(address);
    if (queue.length > 0) this.#waiting.set(address, queue);
    resolve();
  }
}
