/**
 * Brings copies up to date once, without a server or beside it. FORMAT.md, "Copying from outside".
 *
 * @module
 */

import type { Files } from "../storage/disk/fs/files.ts";
import { Copier } from "./copier.ts";
import { behindPlace, ownOfMoment } from "./place.ts";
import type { CopyClock } from "./copy_clock.ts";
import type { Destination } from "./destination.ts";
import { momentOfDirectory } from "./directory_moment.ts";
import type { CopyManifest } from "./manifest.ts";
import { Retention } from "./retention.ts";
import { Tenure } from "./tenure.ts";

/** What is copied, and where. */
export interface OnceOptions {
  readonly destination: Destination;
  readonly place: Destination;
  readonly files: Files;
  readonly directory: string;
  readonly clock: CopyClock;
  /** Milliseconds. */
  readonly retention: number;
  readonly lease: number;
  readonly held: number;
  readonly by: string;
  readonly say: (line: string) => void;
}

/** What was done. */
export interface OnceReport {
  /** The new moment; `undefined` where nothing had changed. */
  readonly manifest: CopyManifest | undefined;
  readonly sentBytes: number;
  readonly sentObjects: number;
  readonly removed: number;
}

/**
 * Copies once. A directory that no server has is locked meanwhile.
 *
 * @throws {FencedError} if another directory has the destination
 * @throws {DestinationError} if it cannot be reached
 * @throws {ExitError} if the directory cannot be trusted
 */
export async function copyDirectoryOnce(options: OnceOptions): Promise<OnceReport> {
  const { destination, place, files, directory, clock, retention, lease, held, by, say } = options;
  const isServed = files.isLocked(directory);
  const lock = isServed ? undefined : files.lock(directory);
  try {
    const moment = () => momentOfDirectory(files, directory, isServed);
    const first = await moment();
    const tenure = await Tenure.take({
      ...{ destination, place, files, directory, clock, lease, by },
      isImpatient: true,
      retention,
      behind: (place) => behindPlace(files, directory, first, place),
      waits: (head) => say(`${destination.url} is ${head.by}'s: waiting whether it gives a sign`),
    }, await ownOfMoment(files, directory, first));
    const over = new AbortController();
    const kept = tenure.keep(over.signal);
    try {
      tenure.hurry();
      const copier = await Copier.begin(
        { destination, files, directory, clock, moment, held },
        tenure,
      );
      const { manifest } = await copier.round();
      const due = new Retention({ destination, retention }, tenure);
      while (await due.step()) await tenure.beat();
      // A sign of life that came after it would take the release back.
      over.abort();
      await kept;
      await tenure.release();
      const { sentBytes, sentObjects } = copier;
      return { manifest, sentBytes, sentObjects, removed: due.removed };
    } finally {
      over.abort();
      await kept;
    }
  } finally {
    lock?.close();
  }
}
