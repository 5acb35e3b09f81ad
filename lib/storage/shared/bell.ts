/**
 * What wakes a thread that has nothing to do, without keeping its event loop from anything else.
 *
 * A wake-up costs more than a request's work, so nobody rings for a thread that is awake: it looks for
 * work once more after it has said that it sleeps.
 *
 * @module
 */

/** Words of a bell: a count of rings, and whether somebody sleeps. */
export const BELL_WORDS = 16;
const RINGS = 0;
const SLEEPS = 1;

/** One bell, as its thread and those that ring it see it. */
export class Bell {
  /** How often the thread slept, for measurements. */
  sleeps = 0;
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param words shared; the bell has {@linkcode BELL_WORDS} of them from `at` on */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Wakes the thread if it sleeps. Call it after the work is where the thread looks for it. */
  ring(): void {
    const words = this.#words;
    const at = this.#at;
    if (Atomics.exchange(words, at + SLEEPS, 0) === 0) return;
    Atomics.add(words, at + RINGS, 1);
    Atomics.notify(words, at + RINGS);
  }

  /**
   * Sleeps until the bell rings; `undefined` where there is work already.
   *
   * @param hasWork looked at after everybody can see that this thread sleeps, so that no ring is lost
   */
  sleep(hasWork: () => boolean): Promise<unknown> | undefined {
    const words = this.#words;
    const at = this.#at;
    const rings = Atomics.load(words, at + RINGS);
    Atomics.store(words, at + SLEEPS, 1);
    if (hasWork()) {
      Atomics.store(words, at + SLEEPS, 0);
      return undefined;
    }
    const { async, value } = Atomics.waitAsync(words, at + RINGS, rings);
    if (!async) return undefined;
    this.sleeps++;
    return value;
  }
}
