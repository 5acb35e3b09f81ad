/**
 * Reads everything in a data directory and says what is wrong with it, and puts right what can be.
 * FORMAT.md, "Checking and repairing".
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { equalBytes } from "../../../bytes.ts";
import {
  codeOf,
  type DataFile,
  type Files,
  readWhole,
  removeIfThere,
  replaceFile,
  systemFiles,
} from "../fs/files.ts";
import { cannotOpen } from "../fs/lock.ts";
import { readHint } from "../format/hint.ts";
import { MANIFEST, type Manifest, SEQUENCE_GAP, writeManifest } from "../format/manifest.ts";
import { Kind, RecordBuffer, segmentSeed } from "../format/record.ts";
import {
  asSentence,
  lengthByNext,
  readManifest,
  readSegmentHeader,
  untrusted,
} from "./directory.ts";
import { Amendable, type DamagedPart, lengthWithoutRoom, salvage } from "./salvage.ts";
import {
  encodeSegmentHeader,
  ExpiryTimes,
  hintPathOf,
  SEGMENT_HEADER,
  type SegmentHeader,
  segmentName,
  segmentOfName,
} from "../log/segment.ts";
import { checksumOf } from "../read/segment_reader.ts";

/** What a check or repair works on. */
export interface CheckOptions {
  readonly directory: string;
  /** The file system, the machine's own unless given. */
  readonly files?: Files;
}

/** What a check found. */
export interface CheckReport {
  /** A server has the directory: what it has not yet synced may look torn. */
  readonly inUse: boolean;
  readonly segments: number;
  /** Bytes of all segments. */
  readonly bytes: number;
  /** Whole records, of those items and tombstones, alive or not. */
  readonly records: number;
  readonly items: number;
  readonly tombstones: number;
  /** Runs of bytes in sealed segments, or before synced ones, that are no record. */
  readonly damaged: readonly DamagedPart[];
  /** Bytes at the log's end that are no whole record: the next start cuts them off. */
  readonly torn: readonly DamagedPart[];
  /** Everything else that is wrong, as sentences. */
  readonly problems: readonly string[];
}

/** What a repair did. */
export interface RepairReport {
  /** Whole records that were kept. */
  readonly records: number;
  /** Bytes that were set aside, and where they were. */
  readonly damaged: readonly DamagedPart[];
  /** The files that hold what was set aside. */
  readonly setAside: readonly string[];
  /** Segments that the manifest lists and that are not there. */
  readonly missing: readonly string[];
  /** The manifest was made again from the segments. */
  readonly newManifest: boolean;
}

interface Found {
  readonly id: number;
  readonly path: string;
  readonly file: DataFile;
  /** Bytes that count. */
  readonly length: number;
  /** Whether the manifest lists it, and its checksum there. */
  readonly listed: boolean;
  readonly crc: number;
  readonly headerWhole: boolean;
}

/**
 * Reads everything and reports. A directory that a server has is read as it is at the moment.
 *
 * @throws {ExitError} if the directory cannot be read, or is in another format
 */
export async function checkDirectory(options: CheckOptions): Promise<CheckReport> {
  const { directory, files = systemFiles } = options;
  for (;;) {
    try {
      const inUse = files.isLocked(directory);
      return { ...await check(files, directory), inUse };
    } catch (error) {
      // What a server's compaction has removed meanwhile is no part of the log any more.
      if (codeOf(error) === "ENOENT" && files.isLocked(directory)) continue;
      throw asSentence(directory, error);
    }
  }
}

