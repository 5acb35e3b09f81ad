/**
 * From a URL to a destination. The only place that knows them all.
 *
 * @module
 */

import { Exit, ExitError } from "../errors.ts";
import type { Destination, DestinationOptions } from "./destination.ts";

/**
 * Opens a destination.
 *
 * @throws {ExitError} 64 if it is none
 * @throws {DestinationError} if it cannot be used
 */
export async function openDestination(
  url: string,
  options: DestinationOptions = {},
): Promise<Destination> {
  checkDestination("the destination", url);
  if (url.startsWith("file:")) {
    const { openFileDestination } = await import("./file_destination.ts");
    return await openFileDestination(url, options);
  }
  const { openBucketDestination } = await import("./bucket_destination.ts");
  return await openBucketDestination(url, options);
}

/**
 * Whether a URL is one of a destination.
 *
 * @param option what it was given by
 * @throws {ExitError} 64 if it is not
 */
export function checkDestination(option: string, url: string): void {
  if (/^gs:\/\/[^/]+(\/.*)?$/.test(url) || /^file:\/\/\/./.test(url)) return;
  throw new ExitError(
    `${option} is gs://BUCKET/PREFIX or file:///PATH, and not '${url}'`,
    Exit.usage,
  );
}
