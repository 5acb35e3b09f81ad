/**
 * What a directory remembers of a destination: `COPY-…`; and `RESTORING`, as long as not all of it is
 * there. FORMAT.md, "Who may write" and "Restore".
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { RESTORING } from "../storage/disk/format/manifest.ts";
import { codeOf, type Files, readWhole, replaceFile } from "../storage/disk/fs/files.ts";
import { decodeChecked, encodeChecked } from "../storage/disk/format/checked.ts";
import { COPY_FORMAT } from "./manifest.ts";

/** Which of a directory's claims may be in a head. */
export interface Identity {
  /** The one that had it last, and those of later processes that may or may not have got it. */
  readonly claims: readonly string[];
  /** Whether it has had it. */
  readonly had?: boolean;
  /**
   * What the head said when the directory was restored from there, its claim and last number, and the number
   * of the manifest that was restored.
   */
  readonly restored?:
    | { readonly claim: string; readonly number: number; readonly base: number }
    | undefined;
}

/** What an unfinished restore restores. */
export interface Restoring {
  readonly url: string;
  readonly number: number;
  readonly epoch: number;
}

/** Claims that are remembered, at most: of processes that died while they took the head. */
const MOST_CLAIMS = 64;

/** 16 random bytes in hex. */
export function newClaim(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
}

/** The name of the file that speaks of a destination. */
export function identityName(url: string): string {
  return `COPY-${createHash("sha256").update(url).digest("hex").slice(0, 16)}`;
}

/** What the directory remembers; nothing of a destination that it has nothing to do with. */
export function readIdentity(files: Files, directory: string, url: string): Identity {
  const said = readChecked(files, `${directory}/${identityName(url)}`, "copy identity");
  if (said === undefined || said.url !== url) return { claims: [] };
  const { claims, had, restored } = said as unknown as Identity;
  return { claims, had: had === true, restored };
}

/** Puts that in the place of what it remembered, and waits until it is on the medium. */
export async function writeIdentity(
  files: Files,
  directory: string,
  url: string,
  { claims, had = false, restored }: Identity,
): Promise<void> {
  const bytes = encodeChecked({
    kvs: "copy identity",
    format: COPY_FORMAT,
    url,
    // The first is the one that is known to have had it.
    claims: claims.length > MOST_CLAIMS ? [claims[0]!, ...claims.slice(1 - MOST_CLAIMS)] : claims,
    had,
    restored,
  });
  await replaceFile(files, `${directory}/${identityName(url)}`, bytes);
  await files.syncDirectory(directory);
}

/** What an unfinished restore restores, if there is one that can be told. */
export function readRestoring(files: Files, directory: string): Restoring | undefined {
  const said = readChecked(files, `${directory}/${RESTORING}`, "restoring");
  return said as unknown as Restoring | undefined;
}

/** Writes that a restore has begun, and waits until that is on the medium. */
export async function writeRestoring(
  files: Files,
  directory: string,
  restoring: Restoring,
): Promise<void> {
  const bytes = encodeChecked({ kvs: "restoring", format: COPY_FORMAT, ...restoring });
  await replaceFile(files, `${directory}/${RESTORING}`, bytes);
  await files.syncDirectory(directory);
}

function readChecked(files: Files, path: string, kind: string) {
  let bytes: Uint8Array;
  try {
    bytes = readWhole(files, path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  return decodeChecked(bytes, kind);
}
