/**
 * A moment of a directory from outside, whether a server has it or not. FORMAT.md, "Copying from outside".
 *
 * @module
 */

import { MANIFEST } from "../storage/disk/format/manifest.ts";
import { Kind, segmentSeed } from "../storage/disk/format/record.ts";
import { codeOf, type DataFile, type Files } from "../storage/disk/fs/files.ts";
import {
  FORMAT,
  type SegmentHeader,
  segmentName,
  segmentOfName,
} from "../storage/disk/log/segment.ts";
import { checksumOf, SegmentReader, Step } from "../storage/disk/read/segment_reader.ts";
import {
  lengthByNext,
  readManifest,
  readSegmentHeader,
  untrusted,
} from "../storage/disk/upkeep/directory.ts";
import type { Moment } from "../storage/moment.ts";

/** A segment of the tail, read as far as it is whole. */
interface TailSegment {
  readonly id: number;
  readonly length: number;
}

/** How often it is begun again because compaction has removed a segment meanwhile. */
const ATTEMPTS = 20;

/**
 * Reads what a directory has.
 *
 * @param isServed whether a server has it: then only what a sync marker speaks of counts of the tail
 * @throws {ExitError} if the directory cannot be trusted
 */
export async function momentOfDirectory(
  files: Files,
  directory: string,
  isServed: boolean,
): Promise<Moment> {
  for (let attempt = 1;; attempt++) {
    try {
      return await read(files, directory, isServed);
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || attempt === ATTEMPTS) throw error;
    }
  }
}

async function read(files: Files, directory: string, isServed: boolean): Promise<Moment> {
  // The list is read before the tail: what compaction takes off it is in the tail, marked as synced.
  const manifest = readManifest(files, directory);
  if (typeof manifest === "string") throw untrusted(directory, `its ${MANIFEST} is ${manifest}`);
  const time = Date.now();
  const { hashKey, sequence, items, next } = manifest;
  const tail: TailSegment[] = [];
  const synced = { segment: 0, offset: 0 };
  let before: TailSegment | undefined;
  const ids = files.list(directory).map(segmentOfName)
    .filter((id) => id !== undefined && id >= next).sort((a, b) => a! - b!) as number[];
  const headers = ids.map((id) => headerOf(files, directory, id));
  for (const [i, id] of ids.entries()) {
    const told = lengthByNext(id, headers.slice(i + 1));
    if (told === 0) continue;
    const file = files.open(`${directory}/${segmentName(id)}`, "read");
    try {
      const header = headers[i];
      const follows = header?.id === id &&
        (before === undefined
          ? header.previous < next
          : header.previous === before.id && header.previousLength === before.length);
      if (!follows) break;
      if (!isServed) await file.sync();
      const end = Math.min(file.size(), told);
      const length = await wholeLength(file, end, segmentSeed(hashKey, id), synced);
      before = { id, length };
      tail.push(before);
    } finally {
      file.close();
    }
  }
  const counted = isServed ? upTo(tail, synced) : tail;
  const segments: Array<readonly [number, number, number | undefined]> = [...manifest.segments];
  for (const [i, { id, length }] of counted.entries()) {
    const isSealed = !isServed || i < counted.length - 1;
    segments.push([id, length, isSealed ? await sumOf(files, directory, id, length) : undefined]);
  }
  const position = segments.reduce((sum, [, length]) => sum + length, 0);
  return {
    ...{ disk: FORMAT, hashKey, time, position, sequence, items, segments },
    next: Math.max(next, (tail.at(-1)?.id ?? 0) + 1),
  };
}

function headerOf(files: Files, directory: string, id: number): SegmentHeader | undefined {
  const file = files.open(`${directory}/${segmentName(id)}`, "read");
  try {
    return readSegmentHeader(directory, file);
  } finally {
    file.close();
  }
}

/** How long a segment is as far as its records are whole; notes the furthest place that is marked as synced. */
async function wholeLength(
  file: DataFile,
  end: number,
  seed: number,
  synced: { segment: number; offset: number },
): Promise<number> {
  const reader = new SegmentReader(file, seed, end);
  for (;;) {
    const step = reader.step();
    if (step === Step.more) {
      await reader.fillLater();
      continue;
    }
    if (step !== Step.record) return reader.offset;
    const { kind, segment, time } = reader.record;
    if (kind !== Kind.marker) continue;
    if (segment > synced.segment || segment === synced.segment && time > synced.offset) {
      synced.segment = segment;
      synced.offset = time;
    }
  }
}

function upTo(
  tail: readonly TailSegment[],
  synced: { readonly segment: number; readonly offset: number },
): TailSegment[] {
  return tail.filter(({ id }) => id <= synced.segment).map(({ id, length }) =>
    id < synced.segment ? { id, length } : { id, length: Math.min(length, synced.offset) }
  ).filter(({ length }) => length > 0);
}

async function sumOf(files: Files, directory: string, id: number, length: number): Promise<number> {
  const file = files.open(`${directory}/${segmentName(id)}`, "read");
  try {
    return await checksumOf(file, length, () => {});
  } finally {
    file.close();
  }
}
