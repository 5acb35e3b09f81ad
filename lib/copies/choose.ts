/**
 * Which moment is restored.
 *
 * @module
 */

import { Exit, ExitError } from "../errors.ts";
import type { Destination } from "./destination.ts";
import { currentNumber, type Head } from "./head.ts";
import type { CopyManifest } from "./manifest.ts";
import { momentsOf, nameOfNumber, readManifest } from "./moments.ts";
import { readHead } from "./tenure.ts";

/** A moment that can be restored. */
export interface Chosen {
  readonly head: Head;
  readonly manifest: CopyManifest;
}

/**
 * Chooses the moment.
 *
 * @param at milliseconds since 1970: the newest moment that is not later; the newest of all unless given
 * @throws {ExitError} if there is none
 */
export async function chooseMoment(
  destination: Destination,
  place: Destination,
  at?: number,
): Promise<Chosen> {
  const found = await readHead(place);
  if (found === undefined) throw noCopies(destination, place);
  const { head } = found;
  const name = at === undefined
    ? await nameOfNumber(destination, head, currentNumber(head))
    : await nameAt(destination, head, at);
  const manifest = name === undefined ? undefined : await readManifest(destination, name);
  if (manifest === undefined) {
    throw new ExitError(`${destination.url} has no whole moment yet`, Exit.data);
  }
  return { head, manifest };
}

function noCopies(destination: Destination, place: Destination): ExitError {
  const hint = destination === place ? "; where its head is elsewhere, --copy-head says where" : "";
  return new ExitError(`${place.url} has no copies${hint}`, Exit.data);
}

async function nameAt(destination: Destination, head: Head, at: number): Promise<string> {
  let chosen: string | undefined;
  let oldest: number | undefined;
  for await (const { name, time } of momentsOf(destination, head)) {
    oldest ??= time;
    if (time <= at) chosen = name;
  }
  if (chosen !== undefined) return chosen;
  throw new ExitError(
    oldest === undefined
      ? `${destination.url} has no whole moment yet`
      : `${destination.url} has no moment of ${timeText(at)} or before: the oldest is of ${
        timeText(oldest)
      }`,
    Exit.data,
  );
}

/** A time as it can be given to `--at`. */
export function timeText(time: number): string {
  return new Date(time).toISOString();
}
