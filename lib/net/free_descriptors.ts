/**
 * How many descriptors the process may still open. A program may not read its own limit everywhere, so that it is
 * tried.
 *
 * @module
 */

import { isShortage } from "./shortage.ts";

/** What can be opened any number of times, and costs nothing. */
export const NOTHING = "/dev/null";

/** How many descriptors are free, counted up to `most`. */
export function freeDescriptors(most: number): number {
  const held: Deno.FsFile[] = [];
  try {
    while (held.length < most) held.push(Deno.openSync(NOTHING));
    return most;
  } catch (error) {
    // Where there is no such file nothing is known, and nothing is changed.
    return isShortage(error) ? held.length : most;
  } finally {
    for (const file of held) file.close();
  }
}
