/**
 * How large an item may be, and how large it is as memcached counts it.
 *
 * @module
 */

/** What an item takes beside key and value as memcached counts it: header, cas, ends; flags. */
const ITEM_OVERHEAD = 48 + 8 + 1 + 2;
const FLAGS_OVERHEAD = 4;

/** What a request may be at most. */
export interface Limits {
  /** The greatest item in bytes, as memcached's `-I` counts it: with key and overhead. */
  readonly itemSize: number;
}

/** The size of an item in bytes as memcached counts it (`item_make_header`). Lengths in bytes. */
export function itemSize(keyLength: number, valueLength: number, flags: number): number {
  return ITEM_OVERHEAD + (flags === 0 ? 0 : FLAGS_OVERHEAD) + keyLength + valueLength;
}

/** Whether memcached's `-I` would let such an item in. Lengths in bytes. */
export function fits(
  keyLength: number,
  valueLength: number,
  flags: number,
  limits: Limits,
): boolean {
  return itemSize(keyLength, valueLength, flags) <= limits.itemSize;
}
