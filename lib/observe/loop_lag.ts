/**
 * How late the event loop is: by how much a timer comes after its time.
 *
 * @module
 */

/** Milliseconds between two looks, and how many looks are remembered. */
const INTERVAL = 500;
const REMEMBERED = 20;

/** Watches the event loop of this thread. */
export class LoopLag implements Disposable {
  readonly #latest = new Float64Array(REMEMBERED);
  #looks = 0;
  #due = performance.now() + INTERVAL;
  readonly #timer = setInterval(() => this.#look(), INTERVAL);

  constructor() {
    Deno.unrefTimer(this.#timer);
  }

  /** The longest lateness of the last looks, and of one that is due, in seconds. */
  get seconds(): number {
    const overdue = performance.now() - this.#due;
    return Math.max(0, overdue, ...this.#latest) / 1000;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    this.#latest[this.#looks++ % REMEMBERED] = Math.max(0, now - this.#due);
    this.#due = now + INTERVAL;
  }
}
