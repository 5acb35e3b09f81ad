import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { type DiskOptions, type Fsync } from "../../../lib/storage/disk/mod.ts";
import { testContract } from "../contract.ts";

const single = "a data directory belongs to one server, by a lock";

function harness(fsync: Fsync, more: Partial<DiskOptions> = {}) {
  return async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-disk-" });
    return {
      open: (clock: DiskOptions["clock"]) =>
        openDiskStore({
          directory,
          fsync,
          clock,
          log: () => {},
          memoryLimit: 1 << 22,
          segmentBytes: 1 << 16,
          ...more,
        }),
      [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
    };
  };
}

testContract("disk (fsync everysec)", harness("everysec"), { single });
testContract("disk (fsync always)", harness("always"), { single });
testContract("disk (fsync no, no cache)", harness("no", { memoryLimit: 0 }), { single });
testContract("disk (tiny segments)", harness("no", { segmentBytes: 512 }), { single });
