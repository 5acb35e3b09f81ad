/**
 * Exchanges of a worker's own store with Redis or Cloud Storage, told to the main thread: many in one message.
 *
 * @module
 */

import type { Exchanged } from "../../storage/exchanges.ts";

/** Milliseconds for which exchanges are put together, and how many at most. */
const WAIT = 100;
const MOST = 1024;

/** What is to be told. Moments are in milliseconds since 1970: each thread has a `performance.now()` of its own. */
export class ExchangeNotes {
  #notes: Exchanged[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #tell: (exchanges: readonly Exchanged[]) => void;

  /** @param tell sends them to the main thread */
  constructor(tell: (exchanges: readonly Exchanged[]) => void) {
    this.#tell = tell;
  }

  /** An exchange of this thread is over. */
  readonly add = (exchanged: Exchanged): void => {
    const began = performance.timeOrigin + exchanged.began;
    // For whom it was is known in this thread alone, which makes the spans.
    if (this.#notes.push({ ...exchanged, began, causes: undefined }) >= MOST) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT);
  };

  /** Tells what has not been told. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#notes.length === 0) return;
    const notes = this.#notes;
    this.#notes = [];
    this.#tell(notes);
  }
}

/** An exchange that was told, by this thread's `performance.now()`. */
export function ownExchanged(told: Exchanged): Exchanged {
  return { ...told, began: told.began - performance.timeOrigin };
}
