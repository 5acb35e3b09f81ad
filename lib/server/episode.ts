/**
 * A state that the operator is told of when it begins and when it is over: one line each, however often
 * clients make it happen in between.
 *
 * @module
 */

/** So many quiet ticks end an episode. */
const QUIET_TICKS = 10;

/** One kind of trouble. */
export class Episode {
  readonly #log: (line: string) => void;
  readonly #over: string;
  #count = 0;
  #quiet = 0;

  /** @param over what is said when it is over, before how often it happened */
  constructor(log: (line: string) => void, over: string) {
    this.#log = log;
    this.#over = over;
  }

  /** It has happened. The line is said where this is the first time. */
  happen(line: string): void {
    this.#quiet = 0;
    if (this.#count++ === 0) this.#log(line);
  }

  /** Call once a second. */
  tick(): void {
    if (this.#count === 0 || ++this.#quiet < QUIET_TICKS) return;
    this.#log(`${this.#over} (${this.#count} times)`);
    this.#count = 0;
  }
}
