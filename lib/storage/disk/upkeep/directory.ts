/**
 * What a directory says of itself, and the errors for one that cannot be used. FORMAT.md, "Manifest"
 * and "Segment".
 *
 * @module
 */

import { Exit, ExitError, messageOf } from "../../../errors.ts";
import { decodeManifest, MANIFEST, type Manifest, RESTORING } from "../format/manifest.ts";
import { codeOf, type DataFile, type Files, readFully, readWhole } from "../fs/files.ts";
import { cannotOpen } from "../fs/lock.ts";
import { decodeSegmentHeader, FORMAT, SEGMENT_HEADER, type SegmentHeader } from "../log/segment.ts";

/**
 * The manifest, or why there is none.
 *
 * @throws {ExitError} if it is of another format, or cannot be read
 */
export function readManifest(files: Files, directory: string): Manifest | "missing" | "damaged" {
  let bytes: Uint8Array;
  try {
    assertRestored(directory, files.list(directory));
    bytes = readWhole(files, `${directory}/${MANIFEST}`);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "missing";
    throw asSentence(directory, error);
  }
  const manifest = decodeManifest(bytes);
  if (manifest === undefined) return "damaged";
  if (!("hashKey" in manifest)) throw otherFormat(directory, manifest.format);
  return manifest;
}

/**
 * Refuses a directory of which a part is still in its copies, whatever else looks whole in it.
 *
 * @param names what is in it
 * @throws {ExitError} 65
 */
export function assertRestored(directory: string, names: readonly string[]): void {
  if (!names.includes(RESTORING)) return;
  throw cannotOpen(
    directory,
    "it holds an unfinished restore; 'kvs-server restore' with the same --from goes on with it, and so " +
      "does --restore-if-empty",
    Exit.data,
  );
}

/**
 * A segment's header; nothing where the file does not begin with one.
 *
 * @throws {ExitError} if it is of another format
 */
export function readSegmentHeader(directory: string, file: DataFile): SegmentHeader | undefined {
  const bytes = new Uint8Array(SEGMENT_HEADER);
  const header = decodeSegmentHeader(bytes.subarray(0, readFully(file, bytes, 0)));
  if (header !== undefined && "format" in header) throw otherFormat(directory, header.format);
  return header;
}

/**
 * How many bytes of a segment count, by the header of the first one after it that names it; `Infinity` where none
 * does. What is behind those is left of a write that failed and could not be cut off. It is 0 where the log went past
 * it: it was begun, given up, and could not be removed.
 *
 * @param after the headers of those after it
 */
export function lengthByNext(
  id: number,
  after: ReadonlyArray<SegmentHeader | undefined>,
): number {
  const next = after.find((one) => one !== undefined && one.previous <= id);
  if (next === undefined) return Infinity;
  return next.previous === id ? next.previousLength : 0;
}

/** The error for a directory in another format. */
export function otherFormat(directory: string, format: number): ExitError {
  const age = format > FORMAT ? "newer" : "older";
  return cannotOpen(
    directory,
    `it has the ${age} format ${format}, and this version reads formats 1 and ${FORMAT}`,
    Exit.data,
  );
}

/** The error for a directory that is damaged. */
export function untrusted(directory: string, reason: string): ExitError {
  return cannotOpen(
    directory,
    `${reason}; --repair sets what is damaged aside and keeps everything that is whole`,
    Exit.data,
  );
}

/** A system's error as one that a person can read; any other as it is. */
export function asSentence(directory: string, error: unknown): unknown {
  if (error instanceof ExitError || codeOf(error) === "") return error;
  return cannotOpen(directory, messageOf(error));
}
