/** What readers of a shelf are told, and items that tell whether they are whole. */

import { bytesOf } from "../../../lib/bytes.ts";
import { type Item, plain } from "../../../lib/storage/contract.ts";

export interface ShelfTask {
  readonly memory: SharedArrayBuffer;
  /** For each key the version below which none may be read any more. */
  readonly floors: SharedArrayBuffer;
  /** Whether to stop, and how many readers have begun. */
  readonly state: SharedArrayBuffer;
  readonly keys: number;
  readonly reader: number;
}

/** What a reader has found. */
export interface Readings {
  readonly wrong: readonly string[];
  readonly hits: number;
  readonly races: number;
  readonly misses: number;
}

export function keyOf(index: number): Uint8Array {
  return bytesOf(`key ${index}`);
}

/** An item all of whose parts follow from key and version. */
export function itemOf(index: number, version: number, size: number): Item {
  const value = new Uint8Array(size).fill(byteOf(index, version));
  return {
    ...plain,
    value,
    flags: version,
    exptime: version * 3,
    cas: BigInt(version) * 5n,
    version,
  };
}

export function versionIn(item: Item): number {
  return Number(item.version);
}

/** Whether all parts of an item are of one version. */
export function isWhole(item: Item, index: number): boolean {
  const version = versionIn(item);
  const byte = byteOf(index, version);
  return item.flags === version && item.exptime === version * 3 &&
    item.cas === BigInt(version) * 5n && item.value.every((one) => one === byte);
}

function byteOf(index: number, version: number): number {
  return (index * 31 + version) & 0xff;
}
