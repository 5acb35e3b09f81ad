/**
 * Frees flushed items, which nobody will touch again, and counts the others.
 *
 * @module
 */

import { revisionOf } from "./item.ts";
import type { Ledger } from "./ledger.ts";
import type { Link } from "./link.ts";
import { walk } from "./walk.ts";

/** How often it is looked whether there is a reason to sweep, in milliseconds. */
const INTERVAL = 500;
/** The pause after each step, in milliseconds: Redis is busy with others for most of the time. */
const PAUSE = 20;
/** What is only counted is counted this often at most, in milliseconds, */
const COUNT_INTERVAL = 60_000;
/** and for at most one part in so many of the time. */
const COUNT_SHARE = 20;

/** What the sweep needs of the store. */
export interface Sweepable {
  readonly prefix: Uint8Array;
  readonly timeout: number;
  masters(): readonly Link[];
  /** Deletes the key's item if it is dead by now. */
  free(key: Uint8Array): Promise<unknown>;
}

export class Sweep {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  readonly #store: Sweepable;
  readonly #ledger: Ledger;

  constructor(store: Sweepable, ledger: Ledger) {
    this.#store = store;
    this.#ledger = ledger;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#turn().catch(() => {}).finally(() => {
        if (!this.#closed) this.start();
      });
    }, INTERVAL);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #turn(): Promise<void> {
    this.#ledger.wantsSweep = this.#isDue();
    if (this.#ledger.wantsSweep && this.#ledger.sweeps) await this.#run();
  }

  #isDue(): boolean {
    const { swept, flushed } = this.#ledger;
    if (swept === undefined || swept.flushed < flushed) return true;
    return swept.ago > Math.max(COUNT_INTERVAL, swept.took * COUNT_SHARE);
  }

  async #run(): Promise<void> {
    const store = this.#store;
    const ledger = this.#ledger;
    const flushed = ledger.flushed;
    const begun = performance.now();
    let items = 0;
    let bytes = 0;
    for (const link of store.masters()) {
      for await (const group of walk(link, store.prefix, store.timeout)) {
        const dead: Promise<unknown>[] = [];
        for (const { key, header, length } of group) {
          if (revisionOf(header) < flushed) {
            dead.push(store.free(key));
          } else {
            items++;
            bytes += store.prefix.length + key.length + length;
          }
        }
        await Promise.all(dead);
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        // Another server may have taken over while this one was cut off.
        if (this.#closed || !ledger.sweeps) return;
      }
    }
    ledger.noteSweep(flushed, items, bytes, performance.now() - begun);
    ledger.wantsSweep = false;
  }
}
