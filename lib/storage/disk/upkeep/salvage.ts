/**
 * Finds whole records among damaged bytes.
 *
 * @module
 */

import { type DataFile, readFully } from "../fs/files.ts";
import { KeyHash } from "../../../key_hash.ts";
import { Kind, RECORD_HEADER, RecordReader } from "../format/record.ts";
import { KeyIndex } from "../index/key_index.ts";
import { SegmentReader, Step } from "../read/segment_reader.ts";

/**
 * The whole records from an offset on, wherever they begin. Each is valid until the next is asked for.
 *
 * @param end the offset behind the last byte that counts
 */
export function* wholeRecords(
  file: DataFile,
  seed: number,
  from: number,
  end: number,
): Generator<{ readonly offset: number; readonly record: RecordReader }> {
  const bytes = new Uint8Array(Math.max(end - from, 0));
  const length = readFully(file, bytes, from);
  const record = new RecordReader();
  record.over(bytes);
  for (let at = (8 - from % 8) % 8; at + RECORD_HEADER <= length;) {
    if (record.parse(at, length, seed, from + at)) {
      yield { offset: from + at, record };
      at += record.size;
    } else {
      at += 8;
    }
  }
}

/** The offset behind the last byte between two offsets of a file that is not zero; `from` where all are. */
export function endOfBytes(file: DataFile, from: number, end: number): number {
  const bytes = new Uint8Array(Math.max(end - from, 0));
  const length = readFully(file, bytes, from);
  return from + bytes.subarray(0, length).findLastIndex((byte) => byte !== 0) + 1;
}

/** How many bytes of a segment count that is not listed: not the zeros of room that was made ahead of the log. */
export function lengthWithoutRoom(file: DataFile, seed: number): number {
  const size = file.size();
  const reader = new SegmentReader(file, seed, size);
  while (reader.advance() === Step.record);
  const { offset } = reader;
  let end = endOfBytes(file, offset, size);
  // Where there is damage whole records may follow, and the last of them may end in zeros of its own.
  if (end > offset) {
    for (const one of wholeRecords(file, seed, offset, size)) {
      end = Math.max(end, one.offset + one.record.size);
    }
  }
  return Math.min(end, size);
}

/** A run of bytes that are no whole record. */
export interface DamagedPart {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Reads a segment's records, past what is damaged; `keep` is told each whole one. */
export function salvage(
  path: string,
  file: DataFile,
  seed: number,
  from: number,
  end: number,
  keep: (record: RecordReader, offset: number) => void,
): DamagedPart[] {
  const parts: DamagedPart[] = [];
  let behind = from;
  for (const { offset, record } of wholeRecords(file, seed, from, end)) {
    if (offset > behind) parts.push({ path, offset: behind, bytes: offset - behind });
    keep(record, offset);
    behind = offset + record.size;
  }
  if (behind < end) parts.push({ path, offset: behind, bytes: end - behind });
  return parts;
}

/** Which items there are as whole records are gone through in log order, with what amends them. */
export class Amendable {
  readonly #hash: KeyHash;
  /** The sequence number of each key's item, as two words of which the first is never 0. */
  #items = new KeyIndex();

  constructor(hashKey: Uint8Array) {
    this.#hash = new KeyHash(hashKey);
  }

  /** Takes note of the next record; returns false for an amendment of what is not there. */
  follow(record: RecordReader): boolean {
    const { kind, base } = record;
    if (kind === Kind.flush) this.#items = new KeyIndex();
    if (kind !== Kind.item && kind !== Kind.tombstone && kind !== Kind.amendment) return true;
    const hash = this.#hash;
    hash.of(record.bytes, record.at + RECORD_HEADER, record.keyLength);
    const high = (Math.floor(base / 2 ** 32) << 1 | 1) >>> 0;
    const low = base >>> 0;
    if (kind === Kind.item) this.#items.set(hash.a, hash.b, hash.c, high, low);
    else if (kind === Kind.tombstone) this.#items.remove(hash.a, hash.b, hash.c);
    else {
      return this.#items.find(hash.a, hash.b, hash.c) && this.#items.high === high &&
        this.#items.low === low;
    }
    return true;
  }
}
