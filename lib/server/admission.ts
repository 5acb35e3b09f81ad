/**
 * Who may connect: how many in all, how many from one address, and how often.
 *
 * @module
 */

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
}

/** What is decided of a new connection: it comes in, there is no room, or its address has its share. */
export type Verdict = "admitted" | "full" | "greedy";

/** Counts connections, and says which may come. */
export class Admission {
  /** Connections that are in. */
  readonly #size: Count;
  /** Whether a Unix socket is listened on beside TCP. */
  hasUnix = false;
  /** Connections by address, where that is bounded. */
  readonly #byAddress = new Map<string, number>();
  /** New connections of this second by address, where that is bounded: cleared by {@linkcode tick}. */
  readonly #recent = new Map<string, number>();
  readonly #greed: Episode;

  constructor(
    readonly limits: AdmissionLimits,
    readonly counters: Counters,
    log: (line: string) => void,
    size: Count = new PlainCount(),
  ) {
    this.#size = size;
    this.#greed = new Episode(log, "no address has more than its share of connections any more");
  }

  /** Whether there is no room for another connection by that transport. */
  isFull(transport: string): boolean {
    const reserve = this.hasUnix && transport === "tcp"
      ? Math.min(UNIX_RESERVE, this.limits.connections - 1)
      : 0;
    return this.#size.value >= this.limits.connections - reserve;
  }

  /** Decides; one that is admitted must {@linkcode leave}. */
  enter(addr: Deno.Addr): Verdict {
    if (this.isFull(addr.transport)) {
      this.counters.rejected_connections++;
      return "full";
    }
    if (addr.transport === "tcp" && this.#isGreedy(addr.hostname)) {
      this.counters.rejected_by_address++;
      return "greedy";
    }
    this.#size.add(1);
    return "admitted";
  }

  /** Says that an admitted connection has ended. */
  leave(addr: Deno.Addr): void {
    this.#size.add(-1);
    if (this.limits.perAddress === 0 || addr.transport !== "tcp") return;
    const remaining = this.#byAddress.get(addr.hostname)! - 1;
    if (remaining > 0) this.#byAddress.set(addr.hostname, remaining);
    else this.#byAddress.delete(addr.hostname);
  }

  /** Call once a second. */
  tick(): void {
    this.#recent.clear();
    this.#greed.tick();
  }

  /** Whether an address has its share; counts the connection where it has not. */
  #isGreedy(address: string): boolean {
    const { perAddress, perSecond } = this.limits;
    if (perSecond > 0) {
      const recent = this.#recent.get(address) ?? 0;
      if (recent >= perSecond) {
        this.#greed.happen(
          `${address} makes more than ${perSecond} connections a second (--connect-rate): ` +
            "they are closed",
        );
        return true;
      }
      this.#recent.set(address, recent + 1);
    }
    if (perAddress > 0) {
      const open = this.#byAddress.get(address) ?? 0;
      if (open >= perAddress) {
        this.#greed.happen(
          `${address} has ${perAddress} connections (--max-connections-per-ip): more are closed`,
        );
        return true;
      }
      this.#byAddress.set(address, open + 1);
    }
    return false;
  }
}
