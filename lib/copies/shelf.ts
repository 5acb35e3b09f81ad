/**
 * What lies in a destination of a directory's segments, as far as the process knows that copies there.
 *
 * @module
 */

import type { CopiedSegment, CopyManifest } from "./manifest.ts";
import { type Piece, pieceName } from "./names.ts";

/** What is there of one segment. */
export interface Shelved {
  /** In order, from 0, without a gap. */
  readonly pieces: readonly Piece[];
  /** Bytes of all of them, and their CRC-32. */
  readonly length: number;
  readonly crc: number;
  /** Whether this process has read those bytes in the directory. */
  readonly isOwn: boolean;
}

/** The pieces of all segments. */
export class Shelf {
  readonly #segments = new Map<number, Shelved>();
  /** Pieces that are there, that nothing needs any more, and that no manifest which counts has dropped. */
  readonly #spare = new Map<string, Piece>();

  /** Begins with what a manifest names. */
  constructor(manifest: CopyManifest | undefined) {
    for (const { id, ...shelved } of manifest?.segments ?? []) {
      this.#segments.set(id, { ...shelved, isOwn: false });
    }
  }

  get(id: number): Shelved | undefined {
    return this.#segments.get(id);
  }

  /** Notes that a segment has the first `kept` of its pieces, and a new one behind them. */
  put(id: number, kept: number, piece: Piece, crc: number): void {
    const pieces = this.#segments.get(id)?.pieces ?? [];
    for (const replaced of pieces.slice(kept)) this.#spare.set(pieceName(replaced), replaced);
    this.#segments.set(id, {
      pieces: [...pieces.slice(0, kept), piece],
      length: piece.from + piece.length,
      crc,
      isOwn: true,
    });
  }

  /** Notes that what is there is what the directory has. */
  own(id: number): void {
    const shelved = this.#segments.get(id);
    if (shelved !== undefined) this.#segments.set(id, { ...shelved, isOwn: true });
  }

  /** Notes that nothing of a segment is needed any more. */
  drop(id: number): void {
    for (const piece of this.#segments.get(id)?.pieces ?? []) {
      this.#spare.set(pieceName(piece), piece);
    }
    this.#segments.delete(id);
  }

  /** Drops all segments but these. */
  keepOnly(ids: ReadonlySet<number>): void {
    for (const id of [...this.#segments.keys()]) if (!ids.has(id)) this.drop(id);
  }

  /** Segments as a manifest has them. */
  segments(ids: readonly number[]): CopiedSegment[] {
    return ids.map((id) => {
      const { length, crc, pieces } = this.#segments.get(id)!;
      return { id, length, crc, pieces };
    });
  }

  /** What a manifest is to drop. */
  spare(): Piece[] {
    return [...this.#spare.values()];
  }

  /** Notes that a manifest counts which has dropped these. */
  dropped(pieces: readonly Piece[]): void {
    for (const piece of pieces) this.#spare.delete(pieceName(piece));
  }
}
