/**
 * The memory that all clients together make the server hold: receive buffers, requests in flight,
 * replies and listings.
 *
 * Near the limit the connections that hold the most are read no further; where that does not help they
 * are closed, the largest first. Connections that hold little notice nothing.
 *
 * @module
 */

import { sizeText } from "../cli/option.ts";
import { assert } from "../errors.ts";

/** What a connection may hold without ever being made to wait, in bytes. */
const SMALL = 64 * 1024;
/** From this part of the limit on, large holders wait. */
const NEAR = 7 / 8;
/** Ticks that somebody waits before the largest holders are closed to make room, and down to which part. */
const PATIENCE = 2;
const ROOM = 3 / 4;
/** It is over when for so many ticks nobody was closed. */
const QUIET_TICKS = 10;

/** A connection, as the budget sees it. */
export interface Holder {
  /** Who it is, for the log. */
  readonly name: string;
  /** Ends it, whatever it does. */
  close(): void;
}

interface Waiting {
  readonly holder: Holder;
  readonly since: number;
  readonly resolve: () => void;
}

/** One server's budget. */
export class ClientMemory {
  /** Bytes held now. */
  used = 0;
  /** Connections closed to make room. */
  kicks = 0;
  readonly #held = new Map<Holder, number>();
  readonly #log: (line: string) => void;
  #waiting: Waiting[] = [];
  #ticks = 0;
  /** Closed since the limit was met; -1 while it is not. */
  #closed = -1;
  #quietTicks = 0;

  /** @param limit bytes; `Infinity` for no limit */
  constructor(readonly limit: number, log: (line: string) => void) {
    this.#log = log;
  }

  /** How many connections wait for memory. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Says how many bytes a connection holds from now on. May close it, or others. */
  hold(holder: Holder, bytes: number): void {
    const before = this.#held.get(holder) ?? 0;
    this.#held.set(holder, bytes);
    this.used += bytes - before;
    assert(this.used >= 0, "clients hold a negative number of bytes");
    if (bytes > before) {
      while (this.used > this.limit && this.#held.size > 0) this.#closeLargest();
    } else if (this.#waiting.length > 0) this.#resume();
  }

  /** Forgets a connection that has ended. */
  leave(holder: Holder): void {
    const bytes = this.#held.get(holder);
    if (bytes === undefined) return;
    this.#held.delete(holder);
    this.used -= bytes;
    assert(this.used >= 0, "clients hold a negative number of bytes");
    if (this.#waiting.length === 0) return;
    const own = this.#waiting.findIndex((waiting) => waiting.holder === holder);
    if (own >= 0) this.#waiting.splice(own, 1)[0].resolve();
    this.#resume();
  }

  /** What a connection must wait for before it reads on; nothing unless memory is short and it is large. */
  turn(holder: Holder): Promise<void> | undefined {
    if (this.used <= this.limit * NEAR || !this.#isLarge(holder)) return undefined;
    return new Promise((resolve) => {
      this.#waiting.push({ holder, since: this.#ticks, resolve });
    });
  }

  /** Call once a second: closes the largest where somebody has waited for too long, and makes some room. */
  tick(): void {
    this.#ticks++;
    if (this.#waiting.length > 0 && this.#ticks - this.#waiting[0].since >= PATIENCE) {
      while (this.used > this.limit * ROOM && this.#held.size > 0) this.#closeLargest();
    }
    if (this.#closed < 0) return;
    this.#quietTicks = this.used > this.limit * NEAR ? 0 : this.#quietTicks + 1;
    if (this.#quietTicks < QUIET_TICKS) return;
    this.#log(`clients are within their memory again; connections closed for it: ${this.#closed}`);
    this.#closed = -1;
  }

  /** Whether a connection holds more than its share of what is held. */
  #isLarge(holder: Holder): boolean {
    const bytes = this.#held.get(holder) ?? 0;
    return bytes > SMALL && bytes * this.#held.size >= this.used;
  }

  #resume(): void {
    while (this.#waiting.length > 0 && this.used <= this.limit * NEAR) {
      this.#waiting.shift()!.resolve();
    }
  }

  #closeLargest(): void {
    let largest: Holder | undefined;
    let most = -1;
    for (const [holder, bytes] of this.#held) {
      if (bytes > most) [largest, most] = [holder, bytes];
    }
    if (largest === undefined) return;
    this.kicks++;
    this.#quietTicks = 0;
    if (this.#closed < 0) {
      this.#closed = 0;
      this.#log(
        `clients hold ${sizeText(this.used)} of the ${sizeText(this.limit)} of ` +
          `--max-client-memory: connections are closed, the largest first (${largest.name}, ` +
          `${sizeText(most)})`,
      );
    }
    this.#closed++;
    largest.close();
    // What it holds is given back when it has ended; it counts no more, or others would go for it.
    this.leave(largest);
  }
}
