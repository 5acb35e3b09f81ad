/**
 * What the options say of copies.
 *
 * @module
 */

import { hostname } from "node:os";
import { sizeText } from "../../cli/option.ts";
import { checkDestination } from "../../copies/open.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { Configuration } from "../configuration.ts";

/** What a server does whose copies another has taken over. */
export const copyFences = ["stop", "serve"] as const;

/** With less, a head would wait so long for its turn that its lease might end. */
const LEAST_BANDWIDTH = 256 * 1024;

/** What the thread that copies is told. Everything can be cloned. */
export interface CopySettings {
  readonly to: string;
  readonly headAt: string | undefined;
  readonly endpoint: string | undefined;
  readonly directory: string;
  /** Milliseconds. */
  readonly interval: number;
  readonly retention: number;
  readonly lease: number;
  /** Bytes, and bytes a second. */
  readonly held: number;
  readonly bandwidth: number | undefined;
  /** Where this process runs, for a person. */
  readonly by: string;
}

type Options = Pick<
  Configuration,
  | "copyTo"
  | "copyHead"
  | "copyInterval"
  | "copyRetention"
  | "copyHeld"
  | "copyLease"
  | "copyBandwidth"
  | "gcsEndpoint"
  | "dataDir"
>;

/**
 * The settings, where there are copies.
 *
 * @throws {ExitError} 64 if a URL is none
 */
export function copySettings(options: Options): CopySettings | undefined {
  const { copyTo, copyHead, copyRetention, copyBandwidth } = options;
  if (copyTo === undefined) return undefined;
  checkDestination("--copy-to", copyTo);
  if (copyHead !== undefined) checkDestination("--copy-head", copyHead);
  return {
    to: copyTo,
    headAt: copyHead,
    endpoint: options.gcsEndpoint,
    directory: options.dataDir,
    interval: options.copyInterval,
    retention: copyRetention === 0 ? Infinity : copyRetention,
    lease: options.copyLease,
    held: options.copyHeld,
    bandwidth: copyBandwidth === 0 ? undefined : copyBandwidth,
    by: `${nameOfMachine()}:${options.dataDir}, process ${Deno.pid}`,
  };
}

/**
 * Checks options that go with others.
 *
 * @throws {ExitError} 64
 */
export function checkCopyOptions(
  { copyTo, restoreIfEmpty, copyBandwidth }: Pick<
    Configuration,
    "copyTo" | "restoreIfEmpty" | "copyBandwidth"
  >,
): void {
  if (copyBandwidth > 0 && copyBandwidth < LEAST_BANDWIDTH) {
    throw new ExitError(
      `--copy-bandwidth is 0 for no limit, or at least ${sizeText(LEAST_BANDWIDTH)} a second`,
      Exit.usage,
    );
  }
  if (copyTo !== undefined || !restoreIfEmpty) return;
  throw new ExitError("--restore-if-empty goes with --copy-to", Exit.usage);
}

function nameOfMachine(): string {
  try {
    return hostname();
  } catch {
    // Without the permission to ask for it.
    return "a machine";
  }
}
