/**
 * How much may be written: by `--max-disk`, and by what the file system has.
 *
 * @module
 */

import type { Files } from "../fs/files.ts";
import { LARGEST_SEGMENT, type Log, SMALLEST_SEGMENT } from "../log/log.ts";
import { SEGMENT_HEADER } from "../log/segment.ts";

/** A segment takes at most this part of the room that there is. */
const SEGMENT_SHARE = 1 / 16;
/** So much of the room is kept back, if two segments are not less. */
const RESERVED_SHARE = 1 / 8;

/** What the budget depends on. */
export interface SpaceOptions {
  readonly files: Files;
  readonly directory: string;
  readonly log: Log;
  /** Bytes that the directory may take; 0 for no limit. */
  readonly maxDisk: number;
  /** Bytes of a segment where there is room enough. */
  readonly segmentBytes: number;
}

/** The budget. It is as old as the last {@linkcode measure}. */
export class Space {
  /** Bytes that the file system has free; `Infinity` where that is not known. */
  free = Infinity;
  /** Bytes of what is free that sets leave for compaction, which writes before it removes, and deletes. */
  reserved = 0;

  readonly #options: SpaceOptions;
  /** The greatest `log.footprint` that sets may bring about, and deletes. */
  #ceiling = Infinity;
  #lastCeiling = Infinity;

  constructor(options: SpaceOptions) {
    this.#options = options;
    this.measure();
  }

  /** How far sets may go, in bytes of the log. */
  get ceiling(): number {
    return this.#ceiling;
  }

  /** Asks the file system. The size of new segments follows what there is. */
  measure(): void {
    const { files, directory, log, maxDisk, segmentBytes } = this.#options;
    const allowed = maxDisk > 0 ? maxDisk : Infinity;
    try {
      this.free = files.free(directory);
    } catch {
      // Where that cannot be told, a write will tell.
      this.free = Infinity;
    }
    const room = Math.min(allowed, log.total + log.held + log.ahead + this.free);
    const largest = Math.max(Math.floor(room * SEGMENT_SHARE), SMALLEST_SEGMENT);
    log.segmentBytes = Math.min(segmentBytes, LARGEST_SEGMENT, largest, log.fileLimit);
    this.reserved = Math.min(2 * log.segmentBytes + 4096, Math.floor(room * RESERVED_SHARE));
    this.#ceiling = room - this.reserved;
    this.#lastCeiling = allowed - Math.floor(this.reserved / 2);
  }

  /** Whether so many bytes may be written, for an item or for a delete. */
  hasRoom(bytes: number, deletes = false): boolean {
    const ceiling = deletes ? this.#lastCeiling : this.#ceiling;
    return this.#options.log.footprint + bytes <= ceiling;
  }

  /** Whether so many bytes would fit if nothing else were there. */
  couldHold(bytes: number, deletes: boolean): boolean {
    const { fileLimit } = this.#options.log;
    return bytes + SEGMENT_HEADER <=
      Math.min(deletes ? this.#lastCeiling : this.#ceiling, fileLimit);
  }

  /** What there is, for people. */
  describe(): string {
    const { maxDisk, log } = this.#options;
    const held = log.held > 0 ? ` and listings hold ${log.held} that are given up` : "";
    const taken = maxDisk > 0 ? `it takes ${log.total} bytes${held} of the ${maxDisk} allowed` : "";
    const free = this.free === Infinity ? "" : `${this.free} bytes are free`;
    const both = [taken, free].filter((one) => one !== "").join(", ");
    return `${both}, ${this.reserved} are kept for deletes and compaction`;
  }
}
