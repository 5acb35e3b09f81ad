/**
 * From what is in a directory to a log and an index. FORMAT.md, "Starting".
 *
 * @module
 */

import type { Say } from "../../../log_level.ts";
import { equalBytes, free } from "../../../bytes.ts";
import { counted } from "../../../counted.ts";
import { type ExitError, messageOf } from "../../../errors.ts";
import {
  codeOf,
  type DataFile,
  type Files,
  isNoRoom,
  readFully,
  readWhole,
  removeIfThere,
  replaceFile,
} from "../fs/files.ts";
import { KeyHash } from "../../../key_hash.ts";
import { HINT_HEADER, HINT_RECORD, HintBuilder, readHint } from "../format/hint.ts";
import { KeyIndex, offsetOf } from "../index/key_index.ts";
import { cannotOpen } from "../fs/lock.ts";
import { MANIFEST, type Manifest, SEQUENCE_GAP, writeManifest } from "../format/manifest.ts";
import { Placements } from "../index/placements.ts";
import { Kind, RECORD_HEADER, segmentSeed, Word } from "../format/record.ts";
import {
  ExpiryTimes,
  Segment,
  SEGMENT_HEADER,
  type SegmentHeader,
  segmentName,
  segmentOfName,
} from "../log/segment.ts";
import {
  assertRestored,
  lengthByNext,
  readManifest,
  readSegmentHeader,
  untrusted,
} from "./directory.ts";
import { noteRecord } from "./hint_of.ts";
import { type LoadedImage, loadImage } from "./image.ts";
import type { ImageSegment, ImageText } from "../format/image.ts";
import { endOfBytes, wholeRecords } from "./salvage.ts";
import { checksumOf, SegmentReader, Step } from "../read/segment_reader.ts";

/** What a start needs. */
export interface RecoveryOptions {
  readonly files: Files;
  readonly directory: string;
  readonly now: () => number;
  readonly log: Say;
}

/** What a start found. */
export interface Recovered {
  readonly hashKey: Uint8Array;
  readonly placements: Placements;
  /** Sealed, synced and listed, in log order. */
  readonly segments: Segment[];
  readonly sequence: number;
  /** The moment of a pending flush in milliseconds since 1970; 0 for none. */
  readonly flushAt: number;
  /** The number of the segment with the last flush; everything before it is dead. 0 for none. */
  readonly flushSegment: number;
  readonly next: number;
  readonly end: number;
  /** Whether the manifest could be written that must be there before anything else is. */
  readonly reserved: boolean;
  /** Segments that were listed and are trusted, and that nobody has read since a stop that was none. */
  readonly unverified: readonly Segment[];
  /** The name of the image that still goes with the log. */
  readonly image: string | undefined;
}

/** Reads a directory's manifest; makes a new one in an empty directory. */
export async function openManifest(files: Files, directory: string): Promise<Manifest> {
  const names = files.list(directory);
  assertRestored(directory, names);
  if (!names.includes(MANIFEST)) {
    if (names.some((name) => segmentOfName(name) !== undefined)) {
      throw untrusted(directory, `it has segments and no ${MANIFEST}`);
    }
    const hashKey = crypto.getRandomValues(new Uint8Array(16));
    const fresh = { hashKey, clean: true, sequence: 0, items: 0, next: 1, segments: [] };
    await writeManifest(files, directory, fresh);
    return fresh;
  }
  const manifest = readManifest(files, directory);
  if (typeof manifest === "string") throw untrusted(directory, `its ${MANIFEST} is ${manifest}`);
  return manifest;
}

/** Brings a directory's data back. It must be locked. */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  return await new Recovery(options, await openManifest(options.files, options.directory)).run();
}

/** A segment of the tail while it is looked at. */
interface Tail {
  readonly id: number;
  readonly path: string;
  readonly file: DataFile;
  readonly size: number;
  readonly header: SegmentHeader | undefined;
}