async function check(files: Files, directory: string): Promise<Omit<CheckReport, "inUse">> {
  const problems: string[] = [];
  const read = readManifest(files, directory);
  const manifest = typeof read === "string" ? undefined : read;
  if (typeof read === "string") problems.push(`'${directory}/${MANIFEST}' is ${read}`);
  const { hashKey, found, missing } = survey(files, directory, manifest);
  for (const path of missing) problems.push(`'${path}' is missing`);
  let [bytes, records, items, tombstones] = [0, 0, 0, 0];
  const damaged: DamagedPart[] = [];
  const doubtful: DamagedPart[] = [];
  /** The furthest place that a sync marker speaks of: segment, offset. */
  let [syncedSegment, syncedOffset] = [0, 0];
  for (const one of found) {
    const { id, path, file, length, listed } = one;
    if (!one.headerWhole && length > 0) {
      (listed ? damaged : doubtful).push({ path, offset: 0, bytes: SEGMENT_HEADER });
    }
    const parts = salvage(
      path,
      file,
      segmentSeed(hashKey, id),
      SEGMENT_HEADER,
      length,
      (record) => {
        records++;
        if (record.kind === Kind.item) items++;
        else if (record.kind === Kind.tombstone) tombstones++;
        else if (record.kind === Kind.marker && record.segment >= syncedSegment) {
          [syncedSegment, syncedOffset] = [record.segment, record.time];
        }
      },
    );
    (listed ? damaged : doubtful).push(...parts);
    bytes += length;
    if (listed) {
      if (await checksumOf(file, length, () => {}) !== one.crc && parts.length === 0) {
        problems.push(`'${path}' has another checksum than the ${MANIFEST} says`);
      }
      if (!hintFits(files, one)) problems.push(`'${hintPathOf(path)}' is damaged`);
    }
    file.close();
  }
  const torn: DamagedPart[] = [];
  for (const part of doubtful) {
    const id = segmentOfName(part.path.slice(directory.length + 1))!;
    const synced = id < syncedSegment || id === syncedSegment && part.offset < syncedOffset;
    (synced ? damaged : torn).push(part);
  }
  return { segments: found.length, bytes, records, items, tombstones, damaged, torn, problems };
}

/**
 * Sets what is damaged aside and keeps every whole record. A segment with damage in it becomes a
 * `.damaged` file as it is, and its whole records a new segment with its number.
 *
 * @throws {ExitError} if the directory cannot be locked, written or read, or is in another format
 */
export async function repairDirectory(options: CheckOptions): Promise<RepairReport> {
  const { directory, files = systemFiles } = options;
  // What is no data directory gets no lock file either.
  if (readManifest(files, directory) === "missing") assertSegments(files, directory);
  const lock = files.lock(directory);
  try {
    return await repair(files, directory);
  } catch (error) {
    throw asSentence(directory, error);
  } finally {
    lock.close();
  }
}

async function repair(files: Files, directory: string): Promise<RepairReport> {
  const read = readManifest(files, directory);
  const manifest = typeof read === "string" ? undefined : read;
  const { hashKey, found, missing } = survey(files, directory, manifest);
  const damaged: DamagedPart[] = [];
  const setAside: string[] = [];
  const segments: Array<[id: number, length: number, crc: number]> = [];
  const amendable = new Amendable(hashKey);
  let records = 0;
  let sequence = manifest?.sequence ?? 0;
  if (read === "damaged") {
    const aside = `${directory}/${MANIFEST}.damaged`;
    await files.rename(`${directory}/${MANIFEST}`, aside);
    setAside.push(aside);
  }
  for (const [i, one] of found.entries()) {
    const { id, path, file, length } = one;
    const whole = new RecordBuffer(length + SEGMENT_HEADER);
    const seed = segmentSeed(hashKey, id);
    let orphans = 0;
    const parts = salvage(path, file, seed, SEGMENT_HEADER, length, (record) => {
      if (!amendable.follow(record)) {
        orphans++;
        return;
      }
      records++;
      sequence = Math.max(sequence, record.sequence);
      whole.put(record, record.key(), record.value(), seed, SEGMENT_HEADER + whole.length);
    });
    if (parts.length === 0 && orphans === 0 && one.headerWhole) {
      segments.push([id, length, await checksumOf(file, length, () => {})]);
      await file.sync();
      file.close();
      continue;
    }
    if (!one.headerWhole) parts.unshift({ path, offset: 0, bytes: SEGMENT_HEADER });
    damaged.push(...parts);
    file.close();
    const aside = freeName(files, directory, `${segmentName(id)}.damaged`);
    const bytes = new Uint8Array(SEGMENT_HEADER + whole.length);
    const before = found[i - 1];
    bytes.set(encodeSegmentHeader({
      id,
      previous: before?.id ?? 0,
      previousLength: before?.length ?? 0,
      sequence: 0,
      hashKey,
    }));
    bytes.set(whole.bytes.subarray(0, whole.length), SEGMENT_HEADER);
    files.link(path, aside);
    setAside.push(aside);
    await replaceFile(files, path, bytes);
    removeIfThere(files, hintPathOf(path));
    segments.push([id, bytes.length, crc32(bytes)]);
  }
  await files.syncDirectory(directory);
  const last = found.at(-1);
  await writeManifest(files, directory, {
    hashKey,
    clean: false,
    sequence: sequence + SEQUENCE_GAP,
    items: 0,
    next: Math.max(manifest?.next ?? 1, last === undefined ? 1 : last.id + 1),
    segments,
  });
  return { records, damaged, setAside, missing, newManifest: manifest === undefined };
}

