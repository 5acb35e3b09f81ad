/**
 * A stretch of the log: its header, and what the store knows of it. FORMAT.md, "Segment".
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { bytesOf, equalBytes } from "../../../bytes.ts";
import type { DataFile } from "../fs/files.ts";
import { segmentSeed } from "../format/record.ts";

/** The format of everything that is written to the directory. */
export const FORMAT = 2;

/** Whether files of that format are read. */
export function isRead(format: number): boolean {
  return format === FORMAT || format === 1;
}

/** Bytes before the first record. */
export const SEGMENT_HEADER = 64;

const MAGIC = bytesOf("kvs-log\n");

/** What a segment's header says. */
export interface SegmentHeader {
  readonly id: number;
  /** The number and length of the segment before it, 0 and 0 for none. */
  readonly previous: number;
  readonly previousLength: number;
  /** The greatest sequence number used before it. */
  readonly sequence: number;
  /** 16 bytes. */
  readonly hashKey: Uint8Array;
}

/** The header's bytes. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SEGMENT_HEADER);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, FORMAT, true);
  view.setUint32(12, header.id, true);
  view.setUint32(16, header.previous, true);
  view.setBigUint64(24, BigInt(header.previousLength), true);
  view.setBigUint64(32, BigInt(header.sequence), true);
  bytes.set(header.hashKey, 40);
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

/** The header that the bytes are, `undefined` if they are none; `format` where it is another's. */
export function decodeSegmentHeader(
  bytes: Uint8Array,
): SegmentHeader | { readonly format: number } | undefined {
  if (bytes.length < SEGMENT_HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER);
  if (!equalBytes(bytes.subarray(0, 8), MAGIC)) return undefined;
  if (crc32(bytes.subarray(0, 60)) !== view.getUint32(60, true)) return undefined;
  const format = view.getUint32(8, true);
  if (!isRead(format)) return { format };
  return {
    id: view.getUint32(12, true),
    previous: view.getUint32(16, true),
    previousLength: Number(view.getBigUint64(24, true)),
    sequence: Number(view.getBigUint64(32, true)),
    hashKey: bytes.slice(40, 56),
  };
}

/** The name of a segment's file. */
export function segmentName(id: number): string {
  return `${String(id).padStart(10, "0")}.log`;
}

/** The number of the segment that a file name belongs to, `undefined` if it is no segment's. */
export function segmentOfName(name: string): number | undefined {
  const match = /^(\d{10})\.log$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/**
 * How many bytes of a segment's items expire when: bucket n counts those that expire less than 2^n
 * seconds after `base` (and not in a lower bucket). Only buckets that have passed whole are counted
 * as expired, so that the estimate never says too much.
 */
export class ExpiryTimes {
  readonly buckets = new Uint32Array(32);

  /** @param base milliseconds since 1970 */
  constructor(public base: number) {}

  add(exptime: number, bytes: number): void {
    const seconds = Math.min(Math.max(Math.ceil((exptime - this.base) / 1000), 0), 0x7fffffff);
    this.buckets[32 - Math.clz32(seconds)] += bytes;
  }

  /** Bytes of items that have surely expired at `now`, if none was overwritten. */
  passed(now: number): number {
    let sum = 0;
    const seconds = (now - this.base) / 1000;
    for (let n = 0; n < 32 && 2 ** n <= seconds; n++) sum += this.buckets[n];
    return sum;
  }
}

/** A segment of the log, open for reading. */
export class Segment {
  /** Bytes that were written and not cut off again. */
  length = 0;
  /** CRC-32 of those. */
  crc = 0;
  /** Bytes of records that the index points at. */
  live = 0;
  /** Bytes of tombstones, and the greatest segment number in one. */
  tombstones = 0;
  tombstoneSegment = 0;
  /** The greatest sequence number in it. */
  sequence = 0;
  /** Bytes of its hint file. */
  hintBytes = 0;
  sealed = false;
  /** Whether the manifest lists it. */
  listed = false;
  /** On its way off the manifest. */
  givenUp = false;
  /** A record in it is known to be damaged. */
  damaged = false;
  /** Given up: nothing in the index points here any more. */
  removed = false;
  /** Readers that need the file to stay open, and those of them that may take long: listings. */
  pins = 0;
  holds = 0;
  readonly seed: number;
  #closed: () => void = () => {};

  /**
   * @param slot by which the index speaks of it, 1 to 65535
   * @param base where the segment begins in the log, counted in bytes from the store's opening
   */
  constructor(
    readonly id: number,
    readonly slot: number,
    readonly path: string,
    readonly file: DataFile,
    hashKey: Uint8Array,
    public base: number,
    readonly expiry: ExpiryTimes,
  ) {
    this.seed = segmentSeed(hashKey, id);
  }

  /** Keeps the file open until {@linkcode unpin}. */
  pin(): void {
    this.pins++;
  }

  unpin(): void {
    if (--this.pins === 0 && this.removed) this.#close();
  }

  /** {@linkcode pin} for as long as a client may take. */
  hold(): void {
    this.holds++;
    this.pin();
  }

  unhold(): void {
    this.holds--;
    this.unpin();
  }

  /**
   * Closes the file, as soon as nobody reads it.
   *
   * @param closed told when that is done: until then the file takes its room, with a name or without
   */
  remove(closed: () => void = () => {}): void {
    this.removed = true;
    this.#closed = closed;
    if (this.pins === 0) return this.#close();
    try {
      this.file.keep?.();
    } catch {
      // The next read of it finds out.
    }
  }

  #close(): void {
    this.file.close();
    this.#closed();
  }

  get hintPath(): string {
    return hintPathOf(this.path);
  }
}

/** The path of the hint of the segment at `path`. */
export function hintPathOf(path: string): string {
  return path.slice(0, -3) + "hint";
}
