/**
 * What the main thread and the one that copies ask each other.
 *
 * @module
 */

import type { CopyReport } from "../../copies/copying.ts";
import type { LogLevel } from "../../log_level.ts";
import type { Moment } from "../../storage/moment.ts";
import type { CopySettings } from "./settings.ts";

/**
 * A moment whose segments are three numbers each, with -1 for no checksum: of tens of thousands of arrays to
 * clone a request would notice something.
 */
export interface PackedMoment extends Omit<Moment, "segments"> {
  readonly segments: Float64Array;
}

export function packMoment(moment: Moment): PackedMoment {
  const segments = new Float64Array(moment.segments.length * 3);
  let at = 0;
  for (const [id, length, crc = -1] of moment.segments) {
    segments[at++] = id;
    segments[at++] = length;
    segments[at++] = crc;
  }
  return { ...moment, segments };
}

export function unpackMoment({ segments: packed, ...moment }: PackedMoment): Moment {
  const segments = Array.from({ length: packed.length / 3 }, (_, i) => {
    const [id, length, crc] = packed.subarray(i * 3, i * 3 + 3);
    return [id!, length!, crc === -1 ? undefined : crc] as const;
  });
  return { ...moment, segments };
}

/** What the main thread asks. */
export interface CopyCalls {
  begin(settings: CopySettings): void;
  /** Takes over and restores, if the directory is empty; what was restored, in a sentence. @throws {ExitError} */
  restore(_: undefined): Promise<string | undefined>;
  /** Copies from now on. */
  copy(_: undefined): void;
  /** Copies what was acknowledged last, and ends. */
  stop(_: undefined): Promise<void>;
}

/** What the thread that copies asks. */
export interface StoreCalls {
  moment(whole: boolean): Promise<PackedMoment>;
  report(report: CopyReport): void;
  say(said: { readonly line: string; readonly level: LogLevel }): void;
}
