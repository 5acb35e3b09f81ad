/**
 * A consistent copy of a data directory, whether a server has it or not. FORMAT.md, "Copying a
 * directory".
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { Exit, ExitError, messageOf } from "../../../errors.ts";
import {
  codeOf,
  type DataFile,
  type Files,
  readFullyLater,
  removeIfThere,
  systemFiles,
  writeFullyLater,
} from "../fs/files.ts";
import { MANIFEST, type Manifest, SEQUENCE_GAP, writeManifest } from "../format/manifest.ts";
import { Kind, segmentSeed } from "../format/record.ts";
import { lengthByNext, readManifest, readSegmentHeader, untrusted } from "./directory.ts";
import { wholeRecords } from "./salvage.ts";
import { hintPathOf, segmentName, segmentOfName } from "../log/segment.ts";
import { checksumOf, SegmentReader, Step } from "../read/segment_reader.ts";

/** What a copy is made of, and where. */
export interface BackupOptions {
  readonly directory: string;
  /** Must be empty, or not be there. */
  readonly target: string;
  /**
   * Whether the copy shares no file with the original. Without it sealed segments are the same files
   * where that is possible: that takes no room, and damage to one is damage to both.
   */
  readonly copy?: boolean;
  /** The file system, the machine's own unless given. */
  readonly files?: Files;
}

/** What a copy holds. */
export interface BackupReport {
  readonly segments: number;
  /** Bytes of all segments in the copy, and how many of them share the original's place on disk. */
  readonly bytes: number;
  readonly linkedBytes: number;
}

/** The segment of the tail that was copied last. */
interface Before {
  readonly id: number;
  readonly length: number;
}

const BLOCK = 1 << 20;
/** How often it begins again because compaction has removed a segment meanwhile. */
const ATTEMPTS = 20;

/**
 * Copies a directory.
 *
 * @throws {ExitError} if the target is not empty or cannot be written, or the directory not be read
 */
export async function backupDirectory(options: BackupOptions): Promise<BackupReport> {
  const { directory, target, files = systemFiles } = options;
  const clear = () => {
    for (const name of files.list(target)) removeIfThere(files, `${target}/${name}`);
  };
  try {
    files.makeDirectory(target);
    if (files.list(target).length > 0) throw cannotCopy(options, "the target is not empty");
    for (let attempt = 1;; attempt++) {
      let report: BackupReport | undefined;
      try {
        report = await copy(files, directory, target, options.copy ?? false);
      } catch (error) {
        // Half a copy must not be taken for one.
        clear();
        throw error;
      }
      if (report !== undefined) return report;
      clear();
      if (attempt === ATTEMPTS) throw cannotCopy(options, "its segments change all the time");
    }
  } catch (error) {
    if (error instanceof ExitError) throw error;
    throw cannotCopy(options, messageOf(error).replaceAll(/\s+/g, " "));
  }
}

function cannotCopy({ directory, target }: BackupOptions, why: string): ExitError {
  return new ExitError(`Cannot copy '${directory}' to '${target}': ${why}`, Exit.cannotCreate);
}

