/**
 * Reads of records from segments: synchronously while that is fast, else without holding up the others.
 *
 * @module
 */

import { messageOf, type StoreError } from "../../../errors.ts";
import { readFully, readFullyLater } from "../fs/files.ts";
import { RecordReader } from "../format/record.ts";
import { type Damage, sentenceOf, UnreadableError } from "./damage.ts";
import { ReadPace } from "./read_pace.ts";
import type { Segment } from "../log/segment.ts";

/** Records up to this many bytes are read synchronously, if that has been fast. */
const LARGEST_SYNCHRONOUS_READ = 1 << 16;
/** Bytes of memory for those at the beginning. */
const FIRST_SCRATCH = 1 << 12;

/** Reads records; what is read synchronously is valid until the next such read. */
export class RecordReads {
  /** Reads that others were let past, and records that were found damaged. */
  slow = 0;
  damaged = 0;

  #scratch = new Uint8Array(0);
  readonly #reader = new RecordReader();
  readonly #pace = new ReadPace();

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
    if (size > this.#longest || this.#pace.isSlow()) return this.#readLater(segment, offset, size);
    if (size > this.#scratch.length) this.#grow(size);
    const began = this.#pace.begin();
    try {
      readFully(segment.file, this.#scratch.subarray(0, size), offset);
    } catch (error) {
      throw unreadable(segment, offset, error);
    }
    this.#pace.end(began);
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
}

function unreadable(segment: Segment, offset: number, error: unknown): StoreError {
  const why = messageOf(error).replaceAll(/\s+/g, " ");
  return new UnreadableError(`Cannot read '${segment.path}' at offset ${offset}: ${why}`);
}
