/**
 * Who may write, and which manifests count. FORMAT.md, "Head".
 *
 * @module
 */

import { decodeChecked, encodeChecked } from "../storage/disk/format/checked.ts";
import { COPY_FORMAT } from "./manifest.ts";
import type { ManifestName } from "./names.ts";

/** A place in a log, with the CRC-32 of its segment up to there. */
export interface Place {
  readonly segment: number;
  readonly length: number;
  readonly crc: number;
}

/**
 * How far the sequence goes beyond what a destination knows: more numbers than can have been given out since
 * the last copy.
 */
export const RESTORE_GAP = 2 ** 42;

/** What the head says. */
export interface Head {
  /** The epoch in which may be written. */
  readonly epoch: number;
  /** 16 random bytes, in hex, of the process that took it. */
  readonly claim: string;
  /** Where that process runs, for a person. */
  readonly by: string;
  /** Milliseconds; it is replaced at least three times in so long, as long as its process lives. */
  readonly lease: number;
  /** Milliseconds for which that process keeps moments; for ever, where it is not there. */
  readonly retention?: number | undefined;
  /** Whether that process has ended as it should. */
  readonly released: boolean;
  /** Counts replacements. */
  readonly beat: number;
  /** The newest manifest that counts: its number and time; none before the first. */
  readonly last?: { readonly number: number; readonly time: number };
  /** The greatest sequence number that may have been given out, as far as can be known here. */
  readonly sequence: number;
  /** What the directory of the epoch must have in its log. */
  readonly place?: Place | undefined;
  /** The manifest that the directory of this epoch was restored from, as long as it has none of its own. */
  readonly base?: number | undefined;
  /** The first number of this epoch. */
  readonly first: number;
  /** Those before it of which manifests are left, the oldest first. */
  readonly epochs: readonly EpochRow[];
}

/** The numbers of an epoch's manifests that count. */
export type EpochRow = readonly [epoch: number, first: number, last: number];

/** The object's bytes. */
export function encodeHead(head: Head): Uint8Array<ArrayBuffer> {
  return encodeChecked({ kvs: "head", format: COPY_FORMAT, ...head });
}

/** The head that the bytes are, `undefined` if they are none; `format` where it is another's. */
export function decodeHead(bytes: Uint8Array): Head | { readonly format: number } | undefined {
  const said = decodeChecked(bytes, "head");
  if (said === undefined) return undefined;
  const { kvs: _, format, ...head } = said;
  if (format !== COPY_FORMAT) return { format: Number(format) };
  return head as unknown as Head;
}

/** Whether a manifest of that number and epoch counts. */
export function counts(
  head: Head,
  { number, epoch }: Pick<ManifestName, "number" | "epoch">,
): boolean {
  if (epoch === head.epoch) return number >= head.first && number <= (head.last?.number ?? 0);
  return head.epochs.some(([past, first, last]) =>
    past === epoch && number >= first && number <= last
  );
}

/** The number of the manifest that is the directory's newest state; 0 for none. */
export function currentNumber({ last, first, base }: Head): number {
  if (last === undefined) return 0;
  return last.number < first ? base ?? last.number : last.number;
}

/** The epochs of a head that takes the place of another. */
export function epochsAfter(head: Head): readonly EpochRow[] {
  const last = head.last?.number ?? 0;
  return last < head.first ? head.epochs : [...head.epochs, [head.epoch, head.first, last]];
}
