/**
 * The directory's identity and the list of its sealed segments. FORMAT.md, "Manifest".
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type Files, replaceFile } from "../fs/files.ts";
import { FORMAT, isRead } from "../log/segment.ts";
import { decodeChecked, encodeChecked } from "./checked.ts";

/** The manifest's file name. */
export const MANIFEST = "MANIFEST";

/** The name of the file that a directory has as long as not all of it is restored from copies. */
export const RESTORING = "RESTORING";

/** How far the sequence jumps where acknowledged uniques may have been lost. */
export const SEQUENCE_GAP = 2 ** 30;

/** What the manifest says. */
export interface Manifest {
  /** 16 random bytes. */
  readonly hashKey: Uint8Array;
  /** Whether the listed files are known to be whole. */
  readonly clean: boolean;
  /** At least the greatest sequence number in the listed segments. */
  readonly sequence: number;
  /** About how many items there are. */
  readonly items: number;
  /** The first segment number that the list does not speak of. */
  readonly next: number;
  /** Number, length in bytes and CRC-32 of each sealed segment, in log order. */
  readonly segments: ReadonlyArray<readonly [id: number, length: number, crc: number]>;
  /** The name of the image of the index that goes with the list, if there is one. */
  readonly image?: string;
}

/** The file's bytes. */
export function encodeManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  return encodeChecked({
    kvs: "disk",
    format: FORMAT,
    hashKey: Buffer.from(manifest.hashKey).toString("hex"),
    clean: manifest.clean,
    sequence: manifest.sequence,
    items: manifest.items,
    next: manifest.next,
    segments: manifest.segments,
    image: manifest.image,
  });
}

/** The manifest that the bytes are, `undefined` if they are none; `format` where it is another's. */
export function decodeManifest(
  bytes: Uint8Array,
): Manifest | { readonly format: number } | undefined {
  const said = decodeChecked(bytes, "disk") as
    | (Omit<Manifest, "hashKey"> & { readonly format: number; readonly hashKey: string })
    | undefined;
  if (said === undefined) return undefined;
  if (!isRead(said.format)) return { format: said.format };
  return { ...said, hashKey: new Uint8Array(Buffer.from(said.hashKey, "hex")) };
}

/** Puts the manifest in the place of the last one, and waits until it is on the medium. */
export async function writeManifest(
  files: Files,
  directory: string,
  manifest: Manifest,
): Promise<void> {
  await replaceFile(files, `${directory}/${MANIFEST}`, encodeManifest(manifest));
  await files.syncDirectory(directory);
}
