/**
 * Reads a moment whole, as a restore would, and keeps nothing.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { Destination } from "./destination.ts";
import { bytesOfManifest, type CopyManifest } from "./manifest.ts";
import { isOfCopy, readBack } from "./read_back.ts";
import { inLanes } from "./restore.ts";

/** What was found. */
export interface VerifyReport {
  readonly bytes: number;
  readonly pieces: number;
  readonly records: number;
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[];
}

/**
 * Reads a moment.
 *
 * @throws {DestinationError} if the destination cannot be reached
 */
export async function verifyMoment(
  destination: Destination,
  manifest: CopyManifest,
  progress: (done: number, total: number) => void = () => {},
): Promise<VerifyReport> {
  const total = bytesOfManifest(manifest);
  const problems: string[] = [];
  let [bytes, records, pieces] = [0, 0, 0];
  await inLanes(manifest.segments, async (segment) => {
    pieces += segment.pieces.length;
    let reached = 0;
    try {
      const found = await readBack(destination, manifest.hashKey, segment, (block, at) => {
        // What is read again has been counted.
        bytes += Math.max(0, at + block.length - reached);
        reached = Math.max(reached, at + block.length);
        progress(bytes, total);
      });
      records += found.records;
    } catch (error) {
      if (!isOfCopy(error)) throw error;
      problems.push(messageOf(error));
    }
  });
  return { bytes, pieces, records, problems };
}
