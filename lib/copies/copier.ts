/**
 * Copies a directory, moment after moment. FORMAT.md, "Order of a round".
 *
 * @module
 */

import { equalBytes } from "../bytes.ts";
import { crc32c } from "../crc32c.ts";
import { messageOf } from "../errors.ts";
import type { Files } from "../storage/disk/fs/files.ts";
import { segmentName } from "../storage/disk/log/segment.ts";
import { checksumOf } from "../storage/disk/read/segment_reader.ts";
import type { Moment } from "../storage/moment.ts";
import type { CopyClock } from "./copy_clock.ts";
import { type Destination, DestinationError, type Source } from "./destination.ts";
import { type CopyManifest, encodeManifest, nameOfManifest } from "./manifest.ts";
import { nameOfNumber, readManifest } from "./moments.ts";
import { pieceName } from "./names.ts";
import { placeOf } from "./place.ts";
import { nextPiece } from "./plan.ts";
import { Shelf } from "./shelf.ts";
import { FileSource, OtherBytesError, sourceOf, sumsOf } from "./source.ts";
import type { Tenure } from "./tenure.ts";
import { MomentGone, Work } from "./work.ts";

/** Sealed segments that are sent concurrently. */
const UPLOADS = 4;
/** Files that are opened ahead, so that they stay readable. */
const OPEN_AHEAD = 64;

/** Something that a copy cannot be made of, in a sentence. */
export class CopyError extends Error {
  override readonly name = "CopyError";
}

/** What a copier needs. */
export interface CopierOptions {
  readonly destination: Destination;
  readonly files: Files;
  readonly directory: string;
  readonly clock: CopyClock;
  /** What of the directory is to be copied now. */
  readonly moment: (whole: boolean) => Promise<Moment>;
  /** Bytes of removed segments that a copy may hold. */
  readonly held: number;
  /** Told when something was sent. */
  readonly sent?: () => void;
}

/** What a round has come to. */
export interface Round {
  readonly moment: Moment;
  /** The manifest that counts from now on; `undefined` where nothing had changed. */
  readonly manifest: CopyManifest | undefined;
}

/** Copies one directory to one destination, whose head it has. */
export class Copier {
  /** Bytes that were sent, and pieces and manifests. */
  sentBytes = 0;
  sentObjects = 0;
  /** Bytes of removed segments that are held. */
  heldBytes = 0;

  readonly #options: CopierOptions;
  readonly #tenure: Tenure;
  readonly #shelf: Shelf;
  #hashKey: Uint8Array | undefined;
  /** The time of the last manifest, and the greatest number that was given to one. */
  #time: number;
  #number: number;
  /** What the last moment had that is copied. */
  #copied: { position: number; segments: string } | undefined;
  /** Whether the last manifest that was created does not count yet. */
  #pending: CopyManifest | undefined;
  /** As {@linkcode segmentsOf} has them, what the manifest had that was there at the beginning. */
  readonly #found: string;

  private constructor(options: CopierOptions, tenure: Tenure, last: CopyManifest | undefined) {
    this.#options = options;
    this.#tenure = tenure;
    this.#shelf = new Shelf(last);
    this.#hashKey = last?.hashKey;
    this.#time = last?.time ?? 0;
    this.#number = tenure.lastNumber;
    // A directory that was restored to an earlier moment has yet to say so.
    this.#found = last === undefined || tenure.head.base !== undefined
      ? ""
      : JSON.stringify(last.segments.map(({ id, length, crc }) => [id, length, crc]));
  }

  /** Begins where the last manifest that counts has ended. */
  static async begin(options: CopierOptions, tenure: Tenure): Promise<Copier> {
    const { destination } = options;
    const { head, lastNumber } = tenure;
    let last: CopyManifest | undefined;
    if (lastNumber > 0) {
      const name = await nameOfNumber(destination, head, lastNumber);
      last = name === undefined ? undefined : await readManifest(destination, name);
    }
    return new Copier(options, tenure, last);
  }

