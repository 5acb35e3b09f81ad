/**
 * How the shelf lies in shared memory: control words, a table of buckets, a ring of records.
 *
 * A bucket is {@linkcode BUCKET} words: its version, three words of room, then {@linkcode WAYS} entries
 * of four words: the hash's second word, the record's position, its size, and the note of its last access.
 * Positions and sizes are in units of 8 bytes; positions count on from lap to lap, modulo 2^32.
 *
 * A record, in words:
 *
 * | word   | what                                            |
 * | ------ | ----------------------------------------------- |
 * | 0      | its own position                                |
 * | 1      | checksum of all words behind this one           |
 * | 2      | key length, marks << 8                          |
 * | 3      | value length                                    |
 * | 4      | the item's {@linkcode Field}s                    |
 * |        | key, value, zeros up to a multiple of 8 bytes    |
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { assert } from "../../errors.ts";
import { FIELD_WORDS } from "./fields.ts";

/** Control words: the oldest position that is valid, and the second from which on nothing is shown. */
export const LOW = 0;
export const ENDS = 16;
/** The first second of access notes, since 1970. */
export const BASE = 32;
/** Words of the key by which keys are hashed. */
export const HASH_KEY = 48;
/** From here on each thread has a word of its own, on a line of its own, for its barriers. */
export const BARRIERS = 64;
export const BARRIER_LINE = 16;
/** Threads that may read a shelf. */
export const MAX_READERS = 128;
/** {@linkcode ENDS} where nothing ends. */
export const NEVER = 0x7fffffff;

export const BUCKET = 32;
export const WAYS = 7;
export const FIRST_WAY = 4;
export const WAY = 4;

/** An item's fields in a record: their first word, and that in units of 8 bytes. */
export const FIELDS = 4;
export const UNITS = FIELDS / 2;
/** Bytes before a record's key. */
export const RECORD = (FIELDS + FIELD_WORDS) * 4;

/** The note of an access: seconds since the base and one more, 0 for none. */
export const NOTED = 0xffffff;
/** Set when the note was taken for an access that the store was told of. */
export const TOLD = 1 << 24;
/** What distinguishes the entries that a way has had. */
export const GENERATION = 1 << 25;

const CONTROL = BARRIERS + BARRIER_LINE * MAX_READERS;
/** Bytes of ring for one entry of the table, about. */
const PER_ENTRY = 256;

/** The parts of a shelf's memory. */
export class ShelfMemory {
  readonly control: Int32Array;
  readonly table: Int32Array;
  readonly buckets: number;
  /** The records, by units. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly doubles: Float64Array;
  readonly longs: BigUint64Array;
  /** The units of the ring, less one. */
  readonly mask: number;

  /** @param memory of {@linkcode ShelfMemory.of} */
  constructor(memory: SharedArrayBuffer) {
    const { ring, buckets } = sizesOf(memory.byteLength);
    this.control = new Int32Array(memory, 0, CONTROL);
    const table = CONTROL * 4;
    this.table = new Int32Array(memory, table, buckets * BUCKET);
    this.buckets = buckets;
    const records = table + buckets * BUCKET * 4;
    this.words = new Int32Array(memory, records, ring / 4);
    this.bytes = new Uint8Array(memory, records, ring);
    this.doubles = new Float64Array(memory, records, ring / 8);
    this.longs = new BigUint64Array(memory, records, ring / 8);
    this.mask = ring / 8 - 1;
  }

  /**
   * Memory for a shelf whose records take `ring` bytes, a power of two of at least 64 KiB.
   *
   * @param hashKey 16 random bytes
   */
  static of(ring: number, hashKey: Uint8Array): SharedArrayBuffer {
    assert((ring & (ring - 1)) === 0 && ring >= 1 << 16, "the size of a shelf is a power of two");
    const memory = new SharedArrayBuffer(bytesFor(ring));
    const control = new Int32Array(memory, 0, CONTROL);
    control[ENDS] = NEVER;
    control.set(new Int32Array(hashKey.slice(0, 16).buffer), HASH_KEY);
    return memory;
  }

  /** The key by which keys are hashed. */
  get hashKey(): Uint8Array {
    return new Uint8Array(this.control.slice(HASH_KEY, HASH_KEY + 4).buffer);
  }

  /** The first word of the bucket of a hash. `a` is unsigned. */
  bucketOf(a: number): number {
    return Math.floor(a / 4294967296 * this.buckets) * BUCKET;
  }
}

/** Bytes that a shelf takes with a ring of so many. */
export function bytesFor(ring: number): number {
  return CONTROL * 4 + bucketsFor(ring) * BUCKET * 4 + ring;
}

function bucketsFor(ring: number): number {
  return Math.max(16, Math.ceil(ring / PER_ENTRY / WAYS));
}

function sizesOf(bytes: number): { ring: number; buckets: number } {
  let ring = 1 << 16;
  while (bytesFor(ring) < bytes) ring *= 2;
  assert(bytesFor(ring) === bytes, "a shelf has the size that it was made with");
  return { ring, buckets: bucketsFor(ring) };
}

/** Records of up to so many words are summed up in a loop; a call is faster for more. */
export const FEW_WORDS = 128;

/**
 * The checksum of a record that begins at a word and has so many: CRC-32, or for few words the sum of their running
 * sums (Fletcher), which every word and its place are part of.
 */
export function checksum(words: Int32Array, bytes: Uint8Array, at: number, count: number): number {
  if (count > FEW_WORDS) return crc32(bytes.subarray((at + 2) * 4, (at + count) * 4)) | 0;
  let sum = count;
  let sums = 0;
  for (let i = at + 2, end = at + count; i < end; i++) {
    sum = sum + words[i] | 0;
    sums = sums + sum | 0;
  }
  return sums;
}
