/**
 * The manifests of a destination.
 *
 * @module
 */

import { type Destination, DestinationError } from "./destination.ts";
import { counts, type Head } from "./head.ts";
import { type CopyManifest, decodeManifest } from "./manifest.ts";
import { type ManifestName, MANIFESTS, readManifestName } from "./names.ts";

/** A manifest as a listing tells it. */
export interface ListedManifest extends ManifestName {
  readonly generation: string;
}

/** All manifests behind a name, in order of their numbers; those that do not count too. */
export async function* listManifests(
  destination: Destination,
  after?: string,
): AsyncIterable<ListedManifest> {
  for await (const { name, generation } of destination.list(MANIFESTS, after)) {
    const read = readManifestName(name);
    if (read !== undefined) yield { ...read, generation };
  }
}

/** The manifests that count, in order of their numbers. */
export async function* momentsOf(
  destination: Destination,
  head: Head,
): AsyncIterable<ListedManifest> {
  for await (const manifest of listManifests(destination)) {
    if (counts(head, manifest)) yield manifest;
  }
}

/** The name of the manifest that counts with this number; `undefined` where it is not there. */
export async function nameOfNumber(
  destination: Destination,
  head: Head,
  number: number,
): Promise<string | undefined> {
  const prefix = `${MANIFESTS}${String(number).padStart(12, "0")}-`;
  for await (const { name } of destination.list(prefix)) {
    const read = readManifestName(name);
    if (read !== undefined && counts(head, read)) return name;
  }
}

/**
 * Reads a manifest; `undefined` where it is not there.
 *
 * @throws {DestinationError} if it is damaged, or of another format
 */
export async function readManifest(
  destination: Destination,
  name: string,
): Promise<CopyManifest | undefined> {
  const found = await destination.read(name);
  if (found === undefined) return undefined;
  const manifest = decodeManifest(found.bytes);
  if (manifest === undefined) {
    throw new DestinationError(`'${name}' in ${destination.url} is damaged`, false);
  }
  if (!("hashKey" in manifest)) {
    throw new DestinationError(
      `'${name}' in ${destination.url} is of format ${manifest.format}, which this version does not read`,
      false,
    );
  }
  return manifest;
}
