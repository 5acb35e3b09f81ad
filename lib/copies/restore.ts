/**
 * From a destination to a directory that a server starts on. FORMAT.md, "Restore".
 *
 * @module
 */

import { Exit, ExitError } from "../errors.ts";
import {
  decodeManifest,
  MANIFEST,
  RESTORING,
  writeManifest,
} from "../storage/disk/format/manifest.ts";
import {
  codeOf,
  type Files,
  readWhole,
  removeIfThere,
  writeFully,
} from "../storage/disk/fs/files.ts";
import { FORMAT, hintPathOf, segmentName } from "../storage/disk/log/segment.ts";
import { checksumOf } from "../storage/disk/read/segment_reader.ts";
import { type Chosen, timeText } from "./choose.ts";
import type { CopyClock } from "./copy_clock.ts";
import { type Destination, MissingError } from "./destination.ts";
import { RESTORE_GAP } from "./head.ts";
import { readRestoring, writeIdentity, writeRestoring } from "./identity.ts";
import { bytesOfManifest, type CopiedSegment, type CopyManifest } from "./manifest.ts";
import { momentsOf } from "./moments.ts";
import { readBack } from "./read_back.ts";
import { SyncedFile } from "./synced_file.ts";
import { readHead } from "./tenure.ts";

/**
 * Sequence numbers a millisecond, since the last copy that is known: what was given out by a server that was
 * restored meanwhile and has copied nothing.
 */
const NUMBERS_A_MILLISECOND = 2 ** 10;
/** Segments that are read concurrently. */
export const LANES = 8;
/** Bytes of a segment after which its progress is told. */
const ADVANCE = 1 << 23;
/**
 * Bytes from which on threads restore: one a core, and none of them the process's first. In that a server
 * may keep an inspector open (`lib/server/signals.ts`), to which Deno tells what `fetch` receives.
 */
export const WORTH_THREADS = 1 << 28;
/** What a directory may have that is empty. */
const NOTHING = /^(kvs\.lock|lost\+found|COPY-[0-9a-f]{16}|.*\.new)$/;
/** What a restore writes, and clears when it begins anew. */
const RESTORED = /^(\d{10}\.(log|hint)|MANIFEST|.*\.new)$/;

/** What is restored, and where. */
export interface RestoreOptions {
  readonly destination: Destination;
  /** Where the head is: the destination, unless it is kept elsewhere. */
  readonly place: Destination;
  readonly files: Files;
  readonly directory: string;
  readonly clock: Pick<CopyClock, "now">;
  /** Whether the head was taken for it, which has kept numbers for it. */
  readonly isTaken?: boolean;
  /** Told of progress in bytes. */
  readonly progress?: (done: number, total: number) => void;
  /**
   * Reads one segment in another thread, where there is so much that it is worth its start; otherwise
   * {@linkcode restoreSegment} does.
   */
  readonly read?: ((task: SegmentTask, advance: Advance) => Promise<SegmentReport>) | undefined;
}

/** A segment that is to be read. */
export interface ReadTask {
  readonly hashKey: Uint8Array;
  readonly segment: CopiedSegment;
}

/** A segment that is to be restored. */
export interface SegmentTask extends ReadTask {
  readonly directory: string;
  /** Whether an interrupted restore has left a file of it, which may be whole. */
  readonly isThere: boolean;
}

/** Told of so many bytes more. */
export type Advance = (bytes: number) => void;

/** What came of a segment: bytes that were there already, and the records that were read. */
export interface SegmentReport {
  readonly kept: number;
  readonly records: number;
}

/** What was restored. */
export interface RestoreReport {
  readonly manifest: CopyManifest;
  readonly bytes: number;
  /** Bytes of files that an interrupted restore had left whole. */
  readonly kept: number;
  readonly records: number;
}

/** Whether a directory has nothing that was written, or nothing but an unfinished restore. */
export function isRestorable(files: Files, directory: string): boolean {
  let names: string[];
  try {
    names = files.list(directory);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return true;
    throw error;
  }
  if (names.includes(RESTORING)) return true;
  const others = names.filter((name) => !NOTHING.test(name));
  return others.length === 0 ||
    others.length === 1 && others[0] === MANIFEST && isUnused(files, directory);
}

