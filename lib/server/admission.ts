/**
 * Who may connect: how many in all, how many from one address, and how often.
 *
 * @module
 */

import { type AddressCounts, PlainAddressCounts } from "./address_counts.ts";
import { type Count, PlainCount } from "../count.ts";
import type { Counters } from "../observe/counters.ts";
import { Episode } from "./episode.ts";

/** Connections that are kept free for the Unix socket where TCP could take them all. */
export const UNIX_RESERVE = 8;

/** The bounds of connections. */
export interface AdmissionLimits {
  /** Most connections. */
  readonly connections: number;
  /** Most connections of one IP address; 0 for no limit. */
  readonly perAddress: number;
  /** Most new connections of one IP address in a second; 0 for no limit. */
  readonly perSecond: number;
  /** Whether a Unix socket is listened on beside TCP, by this thread or another. */
  readonly hasUnix: boolean;
}

/** What is counted over all threads, where there are several. */
export interface AdmissionCounts {
  /** Open connections. */
  readonly connections: Count;
  /** Those of each address, and those that it has made in this second. */
  readonly byAddress: AddressCounts;
  readonly recent: AddressCounts;
}

/** What is decided of a new connection: it comes in, there is no room, or its address has its share. */
export type Verdict = "admitted" | "full" | "greedy";

/** Counts connections, and says which may come. */
export class Admission {
  /** Connections that are in. */
  readonly #size: Count;
  /** Connections by address, where that is bounded. */
  readonly #byAddress: AddressCounts;
  /** New connections of this second by address, where that is bounded: cleared by {@linkcode tick}. */
  readonly #recent: AddressCounts;
  readonly #greed: Episode;

  constructor(
    readonly limits: AdmissionLimits,
    readonly counters: Counters,
    log: (line: string) => void,
    common?: AdmissionCounts,
  ) {
    this.#size = common?.connections ?? new PlainCount();
    this.#byAddress = common?.byAddress ?? new PlainAddressCounts();
    this.#recent = common?.recent ?? new PlainAddressCounts();
    this.#greed = new Episode(log, "no address has more than its share of connections any more");
  }

  /** Whether there is no room for another connection by that transport. */
  isFull(transport: string): boolean {
    return this.#size.value >= this.#most(transport);
  }

  #most(transport: string): number {
    const { connections, hasUnix } = this.limits;
    return hasUnix && transport === "tcp"
      ? connections - Math.min(UNIX_RESERVE, connections - 1)
      : connections;
  }

  /** Decides; one that is admitted must {@linkcode leave}. */
  enter(addr: Deno.Addr): Verdict {
    if (this.isFull(addr.transport)) return "full";
    if (addr.transport === "tcp" && this.#isGreedy(addr.hostname)) {
      this.counters.rejected_by_address++;
      return "greedy";
    }
    if (this.#size.add(1) <= this.#most(addr.transport)) return "admitted";
    // Another thread has taken the last room since.
    this.leave(addr);
    return "full";
  }

  /** Says that an admitted connection has ended. */
  leave(addr: Deno.Addr): void {
    this.#size.add(-1);
    if (this.limits.perAddress === 0 || addr.transport !== "tcp") return;
    this.#byAddress.leave(addr.hostname);
  }

  /** Call once a second. */
  tick(): void {
    this.#recent.clear();
    this.#greed.tick();
  }

  /** Whether an address has its share; counts the connection where it has not. */
  #isGreedy(address: string): boolean {
    const { perAddress, perSecond } = this.limits;
    if (perSecond > 0 && !this.#recent.enter(address, perSecond)) {
      this.#greed.happen(
        `${address} makes more than ${perSecond} connections a second (--connect-rate): ` +
          "they are closed",
      );
      return true;
    }
    if (perAddress > 0 && !this.#byAddress.enter(address, perAddress)) {
      this.#greed.happen(
        `${address} has ${perAddress} connections (--max-connections-per-ip): more are closed`,
      );
      return true;
    }
    return false;
  }
}
