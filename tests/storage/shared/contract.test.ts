import { type DiskOptions, openDiskStore } from "../../../lib/storage/disk/mod.ts";
import type { Listed, Store } from "../../../lib/storage/contract.ts";
import { openMemoryStore } from "../../../lib/storage/memory/mod.ts";
import { testContract } from "../contract.ts";
import { between, type Sizes } from "./one_thread.ts";
import { toldStore } from "./told_store.ts";

const certain = "what the owner has answered is committed";

function disk(
  fsync: DiskOptions["fsync"],
  sizes: Sizes = {},
  way: (store: Store) => Store = (store) => store,
) {
  return async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-shared-" });
    return {
      open: async (clock: DiskOptions["clock"]) => {
        const told: { evicted?: (item: Listed) => void } = {};
        const behind = await openDiskStore({
          directory,
          fsync,
          clock,
          log: () => {},
          memoryLimit: 1 << 22,
          segmentBytes: 1 << 16,
          onEvicted: (item) => told.evicted?.(item),
        });
        const { store, owner } = between(behind, clock, sizes);
        told.evicted = (item) => owner.evicted(item);
        return way(store);
      },
      [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
    };
  };
}

function memory(sizes: Sizes = {}, way: (store: Store) => Store = (store) => store) {
  return () => ({
    open: (clock: DiskOptions["clock"]) => {
      const options = { clock, log: () => {}, limit: 1 << 26, evict: true };
      return Promise.resolve(way(between(openMemoryStore(options), clock, sizes).store));
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

const single = "a data directory belongs to one server, by a lock";
testContract("shared disk (everysec)", disk("everysec"), { single, certain });
testContract("shared disk (always)", disk("always"), { single, certain });
testContract("shared disk (no shelf, tiny rings)", disk("no", { shelf: 0, ring: 1 << 10 }), {
  single,
  certain,
});
testContract("shared disk (always, waiters)", disk("always", {}, toldStore), { single, certain });
testContract("shared memory", memory(), {
  single: "its items are its process's",
  forgets: "it is memory",
  certain,
});
testContract("shared memory (no shelf, waiters)", memory({ shelf: 0 }, toldStore), {
  single: "its items are its process's",
  forgets: "it is memory",
  certain,
});
testContract("shared memory (tiny rings)", memory({ ring: 1 << 10, shelf: 1 << 18 }), {
  single: "its items are its process's",
  forgets: "it is memory",
  certain,
});