/** Whether a directory's manifest is that of a start after which nothing was ever written. */
function isUnused(files: Files, directory: string): boolean {
  const manifest = decodeManifest(readWhole(files, `${directory}/${MANIFEST}`));
  return manifest !== undefined && "hashKey" in manifest && manifest.next === 1 &&
    manifest.segments.length === 0;
}

/**
 * Restores a moment.
 *
 * @throws {ExitError} if the directory has something else, or the moment cannot be restored
 * @throws {DestinationError} if the destination cannot be reached: the same restore goes on later
 */
export async function restoreMoment(
  options: RestoreOptions,
  { head, manifest }: Chosen,
): Promise<RestoreReport> {
  const { destination, files, directory } = options;
  assertRestorable(options, manifest);
  const sequence = sequenceAfter(options, { head, manifest });
  if (!Number.isSafeInteger(sequence)) {
    throw cannotRestore(options, "its cas uniques are so great that none are left after a restore");
  }
  const { number, epoch } = manifest;
  const before = readRestoring(files, directory);
  const goesOn = before?.url === destination.url && before.number === number &&
    before.epoch === epoch;
  if (!goesOn) {
    await writeRestoring(files, directory, { url: destination.url, number, epoch });
    clear(files, directory);
  }
  let read: SegmentReport;
  try {
    read = await readSegments(options, manifest, goesOn);
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    clear(files, directory);
    await abandon(files, directory);
    throw await goneError(options, manifest, error);
  }
  await files.syncDirectory(directory);
  await writeManifest(files, directory, {
    hashKey: manifest.hashKey,
    clean: true,
    sequence,
    items: manifest.items,
    next: (manifest.segments.at(-1)?.id ?? 0) + 1,
    segments: manifest.segments.map(({ id, length, crc }) => [id, length, crc]),
  });
  return { manifest, bytes: bytesOfManifest(manifest), ...read };
}

/** Where the sequence of what is restored begins. */
function sequenceAfter(
  { clock, isTaken = false }: RestoreOptions,
  { head, manifest }: Chosen,
): number {
  const known = Math.max(head.sequence, manifest.sequence);
  if (isTaken) return known;
  const since = Math.max(0, clock.now() - (head.last?.time ?? 0));
  return known + RESTORE_GAP + since * NUMBERS_A_MILLISECOND;
}

/** Says where a directory was restored from, and that all of it is there. */
export async function finishRestore(
  { destination, files, directory }: RestoreOptions,
  { head, manifest }: Chosen,
): Promise<void> {
  await writeIdentity(files, directory, destination.url, {
    claims: [],
    restored: { claim: head.claim, number: head.last?.number ?? 0, base: manifest.number },
  });
  await endRestoring(files, directory);
}

/** Says that all of a restore is there. */
export async function endRestoring(files: Files, directory: string): Promise<void> {
  removeIfThere(files, `${directory}/${RESTORING}`);
  await files.syncDirectory(directory);
}

async function readSegments(
  options: RestoreOptions,
  manifest: CopyManifest,
  goesOn: boolean,
): Promise<SegmentReport> {
  const { destination, files, directory, progress } = options;
  const total = bytesOfManifest(manifest);
  const read = options.read !== undefined && total >= WORTH_THREADS
    ? options.read
    : (task: SegmentTask, advance: Advance) => restoreSegment(destination, files, task, advance);
  const report = { kept: 0, records: 0 };
  let done = 0;
  const advance = (bytes: number) => progress?.(done += bytes, total);
  const names = new Set(goesOn ? files.list(directory) : []);
  const { hashKey } = manifest;
  await inLanes(manifest.segments, async (segment) => {
    const isThere = names.has(segmentName(segment.id));
    const { kept, records } = await read({ directory, hashKey, segment, isThere }, advance);
    report.kept += kept;
    report.records += records;
  });
  return report;
}

/**
 * Restores one segment, with its hint.
 *
 * @throws {MissingError} if a piece is not there
 * @throws {BrokenCopyError} if a byte is not what it was
 */
