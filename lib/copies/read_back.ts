/**
 * Reads a segment from its pieces and checks every byte. FORMAT.md, "Restore".
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { crc32c } from "../crc32c.ts";
import { segmentName } from "../storage/disk/log/segment.ts";
import { SegmentWalk } from "../storage/disk/upkeep/segment_walk.ts";
import { type Destination, DestinationError } from "./destination.ts";
import type { CopiedSegment } from "./manifest.ts";
import { pieceName } from "./names.ts";

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

/** Told of a block in order, and where it begins; the block is its until it returns. */
type Take = (bytes: Uint8Array, at: number) => void;

/**
 * Reads a segment; again from its beginning where its bytes have changed on the way. What of it is wrong is
 * looked for only then: a segment with its length and CRC-32 is what was copied, and so are its pieces.
 *
 * @throws {MissingError} if a piece is not there
 * @throws {BrokenCopyError} if a byte is not what it was
 */
export async function readBack(
  destination: Destination,
  hashKey: Uint8Array,
  segment: CopiedSegment,
  take: Take,
): Promise<ReadBack> {
  for (let reads = 1;; reads++) {
    try {
      return await readOnce(destination, hashKey, segment, take, reads > 1);
    } catch (error) {
      if (!(error instanceof BrokenCopyError) || reads === READS) throw error;
    }
  }
}

/** @param isSuspect whether each piece is compared with its own checksum, to say which is wrong */
async function readOnce(
  destination: Destination,
  hashKey: Uint8Array,
  segment: CopiedSegment,
  take: Take,
  isSuspect: boolean,
): Promise<ReadBack> {
  const { id, length, crc } = segment;
  const walk = new SegmentWalk(hashKey, segment);
  let at = 0;
  let sum = 0;
  for (const piece of segment.pieces) {
    const name = pieceName(piece);
    const start = at;
    const end = start + piece.length;
    let pieceSum = 0;
    let isLonger = false;
    for await (const block of destination.stream(name)) {
      isLonger = at + block.length > end;
      if (isLonger) break;
      sum = crc32(block, sum);
      if (isSuspect) pieceSum = crc32c(block, pieceSum);
      take(block, at);
      at += block.length;
      walk.take(block);
      // Nobody waits for the end of what cannot be right, but to learn which piece it is.
      if (walk.fault !== undefined && !isSuspect) throw broken(id, walk.fault);
    }
    if (isLonger || at < end) {
      const is = isLonger ? "more" : `${at - start}`;
      throw new BrokenCopyError(
        `'${name}' in ${destination.url} has ${is} bytes, not ${piece.length}`,
      );
    }
    if (isSuspect && pieceSum !== piece.crc32c) {
      throw new BrokenCopyError(
        `'${name}' in ${destination.url} has the CRC-32C ${hex(pieceSum)}, not ` +
          hex(piece.crc32c),
      );
    }
  }
  const hint = walk.finish();
  if (hint === undefined) throw broken(id, walk.fault!);
  if (at !== length || sum !== crc) {
    throw broken(id, "it has another CRC-32 than its manifest says");
  }
  return { hint, records: walk.records };
}

function broken(id: number, why: string): BrokenCopyError {
  return new BrokenCopyError(`segment ${segmentName(id)} is not what was copied: ${why}`);
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}

/** Whether a copy, and no destination that is away, is the cause of an error. */
export function isOfCopy(error: unknown): boolean {
  return error instanceof BrokenCopyError || error instanceof DestinationError && !error.retry;
}
