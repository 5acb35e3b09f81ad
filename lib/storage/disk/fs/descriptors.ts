/**
 * Descriptors of files to which nothing is written any more. There may be tens of thousands of them, so
 * only those that were read last are open; another is opened again when it is read.
 *
 * @module
 */

import fs from "node:fs";

/** Files that are open at a time unless told otherwise. */
const MOST = 1024;

/** A file whose descriptor can be taken from it, and opened again by its path. */
export interface Resting {
  /** Whether it is being read at the moment. */
  readonly isBusy: boolean;
  /** Closes its descriptor; it is opened again when it is needed. */
  doze(): void;
}

/** The open files among those that rest. */
export class Descriptors {
  /** Files that are open at a time, at most, except those that are being read. */
  most = MOST;
  /** Those that are open, the one that was read last at the end. */
  readonly #open = new Set<Resting>();
  #newest: Resting | undefined;
  /** How many of them are being read. */
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  /** What who wants to read a closed file waits for; nothing unless as many are being read as may be open. */
  room(): Promise<void> | undefined {
    if (this.#busy < this.most) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Says that a file is being read from now on, or that the last read of it is over. */
  busy(isBusy: boolean): void {
    this.#busy += isBusy ? 1 : -1;
    if (!isBusy) this.#waiting.shift()?.();
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Notes that a file is open and read. */
  use(file: Resting): void {
    if (file === this.#newest) return;
    this.#newest = file;
    this.#open.delete(file);
    this.#open.add(file);
    if (this.#open.size > this.most) this.#closeOldest();
  }

  /** Forgets a file: it is closed, or is not to be closed any more. */
  forget(file: Resting): void {
    this.#open.delete(file);
    if (file === this.#newest) this.#newest = undefined;
  }

  /**
   * Opens a file. Where the process has no descriptor for it, others are closed first.
   *
   * @throws what the system says
   */
  open(path: string, flags: string, mode?: number): number {
    for (;;) {
      try {
        return fs.openSync(path, flags, mode);
      } catch (error) {
        const { code } = error as { code?: string };
        if ((code !== "EMFILE" && code !== "ENFILE") || !this.#closeOldest()) throw error;
      }
    }
  }

  /** Closes the file that was read longest ago, if there is one that nobody reads. */
  #closeOldest(): boolean {
    for (const file of this.#open) {
      if (file.isBusy || file === this.#newest) continue;
      this.#open.delete(file);
      file.doze();
      return true;
    }
    return false;
  }
}
