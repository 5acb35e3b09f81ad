/**
 * Writes images of the index while the store goes on, and brings one back. FORMAT.md, "Image".
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ByteBuffer } from "../../../bytes.ts";
import {
  bytesIn,
  encodeImageHead,
  encodeImageText,
  encodeTableHead,
  IMAGE,
  ImageReader,
  type ImageText,
} from "../format/image.ts";
import type { Manifest } from "../format/manifest.ts";
import {
  type DataFile,
  type Files,
  readFully,
  removeIfThere,
  writeFullyLater,
} from "../fs/files.ts";
import { KeyIndex, SHARDS } from "../index/key_index.ts";
import type { Placements } from "../index/placements.ts";
import type { Commits } from "../log/commits.ts";
import type { Log } from "../log/log.ts";

/** Bytes of tables that are written in one go: less than a millisecond's work, also where they are small and many. */
const SLICE = 1 << 17;

/** What images are made of. */
export interface ImageOptions {
  readonly files: Files;
  readonly directory: string;
  readonly log: Log;
  readonly placements: Placements;
  readonly commits: Commits;
  readonly flushAt: () => number;
  readonly flushSegment: () => number;
  /** Makes the manifest name an image that is there, whole and synced. */
  readonly named: (name: string) => Promise<void>;
  /** Images are written of so many items and more. */
  readonly least: number;
}

/** Writes images. */
export class Images {
  /** Images written so far. */
  count = 0;

  readonly #options: ImageOptions;
  /** Records of the log when the last image was begun. */
  #records = 0;
  #running: Promise<void> | undefined;
  #stopping = false;

  constructor(options: ImageOptions) {
    this.#options = options;
  }

