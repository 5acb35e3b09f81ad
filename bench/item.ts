/**
 * Items for measurements of a store alone.
 *
 * @module
 */

import type { NewItem } from "../lib/storage/store.ts";

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