export async function restoreSegment(
  destination: Destination,
  files: Files,
  { directory, hashKey, segment, isThere }: SegmentTask,
  advance: Advance,
): Promise<SegmentReport> {
  const { id, length, crc } = segment;
  const path = `${directory}/${segmentName(id)}`;
  if (isThere) {
    if (await isWhole(files, path, length, crc)) {
      advance(length);
      return { kept: length, records: 0 };
    }
    files.remove(path);
  }
  const file = new SyncedFile(files.open(path, "create"));
  try {
    const reach = reaching(length, advance);
    const { hint, records } = await readBack(destination, hashKey, segment, (bytes, at) => {
      file.write(bytes, at);
      reach(at + bytes.length);
    });
    writeHint(files, hintPathOf(path), hint);
    await file.sync();
    return { kept: 0, records };
  } finally {
    await file.close();
  }
}

/** Not synced: of one that a power cut has torn the checksum is wrong, and a start makes it again. */
function writeHint(files: Files, path: string, hint: Uint8Array): void {
  removeIfThere(files, path);
  const file = files.open(path, "create");
  try {
    writeFully(file, hint, 0);
  } finally {
    file.close();
  }
}

/**
 * Tells how far a segment has been read, now and then: what is read again has been counted.
 *
 * @param length of the segment
 */
export function reaching(length: number, advance: Advance): (end: number) => void {
  let reached = 0;
  return (end) => {
    if (end <= reached || end - reached < ADVANCE && end < length) return;
    advance(end - reached);
    reached = end;
  };
}

/** Does something with each, some concurrently; after the first error no other is begun. */
export async function inLanes<T>(
  all: readonly T[],
  one: (item: T) => Promise<void>,
): Promise<void> {
  const queue = all[Symbol.iterator]();
  const errors: unknown[] = [];
  await Promise.all(Array.from({ length: LANES }, async () => {
    for (const item of queue) {
      if (errors.length > 0) return;
      try {
        await one(item);
      } catch (error) {
        errors.push(error);
      }
    }
  }));
  if (errors.length > 0) throw errors[0];
}

/** Whether a file is whole, which is on the medium then: a restore that was killed may have written and not synced it. */
async function isWhole(files: Files, path: string, length: number, crc: number): Promise<boolean> {
  const file = files.open(path, "read");
  try {
    if (file.size() !== length || await checksumOf(file, length, () => {}) !== crc) return false;
    await file.sync();
    return true;
  } finally {
    file.close();
  }
}

function assertRestorable(options: RestoreOptions, { disk }: CopyManifest): void {
  const { files, directory } = options;
  files.makeDirectory(directory);
  if (!isRestorable(files, directory)) throw cannotRestore(options, "the directory is not empty");
  if (disk > FORMAT) {
    throw cannotRestore(
      options,
      `the copies are of a directory of format ${disk}, and this version reads up to ${FORMAT}`,
    );
  }
}

function cannotRestore({ destination, directory }: RestoreOptions, why: string): ExitError {
  return new ExitError(`Cannot restore ${destination.url} into '${directory}': ${why}`, Exit.data);
}

/** Why a piece is not there: retention has removed it, or nobody knows. */
async function goneError(
  options: RestoreOptions,
  { number, epoch, time }: CopyManifest,
  { missing }: MissingError,
): Promise<ExitError> {
  const { destination, place } = options;
  const now = await readHead(place);
  let oldest: number | undefined;
  let isThere = false;
  if (now !== undefined) {
    for await (const moment of momentsOf(destination, now.head)) {
      oldest ??= moment.time;
      isThere ||= moment.number === number && moment.epoch === epoch;
    }
  }
  return cannotRestore(
    options,
    isThere || oldest === undefined
      ? `'${missing}' of the moment of ${timeText(time)} is not there`
      : `retention has removed the moment of ${
        timeText(time)
      } meanwhile ('${missing}' is gone); the ` +
        `oldest that can be restored is of ${timeText(oldest)}`,
  );
}

/** Removes what a restore has written. */
function clear(files: Files, directory: string): void {
  for (const name of files.list(directory)) {
    if (RESTORED.test(name)) removeIfThere(files, `${directory}/${name}`);
  }
}

async function abandon(files: Files, directory: string): Promise<void> {
  await files.syncDirectory(directory);
  await endRestoring(files, directory);
}
