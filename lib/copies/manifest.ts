/**
 * The list of everything that makes one moment. FORMAT.md, "Manifest".
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { assert } from "../errors.ts";
import { decodeChecked, encodeChecked } from "../storage/disk/format/checked.ts";
import { manifestName, type Piece } from "./names.ts";

/** The format of everything that is written to a destination. */
export const COPY_FORMAT = 1;

/** A segment as a manifest has it. */
export interface CopiedSegment {
  readonly id: number;
  /** Bytes, and their CRC-32. */
  readonly length: number;
  readonly crc: number;
  /** In order, from 0 to the length, without a gap. */
  readonly pieces: readonly Piece[];
}

/** What a manifest says. */
export interface CopyManifest {
  readonly number: number;
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The format of the directory's files. */
  readonly disk: number;
  /** 16 bytes. */
  readonly hashKey: Uint8Array;
  /** The greatest sequence number that was given out. */
  readonly sequence: number;
  /** About how many items there are. */
  readonly items: number;
  /** In log order. */
  readonly segments: readonly CopiedSegment[];
  /** Pieces that nothing from here on needs. */
  readonly dropped: readonly Piece[];
}

type PieceRow = readonly [epoch: number, from: number, length: number, crc32c: number];
type SegmentRow = readonly [id: number, length: number, crc: number, pieces: readonly PieceRow[]];
type DroppedRow = readonly [
  epoch: number,
  segment: number,
  from: number,
  length: number,
  crc32c: number,
];

/** The object's bytes. */
export function encodeManifest(manifest: CopyManifest): Uint8Array<ArrayBuffer> {
  const { number, epoch, time, disk, sequence, items } = manifest;
  for (const { pieces, length } of manifest.segments) {
    let at = 0;
    for (const piece of pieces) {
      assert(piece.from === at && piece.length > 0, "the pieces of a segment have no gap");
      at += piece.length;
    }
    assert(at === length, "the pieces of a segment are all of it");
  }
  return encodeChecked({
    kvs: "copy",
    format: COPY_FORMAT,
    ...{ number, epoch, time, disk },
    hashKey: Buffer.from(manifest.hashKey).toString("hex"),
    ...{ sequence, items },
    segments: manifest.segments.map(({ id, length, crc, pieces }): SegmentRow => [
      id,
      length,
      crc,
      pieces.map(({ epoch, from, length, crc32c }): PieceRow => [epoch, from, length, crc32c]),
    ]),
    dropped: manifest.dropped.map(({ epoch, segment, from, length, crc32c }): DroppedRow => [
      epoch,
      segment,
      from,
      length,
      crc32c,
    ]),
  });
}

/** The manifest that the bytes are, `undefined` if they are none; `format` where it is another's. */
export function decodeManifest(
  bytes: Uint8Array,
): CopyManifest | { readonly format: number } | undefined {
  const said = decodeChecked(bytes, "copy") as
    | (Omit<CopyManifest, "hashKey" | "segments" | "dropped"> & {
      format: number;
      hashKey: string;
      segments: readonly SegmentRow[];
      dropped: readonly DroppedRow[];
    })
    | undefined;
  if (said === undefined) return undefined;
  if (said.format !== COPY_FORMAT) return { format: said.format };
  const { number, epoch, time, disk, sequence, items } = said;
  return {
    ...{ number, epoch, time, disk, sequence, items },
    hashKey: new Uint8Array(Buffer.from(said.hashKey, "hex")),
    segments: said.segments.map(([id, length, crc, pieces]) => ({
      ...{ id, length, crc },
      pieces: pieces.map(([epoch, from, length, crc32c]) => ({
        ...{ epoch, segment: id, from, length, crc32c },
      })),
    })),
    dropped: said.dropped.map(([epoch, segment, from, length, crc32c]) => ({
      ...{ epoch, segment, from, length, crc32c },
    })),
  };
}

/** The name under which a manifest lies. */
export function nameOfManifest({ number, epoch, time }: CopyManifest): string {
  return manifestName(number, epoch, time);
}

/** Bytes of all segments. */
export function bytesOfManifest({ segments }: CopyManifest): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}
