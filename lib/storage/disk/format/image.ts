/**
 * The index as it was at a moment, so that a start need not make it again. FORMAT.md, "Image".
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { bytesOf } from "../../../bytes.ts";
import { FORMAT, isRead } from "../log/segment.ts";

/** The image's file name. */
export const IMAGE = "INDEX";

const MAGIC = new Uint32Array(bytesOf("kvsindex").buffer);
/** Words before the first table, before each table, and behind the text. */
const HEAD = 4;
const TABLE_HEAD = 4;
const TAIL = 4;

/** A segment before the image's first one to be replayed, with what its hint says of it. */
export interface ImageSegment {
  readonly id: number;
  readonly length: number;
  readonly crc: number;
  readonly sequence: number;
  readonly tombstones: number;
  readonly tombstoneSegment: number;
  readonly hintBytes: number;
  /** Bytes of records that keys are at, where the text is {@linkcode ImageText.still}. */
  readonly live: number;
  /** Milliseconds since 1970, and the buckets of `ExpiryTimes`. */
  readonly base: number;
  readonly buckets: readonly number[];
}

/** What an image says beside its tables. */
export interface ImageText {
  /** 32 hex digits, as in the manifest. */
  readonly hashKey: string;
  /** What the manifest that goes with it calls it. */
  readonly name: string;
  /** The first segment that must be replayed on the tables. */
  readonly from: number;
  readonly segments: readonly ImageSegment[];
  /** Number and slot of each segment that the tables may speak of; 0 is the number of one that is gone. */
  readonly slots: ReadonlyArray<readonly [id: number, slot: number]>;
  readonly flushAt: number;
  readonly flushSegment: number;
  /** Whether nothing changed while the image was made: all of it is of one moment. */
  readonly still: boolean;
}

/** What stands before the tables. */
export function encodeImageHead(tables: number): Uint8Array {
  const words = new Uint32Array(HEAD);
  words.set(MAGIC);
  words[2] = FORMAT;
  words[3] = tables;
  return new Uint8Array(words.buffer);
}

/** What stands before a table. */
export function encodeTableHead(table: Uint32Array, count: number): Uint8Array {
  const words = new Uint32Array(TABLE_HEAD);
  words[0] = table.length;
  words[1] = count;
  words[2] = crc32(bytesIn(table));
  words[3] = crc32(new Uint8Array(words.buffer, 0, 12));
  return new Uint8Array(words.buffer);
}

/** What stands behind the tables. */
export function encodeImageText(text: ImageText): Uint8Array {
  const json = Buffer.from(JSON.stringify(text));
  const tail = new Uint32Array(TAIL);
  tail[0] = json.length;
  tail[1] = crc32(json);
  tail.set(MAGIC, 2);
  return Buffer.concat([json, new Uint8Array(tail.buffer)]);
}

/** A table's bytes. */
export function bytesIn(table: Uint32Array): Uint8Array {
  return new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
}

/** Reads an image's parts; `read` returns as many bytes from an offset, or fewer at the end. */
export class ImageReader {
  /** Whether each table of items is followed by one of amendments. */
  isPaired = false;

  readonly #read: (into: Uint8Array, at: number) => number;
  readonly #size: number;
  #at = HEAD * 4;

  /** @param size of the file, in bytes */
  constructor(read: (into: Uint8Array, at: number) => number, size: number) {
    this.#read = read;
    this.#size = size;
  }

  /**
   * The text, if this is an image of so many pairs of tables; {@linkcode isPaired} tells whether it has
   * those of amendments.
   */
  text(shards: number): ImageText | undefined {
    const head = this.#words(HEAD, 0);
    const tail = this.#words(TAIL, this.#size - TAIL * 4);
    if (head === undefined || tail === undefined) return undefined;
    const isImage = [head[0], tail[2]].every((word) => word === MAGIC[0]) &&
      [head[1], tail[3]].every((word) => word === MAGIC[1]);
    this.isPaired = head?.[2] === FORMAT;
    if (!isImage || head[3] !== (this.isPaired ? 2 * shards : shards)) return undefined;
    if (!isRead(head[2])) return undefined;
    const length = tail[0];
    const at = this.#size - TAIL * 4 - length;
    if (at < HEAD * 4) return undefined;
    const json = new Uint8Array(length);
    if (this.#read(json, at) !== length || crc32(json) !== tail[1]) return undefined;
    return JSON.parse(Buffer.from(json).toString());
  }

  /** The next table and how many keys are in it, if they are whole. */
  table(): { readonly table: Uint32Array<ArrayBuffer>; readonly count: number } | undefined {
    const head = this.#words(TABLE_HEAD, this.#at);
    if (head === undefined || crc32(bytesIn(head.subarray(0, 3))) !== head[3]) return undefined;
    const table = this.#words(head[0], this.#at + TABLE_HEAD * 4);
    if (table === undefined || crc32(bytesIn(table)) !== head[2]) return undefined;
    this.#at += TABLE_HEAD * 4 + table.byteLength;
    return { table, count: head[1] };
  }

  #words(count: number, at: number): Uint32Array<ArrayBuffer> | undefined {
    if (at < 0 || at + count * 4 > this.#size) return undefined;
    const words = new Uint32Array(count);
    return this.#read(bytesIn(words), at) === count * 4 ? words : undefined;
  }
}