/** @throws {ExitError} if there is no segment */
function assertSegments(files: Files, directory: string): void {
  let names: string[];
  try {
    names = files.list(directory);
  } catch (error) {
    throw asSentence(directory, error);
  }
  if (names.some((name) => segmentOfName(name) !== undefined)) return;
  throw cannotOpen(directory, "it holds no data of the disk store");
}

/** Opens what there is of the log, in its order. */
function survey(files: Files, directory: string, manifest: Manifest | undefined): {
  hashKey: Uint8Array;
  found: Found[];
  missing: string[];
} {
  const ids = files.list(directory).map(segmentOfName).filter((id) => id !== undefined)
    .sort((a, b) => a - b);
  const listed = new Map(manifest?.segments.map((one) => [one[0], one]));
  const missing = [...listed.keys()].filter((id) => !ids.includes(id))
    .map((id) => `${directory}/${segmentName(id)}`);
  let hashKey = manifest?.hashKey;
  const opened: Array<
    { id: number; path: string; file: DataFile; header: SegmentHeader | undefined }
  > = [];
  for (const id of ids) {
    // What a compaction left is no part of the log.
    if (manifest !== undefined && id < manifest.next && !listed.has(id)) continue;
    const path = `${directory}/${segmentName(id)}`;
    const file = files.open(path, "read");
    const read = readSegmentHeader(directory, file);
    const header = read?.id === id ? read : undefined;
    hashKey ??= header?.hashKey;
    opened.push({ id, path, file, header });
  }
  if (hashKey === undefined) {
    if (ids.length === 0) throw cannotOpen(directory, "it holds no data of the disk store");
    throw untrusted(directory, "neither its MANIFEST nor any segment says whose it is");
  }
  const key = hashKey;
  const headers = opened.map(({ header }) =>
    header !== undefined && equalBytes(header.hashKey, key) ? header : undefined
  );
  const found: Found[] = [];
  for (const [i, { id, path, file }] of opened.entries()) {
    const [, listedLength, crc = 0] = listed.get(id) ?? [];
    const length = listedLength ?? lengthByNext(id, headers.slice(i + 1));
    if (length === 0) {
      // It was begun and given up: no part of the log either.
      file.close();
      continue;
    }
    const there = listedLength === undefined
      ? lengthWithoutRoom(file, segmentSeed(key, id))
      : file.size();
    found.push({
      ...{ id, path, file, crc, length: Math.min(length, there) },
      listed: listedLength !== undefined,
      headerWhole: headers[i] !== undefined,
    });
  }
  return { hashKey, found, missing };
}

function hintFits(files: Files, { id, path, length, crc }: Found): boolean {
  const summary = {
    id,
    length,
    crc,
    sequence: 0,
    tombstones: 0,
    tombstoneSegment: 0,
    expiry: new ExpiryTimes(0),
  };
  try {
    return readHint(readWhole(files, hintPathOf(path)), summary) !== undefined;
  } catch (error) {
    // One that is missing is made again from the segment.
    if (codeOf(error) === "ENOENT") return true;
    throw error;
  }
}

function freeName(files: Files, directory: string, name: string): string {
  const names = files.list(directory);
  let free = name;
  for (let n = 2; names.includes(free); n++) free = `${name}.${n}`;
  return `${directory}/${free}`;
}
