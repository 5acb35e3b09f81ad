/**
 * What `kvs-server` does with copies besides making them while it serves: once, back, and read whole.
 *
 * @module
 */

import { counted } from "../../counted.ts";
import { machineClock } from "../../copies/copy_clock.ts";
import { copyDirectoryOnce } from "../../copies/once.ts";
import type { Destination, DestinationOptions } from "../../copies/destination.ts";
import { bytesOfManifest } from "../../copies/manifest.ts";
import { checkDestination, openDestination } from "../../copies/open.ts";
import { momentsOf } from "../../copies/moments.ts";
import { Progress } from "../../copies/progress.ts";
import { chooseMoment, timeText } from "../../copies/choose.ts";
import {
  type Advance,
  finishRestore,
  isRestorable,
  restoreMoment,
  type SegmentTask,
} from "../../copies/restore.ts";
import { readHead } from "../../copies/tenure.ts";
import { verifyMoment } from "../../copies/verify.ts";
import { Exit, ExitError } from "../../errors.ts";
import { systemFiles } from "../../copies/disk_files.ts";
import type { Configuration } from "../configuration.ts";
import { asExit } from "./errors.ts";
import { Readers } from "./readers.ts";
import { copySettings } from "./settings.ts";

type SayLine = (line: string) => void;

/** Where copies are, and their head. */
interface Opened {
  readonly destination: Destination;
  readonly place: Destination;
}

/** `copy --once`. */
export async function copyOnce(configuration: Configuration, say: SayLine): Promise<number> {
  if (!configuration.once) {
    throw new ExitError(
      "copy goes with --once; a server with --copy-to copies all the time",
      Exit.usage,
    );
  }
  const settings = copySettings(configuration);
  if (settings === undefined) throw new ExitError("copy --once needs --copy-to URL", Exit.usage);
  const { directory, retention, lease, held, by, bandwidth } = settings;
  return await withCopies(
    configuration,
    settings.to,
    { bandwidth },
    async ({ destination, place }) => {
      const done = await copyDirectoryOnce({
        ...{ destination, place, directory, retention, lease, held, by, say },
        files: systemFiles,
        clock: machineClock,
      });
      const { manifest, sentBytes, sentObjects, removed } = done;
      console.log(
        manifest === undefined
          ? `${destination.url} has all of ${directory} already`
          : `${destination.url}: moment ${manifest.number} of ${timeText(manifest.time)}, ` +
            sizeText(manifest.segments.length, bytesOfManifest(manifest)),
      );
      console.log(
        `sent ${counted(sentObjects, "object")}, ${counted(sentBytes, "byte")}; ` +
          `removed ${counted(removed, "object")}`,
      );
      return Exit.ok;
    },
  );
}

/** `restore`. */
export async function restore(configuration: Configuration, say: SayLine): Promise<number> {
  const { dataDir: directory, at, list: isListing } = configuration;
  return await withCopies(
    configuration,
    urlOf(configuration),
    { isOnlyRead: true },
    async ({ destination, place }) => {
      if (isListing) return await list(destination, place);
      if (!isRestorable(systemFiles, directory)) {
        throw new ExitError(
          `Cannot restore ${destination.url} into '${directory}': the directory is not empty`,
          Exit.data,
        );
      }
      const chosen = await chooseMoment(destination, place, at);
      const { manifest } = chosen;
      const total = bytesOfManifest(manifest);
      const what = `the moment of ${timeText(manifest.time)}`;
      const size = sizeText(manifest.segments.length, total);
      say(`restoring ${what}: ${size}`);
      systemFiles.makeDirectory(directory);
      const lock = systemFiles.lock(directory);
      try {
        const began = performance.now();
        const progress = new Progress(machineClock, say, "restoring");
        const options = {
          ...{ destination, place, directory },
          files: systemFiles,
          clock: machineClock,
          progress: (done: number, total: number) => progress.tell(done, total),
        };
        const readers = new Readers(destination, configuration.gcsEndpoint);
        const read = (task: SegmentTask, advance: Advance) => readers.restore(task, advance);
        const { kept, records } = await restoreMoment({ ...options, read }, chosen)
          .finally(() => readers.end());
        await finishRestore(options, chosen);
        const seconds = (performance.now() - began) / 1000;
        console.log(
          `${directory}: ${what} of ${destination.url}, ${size}, ${counted(records, "record")}, ` +
            `${seconds.toFixed(1)} s` +
            (kept > 0 ? `; ${kept} bytes were there already` : ""),
        );
        return Exit.ok;
      } finally {
        lock.close();
      }
    },
  );
}

