/**
 * Faults on demand: what goes wrong, with which requests, before or after they took effect.
 *
 * @module
 */

/**
 * What a request does, as faults and counters name it. An `upload` is what belongs to a resumable
 * upload that an `insert` has begun: its parts, and questions how far it is.
 */
export type Operation = "get" | "insert" | "upload" | "patch" | "delete" | "list" | "other";

/** One fault. Plain data, so that the control endpoint takes it as JSON. */
export interface Fault {
  /** With which operations; all of them without it. */
  readonly operations?: readonly Operation[];
  /** With which objects: a part of the name; all of them without it. */
  readonly name?: string;
  /** With how many requests; every one without it. */
  readonly times?: number;
  /** With how many of 1 requests, by chance; 1 without it. */
  readonly probability?: number;
  /**
   * What happens: an HTTP status as the answer, the connection reset, closed without an answer, cut
   * off in the middle of the answer, silent, or silent from the middle of the answer on; or a byte of the content changed on its way, to the
   * service with an insert or upload, from it with a read.
   */
  readonly what: number | "reset" | "close" | "cut" | "stall" | "hang" | "change";
  /** With an HTTP status: the value of the header `Retry-After`. */
  readonly retryAfter?: string;
  /** Whether the request took effect; it did not without this. */
  readonly after?: boolean;
  /**
   * Milliseconds after which a request that was not answered takes effect all the same: the request
   * that was delayed on the wire.
   */
  readonly late?: number;
  /**
   * Of a part of a resumable upload: how many of its bytes the service keeps before that happens, a
   * multiple of 256 KiB.
   */
  readonly kept?: number;
}

/** The faults that are set, in the order in which they are tried. */
export class Faults {
  #set: { readonly fault: Fault; left: number }[] = [];

  /** Adds a fault. */
  add(fault: Fault): void {
    this.#set.push({ fault, left: fault.times ?? Infinity });
  }

  /** Takes all faults away. */
  clear(): void {
    this.#set = [];
  }

  /** The fault that this request meets. */
  take(operation: Operation, name: string | undefined): Fault | undefined {
    if (this.#set.length === 0) return undefined;
    for (const entry of this.#set) {
      const { operations, name: part, probability } = entry.fault;
      if (entry.left === 0) continue;
      if (operations !== undefined && !operations.includes(operation)) continue;
      if (part !== undefined && !name?.includes(part)) continue;
      if (probability !== undefined && Math.random() >= probability) continue;
      entry.left--;
      return entry.fault;
    }
    return undefined;
  }
}
