/**
 * Zeros behind the log's end, into which the next records are written. FORMAT.md, "Writing".
 *
 * What is written behind a file's end takes new blocks and makes the file longer, and a sync has to bring both to the
 * file system's journal as well. Where the bytes replace others, it has only them to write: a half to a third of the
 * time, by docs/benchmarks.md, "Group commit". So it is worth the zeros where replies wait for syncs.
 *
 * @module
 */

import { writeFully } from "../fs/files.ts";
import type { Segment } from "./segment.ts";

/** Bytes that are made at a time, and the part of a segment that they are at most. */
const STEP = 1 << 20;
const SEGMENT_PART = 1 / 4;
/**
 * After a write of more bytes no room is made: the next is likely to be as long. Zeros for a few of those cost more than
 * their syncs would save.
 */
const LONG_WRITE = STEP / 4;

/** The room behind the records of the segment that is written to. */
export class RoomAhead {
  /** Where the zeros end in the segment's file; where there are none, at most its length. */
  #end = 0;
  readonly #zeros = new Uint8Array(STEP);

  /** Bytes of zeros behind the records of a segment. */
  behind(segment: Segment | undefined): number {
    return segment === undefined || this.#end === Infinity
      ? 0
      : Math.max(0, this.#end - segment.length);
  }

  /**
   * Makes room again after a write of so many bytes, where the records have reached the end of what was made; never
   * throws.
   */
  make({ file, length }: Segment, segmentBytes: number, written: number): void {
    if (length < this.#end || written > LONG_WRITE) return;
    const step = Math.min(STEP, Math.floor(segmentBytes * SEGMENT_PART), segmentBytes - length);
    if (step <= 0) return;
    try {
      writeFully(file, this.#zeros.subarray(0, step), length);
      this.#end = length + step;
    } catch {
      // A segment does without, and what there is of zeros need not take room that others may want.
      this.#end = Infinity;
      this.#truncate(file, length);
    }
  }

  /** Notes that the segment's file has been cut off behind its records. */
  wasCut(): void {
    this.#end = 0;
  }

  /** Cuts off what a segment has not used, which is sealed; never throws. */
  cut({ file, length }: Segment): void {
    if (this.#end > length) this.#truncate(file, length);
    this.#end = 0;
  }

  #truncate(file: Segment["file"], length: number): void {
    try {
      file.truncate(length);
    } catch {
      // What is behind its length is nothing to anybody.
    }
  }
}