  /**
   * Copies what has changed.
   *
   * @param whole whether everything that is acknowledged is synced first
   * @throws {DestinationError} if the destination cannot be reached
   * @throws {CopyError} if a segment is damaged or gone
   * @throws {FencedError} if another has the head now
   */
  async round(whole = false): Promise<Round> {
    await this.#settlePending();
    let missing: number | undefined;
    for (;;) {
      const moment = await this.#options.moment(whole);
      // Compaction takes a segment out of the log before it removes the file.
      if (moment.segments.some(([id]) => id === missing)) {
        throw new CopyError(
          `segment ${segmentName(missing!)} is not copied: it is in the log, and its file is gone`,
        );
      }
      if (this.#isCopied(moment)) return { moment, manifest: undefined };
      try {
        const manifest = await this.#copy(moment);
        this.#copied = { position: moment.position, segments: idsOf(moment) };
        return { moment, manifest };
      } catch (error) {
        if (!(error instanceof MomentGone)) throw error;
        missing = error.missing;
      }
    }
  }

  #isCopied(moment: Moment): boolean {
    const copied = this.#copied;
    if (copied === undefined) return JSON.stringify(moment.segments) === this.#found;
    return moment.position <= copied.position && idsOf(moment) === copied.segments;
  }

  async #copy(moment: Moment): Promise<CopyManifest> {
    const shelf = this.#shelf;
    if (this.#hashKey !== undefined && !equalBytes(this.#hashKey, moment.hashKey)) {
      shelf.keepOnly(new Set());
    }
    this.#hashKey = moment.hashKey;
    const work = new Work(this.#options, moment, (bytes) => this.heldBytes = bytes);
    try {
      const missing = moment.segments.filter((segment) => !this.#isThere(segment));
      const sealed = missing.filter(([, , crc]) => crc !== undefined);
      const open = missing.filter(([, , crc]) => crc === undefined);
      for (const [id] of [...open, ...sealed].slice(0, OPEN_AHEAD)) work.file(id);
      const queue = sealed[Symbol.iterator]();
      // One that fails ends the others: none is left under way.
      let failed = false;
      const lanes = Array.from({ length: UPLOADS }, async () => {
        for (const segment of queue) {
          if (failed) return;
          try {
            await this.#send(work, segment);
          } catch (error) {
            failed = true;
            throw error;
          }
        }
      });
      for (const settled of await Promise.allSettled(lanes)) {
        if (settled.status === "rejected") throw settled.reason;
      }
      for (const segment of open) await this.#send(work, segment);
    } finally {
      work.close();
    }
    shelf.keepOnly(new Set(moment.segments.map(([id]) => id)));
    return await this.#list(moment);
  }

  /** Whether all of a segment is there, in few enough pieces. */
  #isThere([id, length, crc]: Moment["segments"][number]): boolean {
    const shelved = this.#shelf.get(id);
    if (shelved === undefined) return false;
    const isOther = shelved.length > length ||
      shelved.length === length && crc !== undefined && shelved.crc !== crc;
    if (isOther) {
      // Of another directory that went on from the same moment.
      this.#shelf.drop(id);
      return false;
    }
    if (shelved.length < length || !shelved.isOwn && crc === undefined) return false;
    const lengths = shelved.pieces.map(({ length }) => length);
    return nextPiece(lengths, length, crc !== undefined).from === length;
  }

