/**
 * Whether the threads of a server live.
 *
 * A worker that calls `self.close` or `Deno.exit` ends in silence, and one that loops does nothing more:
 * both stop counting in shared memory, which the main thread sees.
 *
 * @module
 */

import type { Count } from "../../count.ts";

/** Milliseconds between two beats, and between two looks. */
const INTERVAL = 250;
/** A thread that has not counted for so many looks is dead. */
const MISSED = 6;

/** Counts as long as its thread lives. */
export function beat(count: Count): void {
  setInterval(() => count.add(1), INTERVAL);
}

/** Looks whether others count. */
export class Pulse implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #threads: { readonly beats: Count; last: number; missed: number }[];
  readonly #stopped: (thread: number) => void;

  /**
   * @param beats of each thread
   * @param stopped told once of a thread, by its place in `beats`, that has stopped
   */
  constructor(beats: readonly Count[], stopped: (thread: number) => void) {
    this.#threads = beats.map((beats) => ({ beats, last: beats.value, missed: 0 }));
    this.#stopped = stopped;
    // Looks are counted, not milliseconds: a machine that stood still has missed no beat.
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const [number, thread] of this.#threads.entries()) {
      const { value } = thread.beats;
      thread.missed = value === thread.last ? thread.missed + 1 : 0;
      thread.last = value;
      if (thread.missed === MISSED) this.#stopped(number);
    }
  }
}