  /** Begins an image when so much has come since the last one that a start without would take long. */
  wake(): void {
    const { log, placements, least } = this.#options;
    const { size } = placements.index;
    const isDue = size >= least && log.records - this.#records > Math.max(size / 4, least);
    if (!isDue || this.#running !== undefined || this.#stopping) return;
    this.#records = log.records;
    // A start without the image takes longer, and that is all.
    this.#running = this.#make(false).then(() => {}, () => {})
      .finally(() => this.#running = undefined);
  }

  /** Ends the image under way, if there is one. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  /** Writes an image of a log that has been sealed and synced, for the next start; returns its name. */
  async last(): Promise<string | undefined> {
    const { placements, least } = this.#options;
    if (placements.index.size < least) return undefined;
    this.#stopping = false;
    try {
      return await this.#make(true);
    } catch {
      return undefined;
    } finally {
      this.#stopping = true;
    }
  }

  /**
   * Puts an image in the place of the last one, and has it named unless the store stops; returns its name, nothing
   * if it was made in vain.
   */
  async #make(still: boolean): Promise<string | undefined> {
    const { files, directory, log, placements, commits, flushAt, flushSegment, named } =
      this.#options;
    const { index } = placements;
    const { losses } = commits;
    // What is written from here on is replayed, so each table may be of another moment.
    const from = log.active?.id ?? log.nextId;
    const flush = { flushAt: flushAt(), flushSegment: flushSegment() };
    const isStale = () =>
      placements.index !== index || flushAt() !== flush.flushAt ||
      flushSegment() !== flush.flushSegment;
    const name = Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex");
    const fresh = `${directory}/${IMAGE}.new`;
    removeIfThere(files, fresh);
    const file = files.open(fresh, "create");
    placements.keepSlots = true;
    let isWhole = false;
    try {
      const end = await this.#writeTables(file, index, placements.amendments);
      // Tables may speak of what is not yet on the medium, or was never written.
      log.writeOut();
      await commits.syncer.until(log.written);
      if (this.#stopping || commits.losses !== losses || isStale()) return undefined;
      const segments = log.segments.filter(({ id }) => id < from).map((segment) => {
        const { id, length, crc, sequence, tombstones, tombstoneSegment, hintBytes, live } =
          segment;
        const { base, buckets } = segment.expiry;
        const expiry = { base, buckets: [...buckets] };
        const place = { id, length, crc, sequence, tombstones, tombstoneSegment };
        return { ...place, hintBytes, live, ...expiry };
      });
      // Tables may also speak of what has gone meanwhile.
      const slots = Array.from(placements.slots, (one, slot) => [one?.id ?? 0, slot] as const)
        .slice(1);
      const hashKey = Buffer.from(log.hashKey).toString("hex");
      const text: ImageText = { hashKey, name, from, segments, slots, still, ...flush };
      await writeFullyLater(file, encodeImageText(text), end);
      await file.sync();
      isWhole = true;
    } finally {
      placements.keepSlots = false;
      file.close();
      if (!isWhole) removeIfThere(files, fresh);
    }
    await files.rename(fresh, `${directory}/${IMAGE}`);
    await files.syncDirectory(directory);
    this.count++;
    // In the same step as it is named: what a flush takes back of an image is its name.
    if (isStale()) return undefined;
    if (!still) await named(name);
    return name;
  }

  async #writeTables(file: DataFile, index: KeyIndex, amendments: KeyIndex): Promise<number> {
    let at = 0;
    const gathered = new ByteBuffer(SLICE);
    gathered.append(encodeImageHead(2 * SHARDS));
    for (let shard = 0; shard < SHARDS && !this.#stopping; shard++) {
      // Both of the same moment: what one says of a key is about what the other says.
      for (const one of [index, amendments]) {
        const table = one.tableOf(shard);
        gathered.append(encodeTableHead(table, one.countOf(shard)));
        gathered.append(bytesIn(table));
      }
      if (gathered.length < SLICE && shard < SHARDS - 1) continue;
      await writeFullyLater(file, gathered.view(), at);
      at += gathered.length;
      gathered.clear(2 * SLICE);
    }
    return at;
  }
}

/** An index that was read from an image. */
export interface LoadedImage {
  readonly text: ImageText;
  readonly index: KeyIndex;
  readonly amendments: KeyIndex;
}

/** The image that a manifest names; nothing where it is not there, not whole, or of another log. */
export function loadImage(
  files: Files,
  directory: string,
  manifest: Manifest,
): LoadedImage | undefined {
  if (manifest.image === undefined) return undefined;
  let file: DataFile | undefined;
  try {
    const open = file = files.open(`${directory}/${IMAGE}`, "read");
    const reader = new ImageReader((into, at) => readFully(open, into, at), open.size());
    const text = reader.text(SHARDS);
    if (text === undefined || !belongs(text, manifest)) return undefined;
    const items = new TableList();
    const amendments = new TableList();
    for (let shard = 0; shard < SHARDS; shard++) {
      if (!items.take(reader) || reader.isPaired && !amendments.take(reader)) return undefined;
    }
    return {
      text,
      index: items.index(),
      amendments: reader.isPaired ? amendments.index() : new KeyIndex(),
    };
  } catch {
    return undefined;
  } finally {
    file?.close();
  }
}

/** An index's tables as they are read. */
class TableList {
  readonly #tables: Uint32Array<ArrayBuffer>[] = [];
  readonly #counts: number[] = [];

  /** Reads the next table; returns whether it is whole. */
  take(reader: ImageReader): boolean {
    const one = reader.table();
    if (one === undefined) return false;
    this.#tables.push(one.table);
    this.#counts.push(one.count);
    return true;
  }

  index(): KeyIndex {
    return KeyIndex.of(this.#tables, this.#counts);
  }
}

/** Whether an image is of the log that a manifest lists. */
function belongs(text: ImageText, manifest: Manifest): boolean {
  if (text.name !== manifest.image) return false;
  if (text.hashKey !== Buffer.from(manifest.hashKey).toString("hex")) return false;
  const known = new Map(text.segments.map((one) => [one.id, one]));
  return manifest.segments.every(([id, length, crc]) => {
    if (id >= text.from) return true;
    const one = known.get(id);
    return one !== undefined && one.length === length && one.crc === crc;
  });
}
