/**
 * Items for measurements of a store alone.
 *
 * @module
 */

import { type NewItem, plain } from "../lib/storage/contract.ts";

/** An item that never expires. */
export function itemOf(value: Uint8Array, flags = 0): NewItem {
  return { ...plain, value, flags };
}
