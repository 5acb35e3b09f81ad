/**
 * Reads of records from segments: synchronously while that is fast, else without holding up the others.
 *
 * @module
 */

import { messageOf, type StoreError } from "../../../errors.ts";
import { readFully, readFullyLater } from "../fs/files.ts";
import { RecordReader } from "../format/record.ts";
import { type Damage, sentenceOf, UnreadableError } from "./damage.ts";
import type { Segment } from "../log/segment.ts";

/** Records up to this many bytes are read synchronously, if that has been fast. */
const LARGEST_SYNCHRONOUS_READ = 1 << 16;
/** A read that takes longer than this, in milliseconds, came from a slow medium. */
const FAST_READ = 0.03;
/** Bytes of memory for those at the beginning. */
const FIRST_SCRATCH = 1 << 12;
/**
 * While the medium is slow, one read after so many finds out whether it still is; after each that was
 * slow twice as many pass, up to the second number, for it holds up everybody; after one that was fast
 * the next follows soon.
 */
const FIRST_PROBE = 64;
const LAST_PROBE = 1 << 15;
const SOON = 4;

/** Reads records; what is read synchronously is valid until the next such read. */
export class RecordReads {
  /** Reads that others were let past, and records that were found damaged. */
  slow = 0;
  damaged = 0;

  #scratch = new Uint8Array(0);
  readonly #reader = new RecordReader();
  /** How long synchronous reads take, in milliseconds, a moving average; and when to measure again. */
  #readTime = 0;
  #untilMeasured = 0;
  /** Reads that pass before the medium is probed again, and that have passed. */
  #probeAfter = FIRST_PROBE;
  #passed = 0;

  readonly #damage: Damage;
  readonly #longest: number;

  /** @param longest bytes of a record that is read synchronously */
  constructor(damage: Damage, longest = LARGEST_SYNCHRONOUS_READ) {
    this.#damage = damage;
    this.#longest = longest;
  }

  /**
   * The record at an offset, whole; a promise of it if others would be held up.
   *
   * @throws {StoreError} naming file and offset if it cannot be read or is damaged
   */
  read(segment: Segment, offset: number, size: number): RecordReader | Promise<RecordReader> {
    if (size > this.#longest || this.#isSlow()) return this.#readLater(segment, offset, size);
    if (size > this.#scratch.length) this.#grow(size);
    const measured = this.#untilMeasured-- <= 0;
    const isProbe = this.#readTime >= FAST_READ;
    const began = measured ? performance.now() : 0;
    try {
      readFully(segment.file, this.#scratch.subarray(0, size), offset);
    } catch (error) {
      throw unreadable(segment, offset, error);
    }
    if (measured) {
      // One read that happens to be late says nothing: two in a row do.
      const took = Math.min(performance.now() - began, FAST_READ * 6);
      this.#readTime += (took - this.#readTime) / 8;
      this.#untilMeasured = this.#readTime > FAST_READ / 2 ? 0 : 7;
      if (isProbe) {
        const isFast = took < FAST_READ;
        this.#probeAfter = isFast
          ? SOON
          : Math.min(Math.max(this.#probeAfter * 2, FIRST_PROBE), LAST_PROBE);
      }
    }
    return this.#parsed(this.#reader, segment, offset, size);
  }

  #grow(size: number): void {
    let bytes = FIRST_SCRATCH;
    while (bytes < size) bytes *= 2;
    this.#scratch = new Uint8Array(bytes);
    this.#reader.over(this.#scratch);
  }

  /** {@linkcode read} of a record that is in memory. */
  parse(bytes: Uint8Array<ArrayBuffer>, segment: Segment, offset: number): RecordReader {
    const reader = new RecordReader();
    reader.over(bytes);
    return this.#parsed(reader, segment, offset, bytes.length);
  }

  async #readLater(segment: Segment, offset: number, size: number): Promise<RecordReader> {
    this.slow++;
    const bytes = new Uint8Array(size);
    segment.pin();
    try {
      await readFullyLater(segment.file, bytes, offset);
    } catch (error) {
      throw unreadable(segment, offset, error);
    } finally {
      segment.unpin();
    }
    return this.parse(bytes, segment, offset);
  }

  #parsed(
    reader: RecordReader,
    segment: Segment,
    offset: number,
    size: number,
  ): RecordReader {
    if (reader.parse(0, size, segment.seed, offset)) return reader;
    this.damaged++;
    this.#damage.note(segment, offset);
    throw new UnreadableError(sentenceOf(segment, offset));
  }

  #isSlow(): boolean {
    if (this.#readTime < FAST_READ) return false;
    if (++this.#passed < this.#probeAfter) return true;
    this.#passed = 0;
    this.#untilMeasured = 0;
    return false;
  }
}

function unreadable(segment: Segment, offset: number, error: unknown): StoreError {
  const why = messageOf(error).replaceAll(/\s+/g, " ");
  return new UnreadableError(`Cannot read '${segment.path}' at offset ${offset}: ${why}`);
}
