/**
 * How copies stand, from what their thread has told last and what the store has now: also where that thread
 * tells nothing any more.
 *
 * @module
 */

import type { CopyReport } from "../../copies/copying.ts";
import type { CopyFigures, CopyState } from "../../observe/figures/copies.ts";

/** So many intervals, and at least so many seconds, are late. */
const LATE_INTERVALS = 3;
const LATE_SECONDS = 60;

/** Both clocks, in milliseconds: since 1970, and one that never jumps. */
export interface StandingClock {
  now(): number;
  monotonic(): number;
}

/** The standing of the copies of one store. */
export class CopyStanding {
  /** Why nothing is copied any more, where the thread has failed. */
  failure = "";

  readonly #interval: number;
  readonly #clock: StandingClock;
  readonly #position: () => number | undefined;
  #report: CopyReport | undefined;
  /** When all was copied last, by the clock that never jumps. */
  #cleanAt: number;

  /**
   * @param interval milliseconds between two rounds
   * @param position up to where the store's log could be copied now
   */
  constructor(interval: number, clock: StandingClock, position: () => number | undefined) {
    this.#interval = interval;
    this.#clock = clock;
    this.#position = position;
    this.#cleanAt = clock.monotonic();
  }

  /** What the thread tells. */
  take(report: CopyReport): void {
    this.#report = report;
    const { now, monotonic } = this.#clock;
    this.#cleanAt = Math.max(this.#cleanAt, monotonic() - Math.max(0, now() - report.cleanAt));
  }

  /** Seconds for which there may be a change that is in no copy. */
  get lag(): number {
    const now = this.#clock.monotonic();
    const position = this.#position();
    if (position === undefined) return 0;
    if (position <= (this.#report?.position ?? 0)) this.#cleanAt = now;
    return (now - this.#cleanAt) / 1000;
  }

  get figures(): CopyFigures {
    const { lag } = this;
    const report = this.#report;
    return {
      state: this.#state(lag),
      reason: this.#reason(lag),
      // Rounded up: 0 says that all is copied.
      lag: Math.ceil(lag * 10) / 10,
      lastSuccess: Math.floor((report?.lastSuccess ?? 0) / 1000),
      errors: report?.errors ?? 0,
      sentBytes: report?.sentBytes ?? 0,
      sentObjects: report?.sentObjects ?? 0,
      heldBytes: report?.heldBytes ?? 0,
      removed: report?.removed ?? 0,
      kept: report?.kept ?? 0,
      moments: report?.manifests ?? 0,
      epoch: report?.epoch ?? 0,
    };
  }

  #isLate(lag: number): boolean {
    return lag > Math.max(LATE_SECONDS, LATE_INTERVALS * this.#interval / 1000);
  }

  #state(lag: number): CopyState {
    if (this.failure !== "") return "failing";
    const state = this.#report?.state ?? "waiting";
    return state === "copying" && this.#isLate(lag) ? "behind" : state;
  }

  #reason(lag: number): string {
    if (this.failure !== "") return this.failure;
    if (this.#report?.state === "copying" && this.#isLate(lag)) {
      return `changes of the last ${Math.round(lag)} s are in no copy`;
    }
    return this.#report?.reason ?? "";
  }
}
