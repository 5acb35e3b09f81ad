/**
 * How far something has come that reads many bytes, a line now and then.
 *
 * @module
 */

import type { CopyClock } from "./copy_clock.ts";

/** Milliseconds between two lines. */
const PAUSE = 5000;

/** Says how far something has come. */
export class Progress {
  readonly #clock: Pick<CopyClock, "monotonic">;
  readonly #say: (line: string) => void;
  readonly #what: string;
  readonly #began: number;
  #told: number;

  constructor(clock: Pick<CopyClock, "monotonic">, say: (line: string) => void, what: string) {
    this.#clock = clock;
    this.#say = say;
    this.#what = what;
    this.#began = this.#told = clock.monotonic();
  }

  /** So many bytes of so many are done. */
  tell(done: number, total: number): void {
    const now = this.#clock.monotonic();
    if (now - this.#told < PAUSE) return;
    this.#told = now;
    const rate = done / Math.max(1, now - this.#began) * 1000;
    const seconds = Math.ceil((total - done) / Math.max(1, rate));
    this.#say(
      `${this.#what}: ${Math.floor(done / total * 100)} % of ${mib(total)} MiB, ${
        mib(rate)
      } MiB/s, ` +
        `${seconds} s to go`,
    );
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
