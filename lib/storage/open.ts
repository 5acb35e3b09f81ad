/**
 * `--store NAME` to a store. The only place that knows the drivers; each is loaded when it is asked
 * for, so that a server on disk needs no npm package.
 *
 * @module
 */

import type { Store, StoreOptions } from "./store.ts";

/** The stores there are. */
export const storeNames = ["disk", "gcs", "redis", "memory"] as const;

/** The options of all stores, as the command line gives them. */
export interface StoreChoice extends StoreOptions {
  readonly store: typeof storeNames[number];
  /** Bytes of memory for values: the cache of the disk store, the limit of the memory store. */
  readonly memory: number;
  /** Whether a full store makes room by throwing out old items, instead of refusing new ones. */
  readonly evict: boolean;
}

/** Opens the store of that name. */
export async function openStore(choice: StoreChoice): Promise<Store> {
  const { clock, log, memory } = choice;
  switch (choice.store) {
    case "memory": {
      const { openMemoryStore } = await import("./memory.ts");
      return openMemoryStore({ clock, log, limit: memory, evict: choice.evict });
    }
    default:
      throw new Error("not yet");
  }
}
