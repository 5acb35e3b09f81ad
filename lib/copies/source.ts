/**
 * Bytes that are sent: of a file, or at hand.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { crc32c } from "../crc32c.ts";
import type { DataFile } from "../storage/disk/fs/files.ts";
import type { Source } from "./destination.ts";
import type { Piece } from "./names.ts";

/** Bytes that are read at a time. */
export const BLOCK = 1 << 20;

/** A source of bytes at hand. */
export function sourceOf(bytes: Uint8Array): Source {
  return {
    length: bytes.length,
    crc32c: crc32c(bytes),
    read: (from, into) => {
      const part = bytes.subarray(from, from + into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
  };
}

/** A source of a run of bytes of a file. */
export class FileSource implements Source {
  readonly length: number;
  readonly crc32c: number;
  readonly #file: DataFile;
  readonly #from: number;
  readonly #onRead: () => void;

  /** @param onRead told of each read; what it throws ends the upload */
  constructor(
    file: DataFile,
    piece: Pick<Piece, "from" | "length" | "crc32c">,
    onRead: () => void,
  ) {
    this.#file = file;
    this.#from = piece.from;
    this.length = piece.length;
    this.crc32c = piece.crc32c;
    this.#onRead = onRead;
  }

  read(from: number, into: Uint8Array): Promise<number> {
    this.#onRead();
    const most = Math.min(into.length, this.length - from);
    return this.#file.readLater(into.subarray(0, most), this.#from + from);
  }
}

/** The checksums of a run of a file. */
export interface Sums {
  /** Of the run alone. */
  readonly crc32c: number;
  /** Of all bytes of the file up to the run's end; of those from `known` on it goes on from `crc`. */
  readonly crc: number;
}

/** A file has other bytes than it had. */
export class OtherBytesError extends Error {
  override readonly name = "OtherBytesError";
}

/**
 * Reads a run of a file for its checksums.
 *
 * @param before pieces that the run begins with, and which must still be what they were
 * @param known the CRC-32 of the file up to where those end
 * @throws {OtherBytesError} if one of them is not, or the file ends before the run
 */
export async function sumsOf(
  file: DataFile,
  { from, to }: { readonly from: number; readonly to: number },
  before: readonly Piece[],
  known: number,
  onRead: () => void,
): Promise<Sums> {
  const block = new Uint8Array(Math.min(BLOCK, to - from));
  let whole = 0;
  let crc = known;
  let at = from;
  const read = async (end: number, take: (bytes: Uint8Array) => void) => {
    while (at < end) {
      onRead();
      const count = await file.readLater(block.subarray(0, Math.min(block.length, end - at)), at);
      if (count === 0) throw new OtherBytesError("it ends early");
      take(block.subarray(0, count));
      at += count;
    }
  };
  for (const piece of before) {
    let sum = 0;
    await read(piece.from + piece.length, (bytes) => {
      sum = crc32c(bytes, sum);
      whole = crc32c(bytes, whole);
    });
    if (sum !== piece.crc32c) {
      throw new OtherBytesError("it has other bytes than when it was copied");
    }
  }
  await read(to, (bytes) => {
    whole = crc32c(bytes, whole);
    crc = crc32(bytes, crc);
  });
  return { crc32c: whole, crc };
}
