/**
 * Reads a moment whole, as a restore would, and keeps nothing.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { Destination } from "./destination.ts";
import { bytesOfManifest, type CopyManifest } from "./manifest.ts";
import { isOfCopy, readBack } from "./read_back.ts";
import {
  type Advance,
  inLanes,
  reaching,
  type ReadTask,
  type SegmentReport,
  WORTH_THREADS,
} from "./restore.ts";

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
 * @param read reads one segment in another thread, where there is so much that it is worth its start
 * @throws {DestinationError} if the destination cannot be reached
 */
export async function verifyMoment(
  destination: Destination,
  manifest: CopyManifest,
  progress: (done: number, total: number) => void = () => {},
  read?: (task: ReadTask, advance: Advance) => Promise<SegmentReport>,
): Promise<VerifyReport> {
  const total = bytesOfManifest(manifest);
  const readOne = read !== undefined && total >= WORTH_THREADS
    ? read
    : (task: ReadTask, advance: Advance) => verifySegment(destination, task, advance);
  const { hashKey, segments } = manifest;
  const problems: string[] = [];
  let [bytes, records, pieces] = [0, 0, 0];
  await inLanes(segments, async (segment) => {
    pieces += segment.pieces.length;
    try {
      const report = await readOne(
        { hashKey, segment },
        (more) => progress(bytes += more, total),
      );
      records += report.records;
    } catch (error) {
      if (!isOfCopy(error)) throw error;
      problems.push(messageOf(error));
    }
  });
  return { bytes, pieces, records, problems };
}

/**
 * Reads one segment.
 *
 * @throws {MissingError} if a piece is not there
 * @throws {BrokenCopyError} if a byte is not what it was
 */
export async function verifySegment(
  destination: Destination,
  { hashKey, segment }: ReadTask,
  advance: Advance,
): Promise<SegmentReport> {
  const reach = reaching(segment.length, advance);
  const { records } = await readBack(
    destination,
    hashKey,
    segment,
    (bytes, at) => reach(at + bytes.length),
  );
  return { kept: 0, records };
}