class Recovery {
  readonly #files: Files;
  readonly #directory: string;
  readonly #hash: KeyHash;
  readonly #placements: Placements;
  readonly #segments: Segment[] = [];
  #sequence: number;
  /** The image that the start begins with, and the slots of the segments that it speaks of. */
  #image: ImageText | undefined;
  /** Its name, as long as it still goes with the log. */
  #named: string | undefined;
  readonly #imageSlots = new Map<number, number>();
  #nextSlot = 1;
  #flushAt = 0;
  #flushSegment = 0;
  #end = 0;
  /** Of the work in bytes: all, done, and when it was last told. */
  #work = 0;
  #done = 0;
  #told = Date.now();

  readonly #options: RecoveryOptions;
  readonly #manifest: Manifest;

  constructor(options: RecoveryOptions, manifest: Manifest) {
    this.#options = options;
    this.#manifest = manifest;

    this.#files = options.files;
    this.#directory = options.directory;
    this.#hash = new KeyHash(manifest.hashKey);
    this.#placements = new Placements();
    this.#sequence = manifest.sequence;
  }

  async run(): Promise<Recovered> {
    const manifest = this.#manifest;
    const files = this.#files;
    const directory = this.#directory;
    // After a kill the manifest that was read may not be on the medium: the one there may list what goes.
    await files.syncDirectory(directory);
    const tailIds = this.#tidy();
    for (const [, length] of manifest.segments) this.#work += length;
    const image = loadImage(files, directory, manifest);
    if (image !== undefined) this.#begin(image);
    else if (manifest.clean) this.#placements.index = new KeyIndex(manifest.items);
    for (const [id, length, crc] of manifest.segments) {
      await this.#openListed(id, length, crc);
      this.#progress(length);
    }
    const unverified = manifest.clean ? [] : this.#segments.slice();
    let next = manifest.next;
    if (tailIds.length > 0) {
      await this.#openTail(tailIds);
      next = Math.max(next, tailIds[tailIds.length - 1] + 1);
    }
    if (image !== undefined && !this.#isStill()) this.#placements.recount();
    // Even if everything that is written from here on is lost with its files' names, the next start
    // begins behind it.
    let reserved = true;
    try {
      await writeManifest(files, directory, {
        hashKey: manifest.hashKey,
        clean: unverified.length === 0,
        sequence: this.#sequence + SEQUENCE_GAP,
        items: this.#placements.index.size,
        next,
        segments: this.#segments.map(({ id, length, crc }) => [id, length, crc]),
        image: this.#named,
      });
    } catch (error) {
      // A full disk is no reason not to serve what is on it.
      if (!isNoRoom(error)) throw cannotOpen(directory, messageOf(error));
      reserved = false;
    }
    const placements = this.#placements;
    const segments = this.#segments;
    const sequence = this.#sequence;
    const flushAt = this.#flushAt;
    const flushSegment = this.#flushSegment;
    const end = this.#end;
    const { hashKey } = manifest;
    return {
      hashKey,
      placements,
      segments,
      sequence,
      flushAt,
      flushSegment,
      next,
      end,
      reserved,
      unverified,
      image: this.#named,
    };
  }

  /** Removes what compactions and unfinished writes left; returns the tail's segment numbers. */
  #tidy(): number[] {
    const files = this.#files;
    const directory = this.#directory;
    const manifest = this.#manifest;
    const listed = new Set(manifest.segments.map(([id]) => id));
    const tail: number[] = [];
    for (const name of files.list(directory)) {
      const hint = /^(\d{10})\.hint$/.exec(name);
      const id = segmentOfName(hint ? `${hint[1]}.log` : name);
      if (id !== undefined && id < manifest.next && !listed.has(id)) {
        files.remove(`${directory}/${name}`);
      } else if (hint && id! >= manifest.next || /^(MANIFEST|INDEX|\d{10}\.\w+)\.new$/.test(name)) {
        files.remove(`${directory}/${name}`);
      } else if (id !== undefined && !hint && id >= manifest.next) {
        tail.push(id);
      }
    }
    return tail.sort((a, b) => a - b);
  }

