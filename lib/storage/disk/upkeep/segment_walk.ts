/**
 * From the bytes of a segment to its hint, as they come. Records are found by their lengths, and their
 * checksums are not looked at: who knows the segment's own, of all its bytes, compares that.
 *
 * @module
 */

import { equalBytes } from "../../../bytes.ts";
import { KeyHash } from "../../../key_hash.ts";
import { HintBuilder } from "../format/hint.ts";
import { FOLLOWED_CAS, isPlausible, RECORD_HEADER, recordSize, Word } from "../format/record.ts";
import { decodeSegmentHeader, ExpiryTimes, SEGMENT_HEADER } from "../log/segment.ts";
import { noteRecord, type Outlined } from "./hint_of.ts";

/** Bytes of a record that a hint needs, at most: the header and the key. */
const HEAD_BYTES = RECORD_HEADER + 250;
/** About the bytes of a small record. */
const SMALL_RECORD = 150;
/** As a number: those below it are exact, and those above are rounded to no less. */
const MOST_FOLLOWED = Number(FOLLOWED_CAS);
const TWO_32 = 2 ** 32;

/** The segment that the bytes are of, as a manifest lists it. */
export interface ListedSegment {
  readonly id: number;
  /** Bytes. */
  readonly length: number;
  readonly crc: number;
}

/**
 * Takes a segment's bytes, in order. It keeps none of them but the beginning of a record that the next
 * block goes on with, and comes to no harm by any bytes: each record takes it further, and none is
 * believed that ends behind the segment.
 */
export class SegmentWalk {
  /** What is wrong with the bytes; nothing behind it is looked at. */
  fault: string | undefined;
  records = 0;
  /** The offset of the next byte that is to come. */
  #at = 0;
  /** The offset of the next record; 0 is the segment's header. */
  #next = 0;
  /** What has come of it, where its key is not whole yet. */
  readonly #kept = new Uint8Array(HEAD_BYTES);
  #keptBytes = 0;
  readonly #outline = new Outline();
  readonly #hashKey: Uint8Array;
  readonly #hash: KeyHash;
  readonly #hint: HintBuilder;
  readonly #summary;

  constructor(hashKey: Uint8Array, { id, length, crc }: ListedSegment) {
    this.#hashKey = hashKey;
    this.#hash = new KeyHash(hashKey);
    this.#hint = new HintBuilder(Math.ceil(length / SMALL_RECORD));
    this.#summary = {
      ...{ id, length, crc, sequence: 0, tombstones: 0, tombstoneSegment: 0 },
      expiry: new ExpiryTimes(Date.now()),
    };
  }

  /** Takes the next bytes, which are nobody's afterwards. */
  take(block: Uint8Array): void {
    const start = this.#at;
    this.#at += block.length;
    if (this.#keptBytes > 0) {
      const more = block.subarray(0, HEAD_BYTES - this.#keptBytes);
      this.#kept.set(more, this.#keptBytes);
      this.#keptBytes += more.length;
      this.#outline.over(this.#kept);
      // Where that is not enough, no more has come than that.
      if (!this.#step(0, this.#keptBytes)) return;
      this.#keptBytes = 0;
    }
    this.#outline.over(block);
    while (this.#next < this.#at && this.fault === undefined) {
      const at = this.#next - start;
      if (this.#step(at, block.length)) continue;
      this.#kept.set(block.subarray(at));
      this.#keptBytes = block.length - at;
      return;
    }
  }

  /** The bytes of the hint, when all has come; `undefined` where there is a {@linkcode fault}. */
  finish(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#next !== this.#summary.length) this.#fail();
    if (this.#at !== this.#next) this.fault ??= "its end is missing";
    return this.fault === undefined ? this.#hint.finish(this.#summary) : undefined;
  }

  /** Goes over what begins at `at`; returns whether what has come up to `end` is enough for that. */
  #step(at: number, end: number): boolean {
    if (this.#next === 0) return this.#readHeader(at, end);
    const outline = this.#outline;
    const offset = this.#next;
    const size = offset < this.#summary.length ? outline.read(at, end) : -1;
    if (size === 0) return false;
    if (size < 0 || offset + size > this.#summary.length) {
      this.#fail();
      return true;
    }
    this.records++;
    this.#next = offset + size;
    noteRecord(outline, offset, this.#hint, this.#summary, this.#hash);
    return true;
  }

  #readHeader(at: number, end: number): boolean {
    if (at + SEGMENT_HEADER > end) return false;
    const header = decodeSegmentHeader(this.#outline.bytes.subarray(at, at + SEGMENT_HEADER));
    if (
      header === undefined || "format" in header || header.id !== this.#summary.id ||
      !equalBytes(header.hashKey, this.#hashKey)
    ) this.fault ??= "its header is another's";
    this.#next = SEGMENT_HEADER;
    return true;
  }

  #fail(): void {
    this.fault ??= `there is no whole record at offset ${this.#next}`;
  }
}

/** A record whose end need not have come. */
class Outline implements Outlined {
  kind = 0;
  size = 0;
  sequence = 0;
  followed = 0;
  time = 0;
  segment = 0;
  at = 0;
  keyLength = 0;
  bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.bytes.buffer);

  /** Chooses the memory that is read from. */
  over(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Reads the record at `at`, as far as a hint needs it, of what has come up to `end`.
   *
   * @returns its size in the log; 0 where its key ends behind `end`, -1 where there can be no record
   */
  read(at: number, end: number): number {
    if (at + RECORD_HEADER > end) return 0;
    const view = this.#view;
    const kinds = view.getUint32(at + 4 * Word.kinds, true);
    const valueLength = view.getUint32(at + 4 * Word.valueLength, true);
    if (!isPlausible(kinds, valueLength)) return -1;
    const keyLength = kinds & 0xff;
    if (at + RECORD_HEADER + keyLength > end) return 0;
    this.at = at;
    this.kind = kinds >>> 8 & 0xff;
    this.keyLength = keyLength;
    this.sequence = this.#uint64(at + 4 * Word.sequence);
    const cas = this.#uint64(at + 4 * Word.cas);
    this.followed = cas < MOST_FOLLOWED ? cas : 0;
    this.time = this.#uint64(at + 4 * Word.time);
    this.segment = view.getUint32(at + 4 * Word.segment, true);
    return this.size = recordSize(keyLength, valueLength);
  }

  #uint64(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * TWO_32;
  }
}
