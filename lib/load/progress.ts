/**
 * A line on the terminal that says how far a program has come.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";

/** How often the line changes at most, in milliseconds. */
const INTERVAL = 200;

/** Shown on standard error, where that is a terminal; elsewhere nothing happens. */
export class Progress {
  #last = 0;
  readonly #shown = Deno.stderr.isTerminal();

  /** Shows a text, if it is time; `text` is only called then. */
  show(text: () => string): void {
    if (!this.#shown) return;
    const now = performance.now();
    if (now - this.#last < INTERVAL) return;
    this.#last = now;
    this.#write(text());
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown && this.#last > 0) this.#write("");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(bytesOf(`\r\x1b[K${text}`));
  }
}
