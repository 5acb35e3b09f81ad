/**
 * Latencies as a file of percentiles, `.hgrm`, which HdrHistogram's plotters read.
 *
 * @module
 */

import { Exit, ExitError, messageOf } from "../errors.ts";
import type { Histogram } from "./histogram.ts";

type HdrLibrary = Pick<typeof import("hdr-histogram-js"), "build">;

/** How many percentiles are told each time that half of the remaining requests is passed. */
const TICKS = 5;
/** The file counts in microseconds. */
const MICROSECONDS = 1000;
/** The longest latency that a {@linkcode Histogram} tells apart, in microseconds. */
const LONGEST = 215_000_000;

/**
 * Writes latencies in milliseconds to a file.
 *
 * @throws {ExitError} 73 if it cannot be written.
 */
export async function writeHgrm(path: string, latencies: Histogram): Promise<void> {
  // Loaded here alone: few runs need it.
  const library: HdrLibrary & { default?: HdrLibrary } = await import("hdr-histogram-js");
  // A bundle has what is CommonJS behind the default export alone.
  const { build } = library.default ?? library;
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LONGEST,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
  });
  for (const { milliseconds, count } of latencies.buckets()) {
    histogram.recordValueWithCount(Math.max(1, Math.round(milliseconds * MICROSECONDS)), count);
  }
  try {
    await Deno.writeTextFile(path, histogram.outputPercentileDistribution(TICKS, MICROSECONDS));
  } catch (error) {
    throw new ExitError(`cannot write '${path}': ${messageOf(error)}`, Exit.cannotCreate);
  }
}
