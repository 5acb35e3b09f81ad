import { type DiskOptions, type Fsync, openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { type Files, systemFiles } from "../../../lib/storage/disk/fs/files.ts";
import { testContract } from "../contract.ts";

const single = "a data directory belongs to one server, by a lock";

function harness(fsync: Fsync, more: Partial<DiskOptions> = {}) {
  return async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-disk-" });
    const files = new RefusingFiles(more.files ?? systemFiles);
    return {
      failWrites: (fail: boolean) => files.refuses = fail,
      open: (clock: DiskOptions["clock"]) =>
        openDiskStore({
          directory,
          fsync,
          clock,
          log: () => {},
          memoryLimit: 1 << 22,
          segmentBytes: 1 << 16,
          ...more,
          files: files.files,
        }),
      [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
    };
  };
}

/** A file system whose files are not written while it refuses. */
class RefusingFiles {
  refuses = false;
  readonly files: Files;

  constructor(behind: Files) {
    this.files = {
      ...behind,
      open: (path, mode) =>
        new Proxy(behind.open(path, mode), {
          get: (file, name) => {
            if (name === "write" && this.refuses) {
              return () => {
                throw Object.assign(new Error("EIO: write"), { code: "EIO" });
              };
            }
            const member = Reflect.get(file, name);
            return typeof member === "function" ? member.bind(file) : member;
          },
        }),
    };
  }
}

testContract("disk (fsync everysec)", harness("everysec"), { single });
testContract("disk (fsync always)", harness("always"), { single });
const forgetsAccesses = "without a cache it has no memory for accesses";
testContract("disk (fsync no, no cache)", harness("no", { memoryLimit: 0 }), {
  single,
  forgetsAccesses,
});
/** A file system on which reading takes so long that the store reads asynchronously. */
const slowFiles: Files = {
  ...systemFiles,
  open: (path, mode) => {
    const file = systemFiles.open(path, mode);
    return new Proxy(file, {
      get: (target, name) => {
        if (name === "read") {
          return (into: Uint8Array, at: number) => {
            const end = performance.now() + 0.2;
            while (performance.now() < end);
            return target.read(into, at);
          };
        }
        const member = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  },
};

testContract("disk (slow reads)", harness("always", { memoryLimit: 0, files: slowFiles }), {
  single,
  forgetsAccesses,
});
testContract("disk (tiny segments)", harness("no", { segmentBytes: 512 }), { single });
