/**
 * Places in a log: where a moment ends, and whether a directory has got there.
 *
 * @module
 */

import { codeOf, type Files } from "../storage/disk/fs/files.ts";
import { segmentName } from "../storage/disk/log/segment.ts";
import { checksumOf } from "../storage/disk/read/segment_reader.ts";
import type { Moment } from "../storage/moment.ts";
import type { Place } from "./head.ts";
import type { CopyManifest } from "./manifest.ts";
import type { Own } from "./tenure.ts";

/** Where a manifest's moment ends. */
export function placeOf({ segments }: CopyManifest): Place | undefined {
  const last = segments.at(-1);
  return last && { segment: last.id, length: last.length, crc: last.crc };
}

/** Where a moment ends, with the checksum read from the file where it is not known. */
export async function ownOfMoment(
  files: Files,
  directory: string,
  { segments, sequence }: Moment,
): Promise<Own> {
  const last = segments.at(-1);
  if (last === undefined) return { place: undefined, sequence };
  const [segment, length, known] = last;
  const crc = known ?? await sumOfFile(files, `${directory}/${segmentName(segment)}`, length);
  return { place: { segment, length, crc }, sequence };
}

/**
 * Why a moment is behind a place: words for a sentence; nothing where it has the place. A segment that
 * compaction has removed since counts as one that has it, also where that was the last of all: when every item
 * has expired.
 */
export async function behindPlace(
  files: Files,
  directory: string,
  { segments, next }: Moment,
  place: Place,
): Promise<string | undefined> {
  const newest = segments.at(-1)?.[0] ?? 0;
  const own = segments.find(([id]) => id === place.segment);
  if (own === undefined) {
    const isRemoved = segments.length === 0 ? next > place.segment : newest > place.segment;
    return isRemoved
      ? undefined
      : `its newest segment is ${newest}, and segment ${place.segment} was copied`;
  }
  const [id, length] = own;
  if (length < place.length) {
    return `its segment ${id} has ${length} bytes, and ${place.length} were copied`;
  }
  try {
    const sum = await sumOfFile(files, `${directory}/${segmentName(id)}`, place.length);
    return sum === place.crc ? undefined : `its segment ${id} has other bytes than were copied`;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function sumOfFile(files: Files, path: string, length: number): Promise<number> {
  const file = files.open(path, "read");
  try {
    return await checksumOf(file, length, () => {});
  } finally {
    file.close();
  }
}
