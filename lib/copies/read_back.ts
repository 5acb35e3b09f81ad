/**
 * Reads a segment from its pieces and checks every byte. FORMAT.md, "Restore".
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { equalBytes } from "../bytes.ts";
import { crc32c } from "../crc32c.ts";
import { KeyHash } from "../key_hash.ts";
import { HintBuilder } from "../storage/disk/format/hint.ts";
import { segmentSeed } from "../storage/disk/format/record.ts";
import type { DataFile } from "../storage/disk/fs/files.ts";
import {
  decodeSegmentHeader,
  ExpiryTimes,
  SEGMENT_HEADER,
  segmentName,
} from "../storage/disk/log/segment.ts";
import { SegmentReader, Step } from "../storage/disk/read/segment_reader.ts";
import { noteRecord } from "../storage/disk/upkeep/hint_of.ts";
import { type Destination, DestinationError } from "./destination.ts";
import type { CopiedSegment } from "./manifest.ts";
import { type Piece, pieceName } from "./names.ts";

/** What of a copy is not what it was. */
export class BrokenCopyError extends Error {
  override readonly name = "BrokenCopyError";
}

/** What came of a segment. */
export interface ReadBack {
  /** The bytes of its hint. */
  readonly hint: Uint8Array<ArrayBuffer>;
  readonly records: number;
}

/** How often a segment is read that does not come as it was: what is wrong with it there stays wrong. */
const READS = 3;

/**
 * Reads a segment; again from its beginning where its bytes have changed on the way.
 *
 * @param take told of each block in order, where it begins
 * @throws {MissingError} if a piece is not there
 * @throws {BrokenCopyError} if a byte is not what it was
 */
export async function readBack(
  destination: Destination,
  hashKey: Uint8Array,
  segment: CopiedSegment,
  take: (bytes: Uint8Array, at: number) => void,
): Promise<ReadBack> {
  for (let reads = 1;; reads++) {
    try {
      return await readOnce(destination, hashKey, segment, take);
    } catch (error) {
      if (!(error instanceof BrokenCopyError) || reads === READS) throw error;
    }
  }
}

async function readOnce(
  destination: Destination,
  hashKey: Uint8Array,
  segment: CopiedSegment,
  take: (bytes: Uint8Array, at: number) => void,
): Promise<ReadBack> {
  const { id, length, crc } = segment;
  const incoming = new Incoming(destination, segment, take);
  try {
    const head = new Uint8Array(SEGMENT_HEADER);
    for (let at = 0; at < SEGMENT_HEADER;) {
      const count = await incoming.readLater(head.subarray(at), at);
      if (count === 0) break;
      at += count;
    }
    const header = decodeSegmentHeader(head);
    if (
      header === undefined || "format" in header || header.id !== id ||
      !equalBytes(header.hashKey, hashKey)
    ) throw broken(id, "its header is another's");
    const summary = {
      ...{ id, length, crc, sequence: 0, tombstones: 0, tombstoneSegment: 0 },
      expiry: new ExpiryTimes(Date.now()),
    };
    const hash = new KeyHash(hashKey);
    const hint = new HintBuilder(Math.ceil(length / 150));
    const reader = new SegmentReader(incoming, segmentSeed(hashKey, id), length);
    let records = 0;
    let step = reader.step();
    while (step === Step.record || step === Step.more) {
      if (step === Step.more) await reader.fillLater();
      else {
        records++;
        noteRecord(reader.record, reader.offset, hint, summary, hash);
      }
      step = reader.step();
    }
    if (step !== Step.end) throw broken(id, `there is no whole record at offset ${reader.offset}`);
    // A segment whose records have all been read may have a last piece that is not at its end yet.
    await incoming.finish();
    if (incoming.crc !== crc) throw broken(id, "it has another CRC-32 than its manifest says");
    return { hint: hint.finish(summary), records };
  } finally {
    await incoming.end();
  }
}

function broken(id: number, why: string): BrokenCopyError {
  return new BrokenCopyError(`segment ${segmentName(id)} is not what was copied: ${why}`);
}

/** The pieces of a segment as a file that is read from its beginning to its end. */
class Incoming implements DataFile {
  /** The CRC-32 of what was read. */
  crc = 0;
  readonly #blocks: AsyncIterator<Uint8Array>;
  readonly #take: (bytes: Uint8Array, at: number) => void;
  #at = 0;
  #block: Uint8Array = new Uint8Array(0);

  constructor(
    destination: Destination,
    segment: CopiedSegment,
    take: (bytes: Uint8Array, at: number) => void,
  ) {
    this.#blocks = blocksOf(destination, segment.pieces)[Symbol.asyncIterator]();
    this.#take = take;
  }

  async readLater(into: Uint8Array, at: number): Promise<number> {
    if (at !== this.#at) throw new Error("a stream is read in order");
    if (this.#block.length === 0 && !await this.#next()) return 0;
    const count = Math.min(into.length, this.#block.length);
    into.set(this.#block.subarray(0, count));
    this.#block = this.#block.subarray(count);
    this.#at += count;
    return count;
  }

  /** Reads what remains, which is no more than the end of the last piece. */
  async finish(): Promise<void> {
    while (await this.#next());
  }

  /** Nothing is read any more. */
  async end(): Promise<void> {
    await this.#blocks.return?.();
  }

  async #next(): Promise<boolean> {
    const { done, value } = await this.#blocks.next();
    if (done) return false;
    this.#take(value, this.#at);
    this.crc = crc32(value, this.crc);
    this.#block = value;
    return true;
  }

  size(): number {
    return this.#at;
  }

  read(): number {
    throw new Error("a stream is waited for");
  }

  write(): number {
    throw new Error("a stream is not written");
  }

  truncate(): void {}

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

async function* blocksOf(
  destination: Destination,
  pieces: readonly Piece[],
): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    const name = pieceName(piece);
    let [length, sum] = [0, 0];
    for await (const block of destination.stream(name)) {
      length += block.length;
      sum = crc32c(block, sum);
      if (length > piece.length) break;
      if (block.length > 0) yield block;
    }
    if (length !== piece.length || sum !== piece.crc32c) {
      throw new BrokenCopyError(
        `'${name}' in ${destination.url} has ${length} bytes with the CRC-32C ${hex(sum)}, not ` +
          `${piece.length} with ${hex(piece.crc32c)}`,
      );
    }
  }
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}

/** Whether a copy, and no destination that is away, is the cause of an error. */
export function isOfCopy(error: unknown): boolean {
  return error instanceof BrokenCopyError || error instanceof DestinationError && !error.retry;
}