  /** Takes over the index of an image; what came after it is replayed on that. */
  #begin({ text, index, amendments }: LoadedImage): void {
    this.#placements.index = index;
    this.#placements.amendments = amendments;
    this.#image = text;
    this.#named = text.name;
    this.#flushAt = text.flushAt;
    this.#flushSegment = text.flushSegment;
    for (const [id, slot] of text.slots) {
      this.#imageSlots.set(id, slot);
      this.#nextSlot = Math.max(this.#nextSlot, slot + 1);
    }
  }

  /** Opens a segment that was synced, with its length and checksum in the manifest: it is trusted. */
  async #openListed(id: number, length: number, crc: number): Promise<void> {
    const path = `${this.#directory}/${segmentName(id)}`;
    let file: DataFile;
    try {
      file = this.#files.open(path, "read");
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw cannotOpen(this.#directory, messageOf(error));
      throw untrusted(this.#directory, `segment '${path}' is missing`);
    }
    file.rest?.();
    const segment = this.#segmentOf(id, path, file);
    segment.length = length;
    segment.crc = crc;
    const size = file.size();
    // What is behind a listed length is left of a write that failed and could not be cut off.
    if (size < length) {
      throw untrusted(this.#directory, `segment '${path}' has ${size} bytes instead of ${length}`);
    }
    const known = this.#image !== undefined && id < this.#image.from
      ? this.#image.segments.find((one) => one.id === id)
      : undefined;
    if (known !== undefined) return this.#adoptKnown(segment, known);
    let words: Uint32Array<ArrayBuffer> | undefined;
    try {
      const bytes = readWhole(this.#files, segment.hintPath);
      segment.hintBytes = bytes.length;
      words = readHint(bytes, segment);
    } catch {
      // No hint, or one that cannot be read, is made again.
    }
    if (words === undefined) {
      const { hint, good } = this.#readRecords(segment, length);
      if (good !== length) throw this.#damageIn(segment);
      words = await this.#writeHint(segment, hint);
    }
    this.#adopt(segment, words);
    free(words);
  }

  /** Reads a segment's records up to `end`; returns where the last whole one ends. */
  #readRecords(segment: Segment, end: number): { hint: HintBuilder; good: number } {
    const hash = this.#hash;
    const hint = new HintBuilder(Math.ceil(end / 150));
    const reader = new SegmentReader(segment.file, segment.seed, end);
    const { record } = reader;
    let step = reader.advance();
    for (; step === Step.record; step = reader.advance()) {
      noteRecord(record, reader.offset, hint, segment, hash);
    }
    return { hint, good: reader.offset };
  }

  async #writeHint(segment: Segment, hint: HintBuilder): Promise<Uint32Array<ArrayBuffer>> {
    const bytes = hint.finish(segment);
    try {
      await replaceFile(this.#files, segment.hintPath, bytes);
      segment.hintBytes = bytes.length;
    } catch {
      // A start without a hint takes longer, and that is all.
    }
    return hint.words.subarray(0, hint.length);
  }

  /** Takes a segment into the log of which the image has all records. */
  #adoptKnown(segment: Segment, known: ImageSegment): void {
    segment.sequence = known.sequence;
    segment.tombstones = known.tombstones;
    segment.tombstoneSegment = known.tombstoneSegment;
    segment.hintBytes = known.hintBytes;
    segment.expiry.base = known.base;
    segment.expiry.buckets.set(known.buckets);
    segment.live = known.live;
    this.#placements.live += known.live;
    this.#take(segment);
  }

  /** Whether the log is what it was when the image was made of it. */
  #isStill(): boolean {
    const image = this.#image;
    const segments = this.#segments;
    return image!.still && segments.length === image!.segments.length &&
      segments.every(({ id }) => id < image!.from);
  }

  /** Takes a segment into the log. */
  #take(segment: Segment): void {
    segment.sealed = segment.listed = true;
    this.#segments.push(segment);
    segment.base = this.#end;
    this.#end += segment.length;
    if (segment.sequence > this.#sequence) this.#sequence = segment.sequence;
  }

  /** Takes a segment into the log, and its records into the index. */
  #adopt(segment: Segment, words: Uint32Array): void {
    const placements = this.#placements;
    this.#take(segment);
    const slot = segment.slot << 16;
    for (let at = HINT_HEADER; at < words.length; at += HINT_RECORD) {
      const high = words[at + 3];
      const kind = high >>> 16;
      if (kind === Kind.item) {
        const place = (slot | high & 0xffff) >>> 0;
        // On an image, what is alive is counted when all is done.
        if (this.#image !== undefined) {
          placements.index.set(words[at], words[at + 1], words[at + 2], place, words[at + 4]);
          placements.amendments.remove(words[at], words[at + 1], words[at + 2]);
        } else placements.replay(words[at], words[at + 1], words[at + 2], place, words[at + 4]);
      } else if (kind === Kind.tombstone) {
        if (this.#image !== undefined) {
          placements.index.remove(words[at], words[at + 1], words[at + 2]);
          placements.amendments.remove(words[at], words[at + 1], words[at + 2]);
        } else placements.forget(words[at], words[at + 1], words[at + 2]);
      } else if (kind === Kind.amendment) {
        const place = (slot | high & 0xffff) >>> 0;
        const [a, b, c, low] = [words[at], words[at + 1], words[at + 2], words[at + 4]];
        if (this.#image === undefined) placements.replayAmendment(a, b, c, place, low);
        else if (placements.index.find(a, b, c)) placements.amendments.set(a, b, c, place, low);
      } else if (kind === Kind.flush) {
        if (placements.index.size > 0) placements.clear();
        placements.flushed = undefined;
        this.#flushAt = 0;
        this.#named = undefined;
        this.#flushSegment = segment.id;
      } else if (kind === Kind.flushToCome) {
        this.#flushAt = timeOf(segment, offsetOf(words[at + 4]));
      }
    }
  }

  async #openTail(ids: number[]): Promise<void> {
    const tails = ids.map((id) => this.#openTailFile(id));
    for (const tail of tails) this.#work += tail.size;
    let last: { id: number; length: number } | undefined;
    const kept: Array<{ segment: Segment; hint: HintBuilder }> = [];
    for (let i = 0; i < tails.length; i++) {
      const tail = tails[i];
      const { header } = tail;
      // A header that links to this segment says how much of it counts.
      const told = lengthByNext(tail.id, tails.slice(i + 1).map((other) => other.header));
      if (told === 0) {
        tail.file.close();
        this.#files.remove(tail.path);
        continue;
      }
      const follows = header !== undefined &&
        (last === undefined
          ? header.previous < this.#manifest.next
          : header.previous === last.id && header.previousLength === last.length);
      if (!follows) {
        await this.#cut(tails, i, 0);
        break;
      }
      const segment = this.#segmentOf(tail.id, tail.path, tail.file);
      segment.sequence = header.sequence;
      const end = told === Infinity ? tail.size : told;
      const { hint, good } = this.#readRecords(segment, Math.min(end, tail.size));
      if (good < end) {
        await this.#cut(tails, i, good);
      } else if (end < tail.size) {
        tail.file.truncate(end);
      }
      const length = Math.min(good, end);
      last = { id: tail.id, length };
      if (length > SEGMENT_HEADER || told !== Infinity && good === end) {
        segment.length = length;
        kept.push({ segment, hint });
      } else {
        this.#placements.slots[segment.slot] = undefined;
        tail.file.close();
      }
      if (good < end) break;
    }
    for (const { segment, hint } of kept) {
      segment.crc = await checksumOf(segment.file, segment.length, () => {});
      await segment.file.sync();
      this.#adopt(segment, await this.#writeHint(segment, hint));
      hint.free();
      this.#progress(segment.length);
    }
    await this.#files.syncDirectory(this.#directory);
  }

  #openTailFile(id: number): Tail {
    const path = `${this.#directory}/${segmentName(id)}`;
    const file = this.#files.open(path, "write");
    let header = readSegmentHeader(this.#directory, file);
    if (header !== undefined) {
      const own = header.id === id && equalBytes(header.hashKey, this.#manifest.hashKey);
      if (!own) header = undefined;
    }
    return { id, path, file, size: file.size(), header };
  }

  /**
   * Cuts the log at an offset of a segment of the tail, unless what is behind was synced.
   *
   * @throws {ExitError} with code 65 if it was
   */
  async #cut(tails: Tail[], first: number, offset: number): Promise<void> {
    const { path, id } = tails[first];
    let bytes = 0;
    let records = 0;
    for (let i = first; i < tails.length; i++) {
      const from = i === first ? Math.max(offset, SEGMENT_HEADER) : SEGMENT_HEADER;
      const { file, size } = tails[i];
      // Zeros at the end are room that was made ahead, and no loss.
      const begin = i === first ? offset : 0;
      bytes += endOfBytes(file, begin, size) - begin;
      const seed = segmentSeed(this.#manifest.hashKey, tails[i].id);
      for (const { record } of wholeRecords(file, seed, from, size)) {
        records++;
        if (record.kind !== Kind.marker) continue;
        if (record.segment > id || record.segment === id && record.time > offset) {
          throw untrusted(
            this.#directory,
            `'${path}' is damaged at offset ${offset}, where it was known to be whole`,
          );
        }
      }
    }
    if (bytes > 0) {
      this.#options.log(
        `Cut off the log's torn end: ${
          counted(bytes, "byte")
        } from offset ${offset} of '${path}' ` +
          `on, with ${counted(records, "whole record")} behind the tear; they were never synced`,
      );
    }
    // In any order, and whatever of it a power cut leaves: each header names the segment before it and
    // that one's length, so what is behind a hole or a cut follows nothing, and the next start cuts it
    // off too. No number is used again before openTail has synced the directory.
    for (const tail of tails.slice(first + 1)) {
      tail.file.close();
      removeIfThere(this.#files, tail.path);
    }
    if (offset <= SEGMENT_HEADER) {
      tails[first].file.close();
      removeIfThere(this.#files, path);
    } else {
      tails[first].file.truncate(offset);
      await tails[first].file.sync();
    }
  }

  #segmentOf(id: number, path: string, file: DataFile): Segment {
    const expiry = new ExpiryTimes(this.#options.now());
    const slot = this.#imageSlots.get(id) ?? this.#nextSlot++;
    const segment = new Segment(id, slot, path, file, this.#manifest.hashKey, 0, expiry);
    this.#placements.slots[slot] = segment;
    return segment;
  }

  /** The error that names the first damaged record of a listed segment. */
  #damageIn(segment: Segment): ExitError {
    const { good } = this.#readRecords(segment, segment.length);
    const where = good < segment.length ? `at offset ${good}` : "in its header";
    return untrusted(this.#directory, `'${segment.path}' is damaged ${where}`);
  }

  #progress(bytes: number): void {
    this.#done += bytes;
    const now = Date.now();
    if (now - this.#told < 2000) return;
    this.#told = now;
    const percent = Math.floor(this.#done / this.#work * 100);
    const items = this.#placements.index.size;
    this.#options.log(
      `Reading '${this.#directory}': ${percent} %, ${counted(items, "item")}`,
      "notice",
    );
  }
}

function timeOf(segment: Segment, offset: number): number {
  const bytes = new Uint8Array(RECORD_HEADER);
  readFully(segment.file, bytes, offset);
  const words = new Uint32Array(bytes.buffer);
  return words[Word.time] + words[Word.time + 1] * 2 ** 32;
}
