/**
 * How fast copies leave this machine.
 *
 * @module
 */

/** Lets so many bytes a second pass, for all uploads of a destination together. */
export class Bandwidth {
  /** When all that has passed so far is sent at this rate, as `performance.now()` tells time. */
  #free = 0;

  /**
   * @param rate bytes a second; `Infinity` for no limit.
   * @param pause waits so many milliseconds.
   */
  constructor(readonly rate: number, readonly pause: (ms: number) => Promise<void>) {}

  /**
   * Waits for the turn of so many bytes, which then go immediately: whoever takes few at a time spreads
   * them evenly. Nothing is saved up while nobody sends.
   */
  async take(bytes: number): Promise<void> {
    if (this.rate === Infinity) return;
    const now = performance.now();
    const turn = Math.max(now, this.#free);
    this.#free = turn + bytes / this.rate * 1000;
    if (turn > now) await this.pause(turn - now);
  }
}
