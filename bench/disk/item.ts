/**
 * Keys and items for measurements of the disk store alone.
 *
 * @module
 */

import type { NewItem } from "../../lib/storage/store.ts";

const key = new TextEncoder().encode("key:0000000000000000");

/** The key of a number, 20 bytes, in memory that the next call writes over. */
export function keyOf(i: number): Uint8Array {
  for (let at = 19; at > 3; at--) {
    key[at] = 48 + i % 10;
    i = Math.floor(i / 10);
  }
  return key;
}

/** An item that never expires. */
export function itemOf(value: Uint8Array, flags = 0): NewItem {
  return {
    value,
    flags,
    exptime: 0,
    cas: 0n,
    stale: false,
    won: false,
    fetched: false,
    accessed: 0,
  };
}

/** Resident memory of this process in bytes. */
export function resident(): number {
  const pages = Number(Deno.readTextFileSync("/proc/self/statm").split(" ")[1]);
  return pages * 4096;
}

/** A line of what was found: what it is, and the figure with its unit. */
export function printRow(name: string, figure: string): void {
  console.log(`${name.padEnd(46)} ${figure}`);
}
