/**
 * How many connections the process has descriptors for, and one that is kept for when there is no other.
 *
 * What can be opened now can be opened later, as long as nobody else in the process takes it.
 *
 * @module
 */

import { freeDescriptors, NOTHING } from "../net/free_descriptors.ts";
import { isShortage } from "../net/shortage.ts";
import type { Configuration } from "./configuration.ts";

/** Descriptors that are kept for anything but connections: syncs, compaction, a backup, a log. */
const RESERVE = 32;
/** More of them for the files of a disk store that has yet to grow. */
const DISK_RESERVE = 64;
/** And for copies: the segments that they read, and connections to where they go. */
const COPIES_RESERVE = 96;
/** And for each thread of several, beside one for each address that it listens on: its event loop has most of them. */
const THREAD_RESERVE = 7;
/** Files of a disk store that are open at a time, where there are descriptors; and where there are few. */
const MOST_FILES = 1024;
const FEW_FILES = 48;
/**
 * The most connections: what `-c` says, or fewer where the process may not open so many descriptors. Says
 * so in that case.
 */
export function fitConnections(
  configuration: Pick<Configuration, "connLimit" | "store" | "copyTo" | "threads" | "endpoints">,
  log: (line: string) => void,
): number {
  const { connLimit, store, copyTo } = configuration;
  const reserve = reserveOf(configuration) + (store === "disk" ? DISK_RESERVE : 0) +
    (copyTo === undefined ? 0 : COPIES_RESERVE);
  const free = freeDescriptors(connLimit + reserve);
  if (free >= connLimit + reserve) return connLimit;
  // A server with hardly any descriptors still serves: half of them are for clients then.
  const fitting = Math.max(1, free - reserve, Math.min(connLimit, free >> 1));
  log(
    `-c ${connLimit} is more than the limit of open files allows: at most ${fitting} connections ` +
      `(${free} files can be opened, ${Math.max(0, free - fitting)} of them are reserved)`,
  );
  return fitting;
}

/** How many files of a disk store may be open while nothing is written to them, beside all connections. */
export function fitFiles(
  configuration: Pick<Configuration, "connLimit" | "threads" | "endpoints">,
): number {
  const most = configuration.connLimit + reserveOf(configuration);
  const free = freeDescriptors(most + MOST_FILES);
  // Where even those are not there, half of what is there is for clients.
  return Math.max(1, Math.min(FEW_FILES, free >> 1), free - most);
}

/** Descriptors that are neither for clients nor for a store: those of threads have yet to be opened. */
function reserveOf({ threads, endpoints }: Pick<Configuration, "threads" | "endpoints">): number {
  return RESERVE + (threads > 1 ? threads * (THREAD_RESERVE + endpoints.length) : 0);
}

/** The spare descriptor of a process. */
export class SpareDescriptor {
  #file: Deno.FsFile | undefined;
  #isClosed = false;

  /** Takes it, unless it is held; whether it is held now. */
  hold(): boolean {
    if (this.#isClosed) return true;
    try {
      this.#file ??= Deno.openSync(NOTHING);
      return true;
    } catch (error) {
      // Where there is no such file there is nothing to keep.
      return !isShortage(error);
    }
  }

  /** Gives it up; whether it was held. */
  release(): boolean {
    const wasHeld = this.#file !== undefined;
    this.#file?.close();
    this.#file = undefined;
    return wasHeld;
  }

  /** Gives it up for good: nobody is let in any more. */
  close(): void {
    this.#isClosed = true;
    this.release();
  }
}