/** Copies, unless a segment that belongs to it goes meanwhile. */
async function copy(
  files: Files,
  directory: string,
  target: string,
  independent: boolean,
): Promise<BackupReport | undefined> {
  const manifest = readManifest(files, directory);
  if (typeof manifest === "string") throw untrusted(directory, `its ${MANIFEST} is ${manifest}`);
  const open = new Map<number, DataFile>();
  try {
    // Once all of them are open, none can go away any more.
    for (const [id] of manifest.segments) open.set(id, files.open(pathOf(directory, id), "read"));
    let next = manifest.next;
    const tail = files.list(directory).map(segmentOfName)
      .filter((id) => id !== undefined && id >= next).sort((a, b) => a! - b!) as number[];
    const segments: Array<[id: number, length: number, crc: number]> = [];
    let linkedBytes = 0;
    for (const [id, length, crc] of manifest.segments) {
      const from = pathOf(directory, id);
      const to = pathOf(target, id);
      const linked = !independent && isLinked(files, from, to);
      if (linked) linkedBytes += length;
      else await files.copy(from, to);
      const file = linked ? open.get(id)! : files.open(to, "write");
      try {
        // A copy of what is damaged is none.
        if (await checksumOf(file, length, () => {}) !== crc) {
          throw untrusted(directory, `'${from}' is damaged, and was not copied`);
        }
        if (!linked) {
          file.truncate(length);
          await file.sync();
        }
      } finally {
        if (!linked) file.close();
      }
      await copyHint(files, hintPathOf(from), hintPathOf(to), independent);
      segments.push([id, length, crc]);
    }
    let before: Before = { id: 0, length: 0 };
    for (const id of tail) open.set(id, files.open(pathOf(directory, id), "read"));
    const headers = tail.map((id) => readSegmentHeader(directory, open.get(id)!));
    for (const [i, id] of tail.entries()) {
      const end = lengthByNext(id, headers.slice(i + 1));
      if (end === 0) continue;
      const part = await copyTail(
        files,
        directory,
        open.get(id)!,
        target,
        id,
        end,
        before,
        manifest,
      );
      if (part === undefined) break;
      segments.push([id, part.length, part.crc]);
      before = { id, length: part.length };
      next = id + 1;
    }
    await files.syncDirectory(target);
    await writeManifest(files, target, {
      hashKey: manifest.hashKey,
      clean: true,
      sequence: manifest.sequence + SEQUENCE_GAP,
      items: manifest.items,
      next,
      segments,
    });
    const bytes = segments.reduce((sum, [, length]) => sum + length, 0);
    return { segments: segments.length, bytes, linkedBytes };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  } finally {
    for (const file of open.values()) file.close();
  }
}

function pathOf(directory: string, id: number): string {
  return `${directory}/${segmentName(id)}`;
}

/** Makes the copy the same file where that is possible: sealed segments are never written again. */
function isLinked(files: Files, from: string, to: string): boolean {
  try {
    files.link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw error;
    return false;
  }
}

async function copyHint(
  files: Files,
  from: string,
  to: string,
  independent: boolean,
): Promise<void> {
  try {
    if (independent || !isLinked(files, from, to)) await files.copy(from, to);
  } catch {
    // The copy's first start makes the hint again.
    removeIfThere(files, to);
  }
}

/** Copies a segment of the tail up to its last whole record, or `end`, if it follows the one before. */
async function copyTail(
  files: Files,
  directory: string,
  file: DataFile,
  target: string,
  id: number,
  end: number,
  before: Before,
  manifest: Manifest,
): Promise<{ length: number; crc: number } | undefined> {
  const header = readSegmentHeader(directory, file);
  if (header === undefined || header.id !== id) return undefined;
  const follows = before.id === 0
    ? header.previous < manifest.next
    : header.previous === before.id && header.previousLength === before.length;
  if (!follows) {
    // One between them is gone.
    throw Object.assign(new Error("a segment is gone"), { code: "ENOENT" });
  }
  const size = Math.min(file.size(), end);
  const reader = new SegmentReader(file, segmentSeed(manifest.hashKey, id), size, BLOCK);
  let step = reader.step();
  while (step === Step.record || step === Step.more) {
    if (step === Step.more) await reader.fillLater();
    step = reader.step();
  }
  const length = reader.offset;
  for (const { record } of wholeRecords(file, segmentSeed(manifest.hashKey, id), length, size)) {
    if (record.kind === Kind.marker && record.segment === id && record.time > length) {
      throw untrusted(directory, `'${pathOf(directory, id)}' is damaged at offset ${length}`);
    }
  }
  const copied = files.open(pathOf(target, id), "create");
  try {
    const block = new Uint8Array(BLOCK);
    let crc = 0;
    for (let at = 0; at < length;) {
      const into = block.subarray(0, Math.min(BLOCK, length - at));
      const count = await readFullyLater(file, into, at);
      if (count === 0) throw Object.assign(new Error("the tail was cut"), { code: "ENOENT" });
      await writeFullyLater(copied, into.subarray(0, count), at);
      crc = crc32(into.subarray(0, count), crc);
      at += count;
    }
    await copied.sync();
    return { length, crc };
  } finally {
    copied.close();
  }
}