/** `verify`. */
export async function verify(configuration: Configuration, say: SayLine): Promise<number> {
  return await withCopies(
    configuration,
    urlOf(configuration),
    { isOnlyRead: true },
    async ({ destination, place }) => {
      const { manifest } = await chooseMoment(destination, place, configuration.at);
      const progress = new Progress(machineClock, say, "reading");
      const readers = new Readers(destination, configuration.gcsEndpoint);
      const report = await verifyMoment(
        destination,
        manifest,
        (done, total) => progress.tell(done, total),
        (task, advance) => readers.verify(task, advance),
      ).finally(() => readers.end());
      for (const problem of report.problems) console.log(`wrong: ${problem}`);
      const { bytes, records, pieces } = report;
      console.log(
        `${destination.url}: the moment of ${timeText(manifest.time)}, ` +
          `${counted(manifest.segments.length, "segment")} in ${counted(pieces, "piece")}, ` +
          `${counted(bytes, "byte")}, ${counted(records, "record")}`,
      );
      if (report.problems.length === 0) {
        console.log("a restore would succeed");
        return Exit.ok;
      }
      console.log("a restore of it would fail; --list shows the others, --at chooses one");
      return Exit.data;
    },
  );
}

function sizeText(segments: number, bytes: number): string {
  return `${counted(segments, "segment")}, ${counted(bytes, "byte")}`;
}

/** Prints the moments that can be restored, a line each. */
async function list(
  destination: Destination,
  place: Destination,
): Promise<number> {
  const found = await readHead(place);
  if (found === undefined) {
    await chooseMoment(destination, place);
    return Exit.data;
  }
  const since = Date.now() - (found.head.retention ?? Infinity);
  let before:
    | { readonly time: number; readonly number: number; readonly epoch: number }
    | undefined;
  let offered = 0;
  const print = ({ time, number, epoch }: NonNullable<typeof before>) => {
    offered++;
    console.log(`${timeText(time)}  moment ${number}, server ${epoch}`);
  };
  for await (const moment of momentsOf(destination, found.head)) {
    // A moment is the state until the next one: one that was passed before retention is about to go.
    if (before !== undefined && moment.time > since) print(before);
    before = moment;
  }
  if (before !== undefined) print(before);
  if (offered === 0) throw new ExitError(`${destination.url} has no whole moment yet`, Exit.data);
  return Exit.ok;
}

function urlOf({ from, copyTo }: Configuration): string {
  const url = from ?? copyTo;
  if (url === undefined) throw new ExitError("--from URL says where the copies are", Exit.usage);
  checkDestination("--from", url);
  return url;
}

async function withCopies(
  { copyHead, gcsEndpoint: endpoint }: Configuration,
  url: string,
  how: Pick<DestinationOptions, "bandwidth" | "isOnlyRead">,
  work: (opened: Opened) => Promise<number>,
): Promise<number> {
  const opened: Destination[] = [];
  const open = async (url: string) => {
    const destination = await openDestination(url, {
      ...how,
      endpoint,
      log: (line) => console.error(`kvs-server: ${line}`),
    });
    opened.push(destination);
    return destination;
  };
  try {
    const destination = await open(url);
    const place = copyHead === undefined ? destination : await open(copyHead);
    return await work({ destination, place });
  } catch (error) {
    throw asExit(error);
  } finally {
    for (const destination of opened) await destination.close();
  }
}
