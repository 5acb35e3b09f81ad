/**
 * Where an item's attributes lie in shared memory: in the frames between workers and owner, and in the records of
 * the shelf.
 *
 * @module
 */

import type { Attributes } from "../contract.ts";

/**
 * The fields behind their first word, which begins a unit of 8 bytes: `flags` and `accessed` counted in words of
 * 32 bits, the others in units.
 *
 * | words | what                     |
 * | ----- | ------------------------ |
 * | 0, 1  | flags, accessed          |
 * | 2     | exptime, a double        |
 * | 4     | cas unique, 64 bits      |
 * | 6     | version, a double        |
 */
export const Field = { flags: 0, accessed: 1, exptime: 1, cas: 2, version: 3 } as const;

/** Words that they take. */
export const FIELD_WORDS = 8;

/** The attributes of an item that are yes or no. */
export const Mark = { stale: 1, won: 2, fetched: 4, binaryKey: 8 } as const;

/** The marks of an item as bits. */
export function marksOf(item: Attributes): number {
  return (item.stale ? Mark.stale : 0) | (item.won ? Mark.won : 0) |
    (item.fetched ? Mark.fetched : 0) | (item.binaryKey ? Mark.binaryKey : 0);
}
