/**
 * Reads a segment from its first record to its last, or what is wanted of it, a block at a time.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { type DataFile, readFully, readFullyLater } from "../fs/files.ts";
import { RECORD_HEADER, RecordReader } from "../format/record.ts";
import { SEGMENT_HEADER } from "../log/segment.ts";
import type { Runs } from "./runs.ts";

/**
 * Pages without a wanted byte that are read along: a call that holds up nobody takes as long as it takes to
 * read so many.
 */
const PAGES_READ_ALONG = 64;

/** What {@linkcode SegmentReader.step} came upon. */
export const Step = { record: 0, more: 1, end: 2, bad: 3 } as const;

/** A run of bytes of a segment, from an offset to another. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** Reads records in order; the last one is in {@linkcode record}. */
export class SegmentReader {
  readonly record = new RecordReader();
  /** The offset of the last record, or of what is no record. */
  offset = SEGMENT_HEADER;
  /** The offset behind the last record. */
  next = SEGMENT_HEADER;
  /** Runs of bytes that were skipped because they are no whole record. */
  readonly gaps: Gap[] = [];

  #buffer: Uint8Array<ArrayBuffer>;
  /** The offset of the buffer's first byte, and how many bytes there are. */
  #start = SEGMENT_HEADER;
  #filled = 0;
  #short = false;
  /** Where the gap that is being skipped began; -1 for none. */
  #gap = -1;
  /** Where the wanted bytes end that {@linkcode next} is in. */
  #runEnd: number;

  readonly #file: DataFile;
  readonly #seed: number;
  readonly #end: number;
  readonly #runs: Runs | undefined;

  /**
   * @param end the segment's length in bytes
   * @param runs whole records; all others are passed over unread
   */
  constructor(
    file: DataFile,
    seed: number,
    end: number,
    blockBytes = 1 << 20,
    runs?: Runs,
  ) {
    this.#file = file;
    this.#seed = seed;
    this.#end = end;
    this.#runs = runs;

    this.#runEnd = runs === undefined ? end : this.next;
    this.#buffer = new Uint8Array(Math.max(0, Math.min(blockBytes, end - SEGMENT_HEADER)));
    this.record.over(this.#buffer);
  }

  /** Goes to the next record: a value of {@linkcode Step}; after `more`, fill and step again. */
  step(): number {
    if (this.next >= this.#runEnd) this.#passOver();
    const offset = this.offset = this.next;
    if (offset >= this.#end) return Step.end;
    const { record } = this;
    if (record.parse(offset - this.#start, this.#filled, this.#seed, offset)) {
      this.#closeGap(offset);
      this.next = offset + record.size;
      return Step.record;
    }
    if (record.size === 0 || offset + record.size > this.#runEnd || this.#short) return Step.bad;
    return Step.more;
  }

  /** Goes to the next wanted byte, or to the end. */
  #passOver(): void {
    this.#closeGap(this.#runEnd);
    if (this.next >= this.#end || this.#runs === undefined) return;
    this.next = this.#runs.nextFrom(this.next);
    this.#runEnd = this.#runs.endOf(this.next);
    // What is missing behind what was read is found out where it is wanted.
    if (this.next >= this.#start + this.#filled) this.#short = false;
  }

  /**
   * After `bad`: goes on 8 bytes further, or at the end where the file has no more. What lies between
   * two whole records becomes one of the {@linkcode gaps}.
   */
  skip(): void {
    if (this.#gap < 0) this.#gap = this.offset;
    const isPast = this.#short && this.offset + RECORD_HEADER >= this.#start + this.#filled;
    this.next = isPast ? this.#runEnd : Math.min(this.offset + 8, this.#runEnd);
  }

  /** Takes the rest for a gap: the file cannot be read any further. */
  giveUp(): void {
    if (this.#gap < 0) this.#gap = this.next;
    this.next = this.#runEnd = this.#end;
  }

  #closeGap(to: number): void {
    if (this.#gap < 0) return;
    this.gaps.push({ from: this.#gap, to });
    this.#gap = -1;
  }

  /** Reads the next block. */
  fill(): void {
    const from = this.#makeRoom();
    this.#took(
      readFully(this.#file, this.#buffer.subarray(from, this.#wanted()), this.#start + from),
    );
  }

  /** {@linkcode fill} without holding up the loop. */
  async fillLater(): Promise<void> {
    const from = this.#makeRoom();
    const into = this.#buffer.subarray(from, this.#wanted());
    this.#took(await readFullyLater(this.#file, into, this.#start + from));
  }

  /** {@linkcode step} that fills by itself. */
  advance(): number {
    for (;;) {
      const step = this.step();
      if (step !== Step.more) return step;
      this.fill();
    }
  }

  #makeRoom(): number {
    const done = Math.min(this.next - this.#start, this.#filled);
    if (done > 0) this.#buffer.copyWithin(0, done, this.#filled);
    this.#start = this.next;
    this.#filled -= done;
    if (this.record.size > this.#buffer.length) {
      const grown = new Uint8Array(this.record.size);
      grown.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = grown;
      this.record.over(grown);
    }
    return this.#filled;
  }

  /** Where in the buffer the block ends. */
  #wanted(): number {
    const end = this.#runs?.reach(this.#start, PAGES_READ_ALONG) ?? this.#end;
    return Math.min(this.#buffer.length, end - this.#start);
  }

  #took(count: number): void {
    this.#filled += count;
    // A file that ends early holds no more records, whatever a header promises.
    this.#short = this.#filled < this.#wanted();
  }
}

/** The CRC-32 of a file's first `length` bytes; told how many bytes each step has read. */
export async function checksumOf(
  file: DataFile,
  length: number,
  progress: (bytes: number) => void,
): Promise<number> {
  const block = new Uint8Array(Math.min(1 << 20, length));
  let sum = 0;
  for (let at = 0; at < length;) {
    const into = block.subarray(0, Math.min(block.length, length - at));
    const count = await readFullyLater(file, into, at);
    if (count === 0) break;
    sum = crc32(into.subarray(0, count), sum);
    at += count;
    progress(count);
  }
  return sum;
}
