/**
 * What a start needs of a sealed segment, without its values. FORMAT.md, "Hint".
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { bytesOf, free, ifThereIsMemory } from "../../../bytes.ts";
import { type DataFile, readFullyLater } from "../fs/files.ts";
import { FORMAT, isRead } from "../log/segment.ts";
import { ENDLESS, offsetOf, placeHigh, placeLow, unitsOf } from "../index/key_index.ts";

/** Words before the first record. */
export const HINT_HEADER = 48;
/** Words of a record. */
export const HINT_RECORD = 5;

/** Records that there is room for at least, wherever memory is made. */
const LEAST_ROOM = 1 << 12;
const NO_WORDS = new Uint32Array(0);
/** Records that {@linkcode walkHint} takes at a time: in less than a slice of compaction's. */
const BLOCK_RECORDS = 1 << 14;

const MAGIC = new Uint32Array(bytesOf("kvshint\n").buffer);
const TWO_32 = 2 ** 32;

/** What tells a segment's hint from others. */
export type HintOf = Readonly<Pick<Summary, "id" | "length" | "crc">>;

/** The figures of a segment that stand in its hint's header. */
export interface Summary {
  readonly id: number;
  length: number;
  crc: number;
  sequence: number;
  tombstones: number;
  tombstoneSegment: number;
  readonly expiry: { base: number; readonly buckets: Uint32Array };
}

/** A hint that grows with its segment. It has memory from its first record on. */
export class HintBuilder {
  words = NO_WORDS;
  /** Words in use. */
  length = HINT_HEADER;
  readonly #room: number;

  /** @param room for so many records its memory is made at first, if there is so much */
  constructor(room = LEAST_ROOM) {
    this.#room = room;
  }

  /** Adds a record; the hash is 0, 0, 0 for one that is of no key. */
  add(kind: number, a: number, b: number, c: number, offset: number, size: number): void {
    if (this.length + HINT_RECORD > this.words.length) this.#grow();
    const { words, length } = this;
    words[length] = a;
    words[length + 1] = b;
    words[length + 2] = c;
    words[length + 3] = placeHigh(kind, size);
    words[length + 4] = placeLow(offset, size);
    this.length = length + HINT_RECORD;
  }

  #grow(): void {
    const { length } = this.words;
    const least = Math.max(length, HINT_HEADER) + LEAST_ROOM * HINT_RECORD;
    const wanted = length === 0 ? HINT_HEADER + this.#room * HINT_RECORD : Math.ceil(length * 1.5);
    const grown = ifThereIsMemory(() => new Uint32Array(Math.max(least, wanted))) ??
      new Uint32Array(least);
    grown.set(this.words);
    this.free();
    this.words = grown;
  }

  /** Gives the memory back. There are no records in it any more. */
  free(): void {
    free(this.words);
  }

  /** The hint file's bytes, which are gone with {@linkcode free}. */
  finish(summary: Summary): Uint8Array<ArrayBuffer> {
    if (this.words.length === 0) this.#grow();
    const { words, length } = this;
    words.fill(0, 0, HINT_HEADER);
    words.set(MAGIC);
    words[2] = FORMAT;
    words[3] = summary.id;
    words[4] = summary.length;
    words[5] = summary.crc;
    words[6] = summary.sequence;
    words[7] = summary.sequence / TWO_32;
    words[8] = (length - HINT_HEADER) / HINT_RECORD;
    words[9] = summary.tombstones;
    words[10] = summary.tombstoneSegment;
    words[11] = summary.expiry.base;
    words[12] = summary.expiry.base / TWO_32;
    words.set(summary.expiry.buckets, 16);
    const bytes = new Uint8Array(words.buffer, 0, length * 4);
    words[15] = checksum(bytes);
    return bytes;
  }
}

function checksum(bytes: Uint8Array): number {
  return crc32(bytes.subarray(64), crc32(bytes.subarray(0, 60)));
}

/**
 * The words of a hint file, its figures put into `summary`, if it is the hint of that segment.
 *
 * @param summary with the segment's number, length and CRC-32
 */
export function readHint(
  bytes: Uint8Array<ArrayBuffer>,
  summary: Summary,
): Uint32Array<ArrayBuffer> | undefined {
  const words = headerOf(bytes, bytes.length, summary);
  if (words === undefined || words[15] !== checksum(bytes)) return undefined;
  summary.sequence = words[6] + words[7] * TWO_32;
  summary.tombstones = words[9];
  summary.tombstoneSegment = words[10];
  summary.expiry.base = words[11] + words[12] * TWO_32;
  summary.expiry.buckets.set(words.subarray(16, 48));
  return words;
}

/** The words of a hint's beginning, if it is that of the segment's hint. */
function headerOf(
  bytes: Uint8Array<ArrayBuffer>,
  fileBytes: number,
  { id, length, crc }: HintOf,
): Uint32Array<ArrayBuffer> | undefined {
  if (bytes.length < HINT_HEADER * 4 || bytes.length % 4 !== 0) return undefined;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  if (words[0] !== MAGIC[0] || words[1] !== MAGIC[1] || !isRead(words[2])) return undefined;
  if (words[3] !== id || words[4] !== length || words[5] !== crc) return undefined;
  return fileBytes === (HINT_HEADER + words[8] * HINT_RECORD) * 4 ? words : undefined;
}

/**
 * Reads a hint, a block of at most 320 KiB at a time.
 *
 * @param told each record's kind and place; it may be told of some before the hint turns out to be damaged
 * @param turn waits after a block, which has taken so long, until it may go on; false ends it
 * @returns whether that was the whole hint of that segment
 */
export async function walkHint(
  file: DataFile,
  segment: HintOf,
  told: (kind: number, offset: number, size: number) => void,
  turn: (milliseconds: number) => Promise<boolean>,
): Promise<boolean> {
  const fileBytes = file.size();
  const head = new Uint8Array(HINT_HEADER * 4);
  if (await readFullyLater(file, head, 0) < head.length) return false;
  const header = headerOf(head, fileBytes, segment);
  if (header === undefined) return false;
  let sum = checksum(head);
  const words = new Uint32Array(Math.min(BLOCK_RECORDS, header[8]) * HINT_RECORD);
  const block = new Uint8Array(words.buffer);
  for (let at = head.length; at < fileBytes; at += block.length) {
    const bytes = block.subarray(0, fileBytes - at);
    if (await readFullyLater(file, bytes, at) < bytes.length) return false;
    const began = performance.now();
    sum = crc32(bytes, sum);
    for (let word = 3; word < bytes.length / 4; word += HINT_RECORD) {
      const high = words[word];
      const low = words[word + 1];
      const offset = offsetOf(low);
      const units = unitsOf(high, low);
      const size = units === ENDLESS ? segment.length - offset : units * 8;
      // Damaged: its checksum would tell, but not yet.
      if (size <= 0 || offset + size > segment.length) return false;
      told(high >>> 16, offset, size);
    }
    if (!await turn(performance.now() - began)) return false;
  }
  return sum === header[15];
}
