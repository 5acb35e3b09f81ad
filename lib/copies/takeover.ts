/**
 * A fresh machine in the place of one that is gone: takes the head, and restores the newest state into an
 * empty directory. FORMAT.md, "Restore".
 *
 * @module
 */

import { counted } from "../counted.ts";
import { Exit, ExitError } from "../errors.ts";
import type { Files } from "../storage/disk/fs/files.ts";
import type { CopyClock } from "./copy_clock.ts";
import { type Destination, DestinationError } from "./destination.ts";
import { currentNumber, type Place } from "./head.ts";
import { readRestoring, writeRestoring } from "./identity.ts";
import { nameOfNumber, readManifest } from "./moments.ts";
import { MANIFESTS } from "./names.ts";
import { placeOf } from "./place.ts";
import { Progress } from "./progress.ts";
import { timeText } from "./choose.ts";
import { endRestoring, isRestorable, restoreMoment, type RestoreOptions } from "./restore.ts";
import { readHead, Tenure } from "./tenure.ts";

/** What a takeover needs. */
export interface TakeoverOptions {
  readonly destination: Destination;
  readonly place: Destination;
  readonly files: Files;
  readonly directory: string;
  readonly clock: CopyClock;
  readonly lease: number;
  /** Milliseconds for which moments are kept from now on. */
  readonly retention: number;
  readonly by: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly read?: RestoreOptions["read"];
}

/** What came of it. */
export interface Takeover {
  /** The head, which is kept from then on. */
  readonly tenure: Tenure;
  /** What was restored. */
  readonly sentence: string;
}

/**
 * Takes over and restores, if the directory is empty and there is something to restore.
 *
 * @throws {ExitError} if it cannot be restored
 * @throws {DestinationError} if the destination cannot be reached: the directory stays empty, or goes on
 *   another time
 */
export async function restoreIfEmpty(options: TakeoverOptions): Promise<Takeover | undefined> {
  const { destination, place, files, directory } = options;
  if (!isRestorable(files, directory)) return undefined;
  files.makeDirectory(directory);
  const lock = files.lock(directory);
  try {
    if (await readHead(place) === undefined) {
      await assertNothing(options);
      return undefined;
    }
    // From here on no server starts on what may become half of something.
    if (readRestoring(files, directory) === undefined) {
      await writeRestoring(files, directory, { url: destination.url, number: 0, epoch: 0 });
    }
    return await takeOver(options);
  } finally {
    lock.close();
  }
}

async function takeOver(options: TakeoverOptions): Promise<Takeover | undefined> {
  const { destination, place, files, directory, clock, lease, retention, by, say, signal } =
    options;
  const tenure = await Tenure.take({
    ...{ place, destination, files, directory, clock, lease, retention, by, signal },
    isEmpty: true,
    behind: () => Promise.resolve(undefined),
    waits: (head) =>
      say(
        `${destination.url} is ${head.by}'s, which has not released it: it is taken over when that has ` +
          `given no sign for ${Math.round(Math.max(lease, head.lease) / 1000)} s`,
      ),
  }, undefined);
  const over = new AbortController();
  const kept = tenure.keep(over.signal);
  try {
    const { head } = tenure;
    const number = currentNumber(head);
    if (number === 0) {
      await beginAt(tenure, undefined);
      await endRestoring(files, directory);
      return { tenure, sentence: `${destination.url} has no moment yet: nothing was restored` };
    }
    const name = await nameOfNumber(destination, head, number);
    const manifest = name === undefined ? undefined : await readManifest(destination, name);
    if (manifest === undefined) {
      throw new ExitError(`${destination.url} has no manifest ${number}, its newest`, Exit.data);
    }
    const progress = new Progress(clock, say, `restoring ${timeText(manifest.time)}`);
    const { bytes } = await restoreMoment({
      ...{ destination, place, files, directory, clock },
      ...{ isTaken: true, read: options.read },
      progress: (done, total) => progress.tell(done, total),
    }, { head, manifest });
    await beginAt(tenure, placeOf(manifest));
    await endRestoring(files, directory);
    return {
      tenure,
      sentence: `restored the moment of ${timeText(manifest.time)} from ${destination.url}: ` +
        `${counted(manifest.segments.length, "segment")}, ${counted(bytes, "byte")}`,
    };
  } finally {
    over.abort();
    await kept;
  }
}

/**
 * Says in the head where the directory begins. What the server before had beyond its last moment is gone, and
 * would be asked for at the next start. Who has lost the head meanwhile finds that out before anything is served.
 *
 * @throws {FencedError} if another has the head now
 */
async function beginAt(tenure: Tenure, place: Place | undefined): Promise<void> {
  const is = tenure.head.place;
  const isSame = is?.segment === place?.segment && is?.length === place?.length &&
    is?.crc === place?.crc;
  await (isSame ? tenure.beat() : tenure.replace({ place }));
}

/** @throws {DestinationError} if the destination has manifests, but no head */
async function assertNothing(
  { destination, place, files, directory }: TakeoverOptions,
): Promise<void> {
  if (readRestoring(files, directory) !== undefined) {
    throw new DestinationError(
      `${place.url} has no head, and '${directory}' holds an unfinished restore from there`,
      true,
    );
  }
  for await (const { name } of destination.list(MANIFESTS)) {
    throw new DestinationError(`${destination.url} has '${name}', and ${place.url} no head`, false);
  }
}
