/**
 * Finds what is needed of a segment without reading it. FORMAT.md, "Compaction".
 *
 * @module
 */

import { walkHint } from "../format/hint.ts";
import { Kind } from "../format/record.ts";
import { codeOf, type DataFile, type Files } from "../fs/files.ts";
import { SHARDS } from "../index/key_index.ts";
import type { Placements } from "../index/placements.ts";
import type { Log } from "../log/log.ts";
import type { Segment } from "../log/segment.ts";
import type { Runs } from "../read/runs.ts";

/** Waits, after so many milliseconds of the loop's time, until it may go on; false ends it. */
export type Turn = (milliseconds: number) => Promise<boolean>;

/** Where it is found, and how long at a time. */
export interface NeededOptions {
  readonly files: Files;
  readonly log: Log;
  readonly placements: Placements;
  /** Milliseconds. */
  readonly slice: number;
  readonly turn: Turn;
}

/**
 * Marks the records that keys are at.
 *
 * @returns whether those are all
 * @throws {StoreError} if what is pending cannot be written
 */
export async function markLive(
  segment: Segment,
  runs: Runs,
  { log, placements, slice, turn }: NeededOptions,
): Promise<boolean> {
  const mark = (offset: number, size: number) => runs.mark(offset, size);
  for (let shard = 0; shard < SHARDS;) {
    // What is pending may be lost, and its keys would be again where they were before.
    log.writeOut();
    const began = performance.now();
    for (; shard < SHARDS && performance.now() - began < slice; shard++) {
      placements.each(segment, shard, mark);
    }
    if (!await turn(performance.now() - began)) return false;
  }
  return true;
}

/**
 * Marks tombstones and flushes to come, as the segment's hint tells.
 *
 * @returns whether there is a hint that fits, and those are all
 */
export async function markTombstones(
  segment: Segment,
  runs: Runs,
  { files, turn }: NeededOptions,
): Promise<boolean> {
  let file: DataFile | undefined;
  try {
    file = files.open(segment.hintPath, "read");
    return await walkHint(file, segment, (kind, offset, size) => {
      if (kind === Kind.tombstone || kind === Kind.flushToCome) runs.mark(offset, size);
    }, turn);
  } catch (error) {
    if (codeOf(error) === "") throw error;
    // It is not there, or cannot be read.
    return false;
  } finally {
    file?.close();
  }
}
