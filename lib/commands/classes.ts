/**
 * Slab classes: kvs has none, and says of all its items that they are in class 1, for the tools that list
 * keys class by class.
 *
 * @module
 */

import { CLASS } from "../observe/figures/items.ts";

export { CLASS };
/** memcached has slab classes up to this one. */
export const MAX_CLASS = 63;

/**
 * Whether the class of kvs's items is among the classes that a command names: `all`, `hash`, or numbers
 * with commas between them. `undefined` where one of them is no class.
 */
export function listSlabClass(words: string): boolean | undefined {
  if (words === "all" || words === "hash") return true;
  let chosen = false;
  for (const word of words.split(",").filter((word) => word !== "")) {
    const id = /^\d{1,10}$/.test(word) ? Number(word) : NaN;
    if (!(id >= 1 && id <= MAX_CLASS)) return undefined;
    chosen ||= id === CLASS;
  }
  return chosen;
}