  async #send(work: Work, segment: Moment["segments"][number]): Promise<void> {
    await this.#sendWhole(work, segment);
    // What is sent need not be held.
    work.release(segment[0]);
  }

  async #sendWhole(work: Work, segment: Moment["segments"][number]): Promise<void> {
    const [id, , crc] = segment;
    const shelf = this.#shelf;
    const shelved = shelf.get(id);
    if (shelved !== undefined && !shelved.isOwn && crc === undefined) {
      const sum = await checksumOf(work.file(id), shelved.length, () => work.look());
      if (sum === shelved.crc) shelf.own(id);
      else shelf.drop(id);
    }
    try {
      return await this.#sendRest(work, segment, true);
    } catch (error) {
      if (!(error instanceof OtherBytesError) || shelf.get(id) === undefined) {
        throw asCopy(error, id);
      }
    }
    // Perhaps what is there is another directory's, or what is here was damaged since.
    if (shelf.get(id)!.isOwn) {
      return await this.#sendRest(work, segment, false).catch((error) => {
        throw asCopy(error, id);
      });
    }
    shelf.drop(id);
    await this.#sendRest(work, segment, true).catch((error) => {
      throw asCopy(error, id);
    });
  }

  /**
   * Sends what is missing of a segment.
   *
   * @param merges whether parts that are there may become one with it
   * @throws {OtherBytesError} if the file is not what was written
   */
  async #sendRest(
    work: Work,
    [id, to, crc]: Moment["segments"][number],
    merges: boolean,
  ): Promise<void> {
    const { destination } = this.#options;
    const shelf = this.#shelf;
    const shelved = shelf.get(id);
    const pieces = shelved?.pieces ?? [];
    const there = shelved?.length ?? 0;
    const { kept, from } = merges
      ? nextPiece(pieces.map(({ length }) => length), to, crc !== undefined)
      : { kept: pieces.length, from: there };
    if (from === to) return;
    const file = work.file(id);
    const look = () => work.look();
    const sums = await sumsOf(file, { from, to }, pieces.slice(kept), shelved?.crc ?? 0, look);
    if (crc !== undefined && sums.crc !== crc) {
      throw new OtherBytesError("it has another checksum than was counted when it was written");
    }
    const { epoch } = this.#tenure.head;
    const piece = { epoch, segment: id, from, length: to - from, crc32c: sums.crc32c };
    await this.#create(destination, pieceName(piece), new FileSource(file, piece, look));
    shelf.put(id, kept, piece, sums.crc);
  }

  async #create(destination: Destination, name: string, source: Source): Promise<void> {
    const created = await destination.create(name, source);
    if (created === "exists") return await assertSame(destination, name, source);
    this.sentBytes += source.length;
    this.sentObjects++;
    this.#options.sent?.();
  }

  /** Creates the manifest of a moment whose pieces are there, and lets it count. */
  async #list(moment: Moment): Promise<CopyManifest> {
    const { destination } = this.#options;
    const { head } = this.#tenure;
    const { disk, hashKey, sequence, items, segments } = moment;
    const manifest: CopyManifest = {
      number: ++this.#number,
      epoch: head.epoch,
      time: Math.max(this.#time, moment.time),
      ...{ disk, hashKey, items },
      sequence: Math.max(head.sequence, sequence),
      segments: this.#shelf.segments(segments.map(([id]) => id)),
      dropped: this.#shelf.spare(),
    };
    // Of one whose answer is lost too: it counts when the next one does.
    this.#time = manifest.time;
    await this.#create(destination, nameOfManifest(manifest), sourceOf(encodeManifest(manifest)));
    this.#pending = manifest;
    await this.#settlePending();
    return manifest;
  }

  /** Lets the manifest count that was created last. */
  async #settlePending(): Promise<void> {
    const manifest = this.#pending;
    if (manifest === undefined) return;
    const { number, time, sequence, dropped } = manifest;
    const place = placeOf(manifest);
    await this.#tenure.replace({ last: { number, time }, sequence, place, base: undefined });
    this.#pending = undefined;
    this.#shelf.dropped(dropped);
  }
}

/** What is there under a name must be what would have been written. */
async function assertSame(destination: Destination, name: string, source: Source): Promise<void> {
  let length = 0;
  let sum = 0;
  for await (const entry of destination.list(name)) {
    if (entry.name !== name) break;
    length = entry.size;
    sum = entry.crc32c ?? await sumOfObject(destination, name);
  }
  if (length === source.length && sum === source.crc32c) return;
  throw new DestinationError(
    `'${name}' in ${destination.url} has other bytes than its name says`,
    false,
  );
}

async function sumOfObject(destination: Destination, name: string): Promise<number> {
  let sum = 0;
  for await (const block of destination.stream(name)) sum = crc32c(block, sum);
  return sum;
}

function asCopy(error: unknown, id: number): unknown {
  if (!(error instanceof OtherBytesError)) return error;
  return new CopyError(
    `segment ${segmentName(id)} is damaged and is not copied: ${messageOf(error)}`,
  );
}

function idsOf({ segments }: Moment): string {
  return segments.map(([id]) => id).join();
}
