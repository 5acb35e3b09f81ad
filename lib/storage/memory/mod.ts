/**
 * Items in this process's memory, gone with it: memcached as it is, and the model of the contract.
 *
 * @module
 */

import type { Store } from "../contract.ts";
import { type MemoryOptions, MemoryStore } from "./store.ts";

export type { MemoryOptions } from "./store.ts";

/** Opens an empty store. */
export function openMemoryStore(options: MemoryOptions): Store {
  return new MemoryStore(options);
}
