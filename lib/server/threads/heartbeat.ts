/**
 * Whether the threads of a server live.
 *
 * A worker that loops, or waits for what does not come, counts no more in shared memory, which the main thread
 * sees. One that stands still for a while is alive: the system reads its memory from a swap, has given its
 * processor to another guest, or a collection of garbage is long. To end the server for that would cost its
 * clients more than to wait, a memory store all of its items.
 *
 * @module
 */

import type { Count } from "../../count.ts";

/** Milliseconds between two beats, and between two looks. */
const INTERVAL = 250;

/** After how many looks at which a thread has not counted it is late, and after how many it is given up. */
export interface Patience {
  readonly late: number;
  readonly lost: number;
}

/** 2 and 10 seconds. */
const PATIENCE: Patience = { late: 8, lost: 40 };

/** What is told of a thread, by its place. */
export interface PulseEvents {
  /** It has done nothing for so many seconds. */
  late(thread: number, seconds: number): void;
  /** It goes on, after so many seconds. */
  back(thread: number, seconds: number): void;
  /** It is given up: it has done nothing for so many seconds. */
  lost(thread: number, seconds: number): void;
}

/** Counts as long as its thread lives. */
export function beat(count: Count): void {
  setInterval(() => count.add(1), INTERVAL);
}

/** Looks whether others count. */
export class Pulse implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #threads: { readonly beats: Count; last: number; missed: number }[];
  readonly #events: PulseEvents;
  readonly #patience: Patience;

  /** @param beats of each thread */
  constructor(beats: readonly Count[], events: PulseEvents, patience = PATIENCE) {
    this.#threads = beats.map((beats) => ({ beats, last: beats.value, missed: 0 }));
    this.#events = events;
    this.#patience = patience;
    // Looks are counted, not milliseconds: a machine that stood still has missed no beat.
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { late, lost } = this.#patience;
    for (const [number, thread] of this.#threads.entries()) {
      const { value } = thread.beats;
      const before = thread.missed;
      thread.missed = value === thread.last ? before + 1 : 0;
      thread.last = value;
      const seconds = Math.max(before, thread.missed) * INTERVAL / 1000;
      if (thread.missed === late) this.#events.late(number, seconds);
      else if (thread.missed === lost) this.#events.lost(number, seconds);
      else if (before >= late && thread.missed === 0) this.#events.back(number, seconds);
    }
  }
}
