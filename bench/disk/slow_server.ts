/**
 * `kvs-server` on a disk that takes a millisecond for each read.
 *
 *     deno run -A bench/disk/slow_server.ts --data-dir DIR …
 *
 * @module
 */

import { run } from "../../lib/cli/run.ts";
import { main } from "../../lib/server/main.ts";
import { Signals } from "../../lib/server/signals.ts";
import { type DataFile, systemFiles } from "../../lib/storage/disk/fs/files.ts";

/** Milliseconds that a read takes. */
export const DELAY = 1;

/** The same file on a slower disk. Only segments are read, once the server serves. */
function slowed(file: DataFile): DataFile {
  return {
    write: (bytes, at) => file.write(bytes, at),
    writeLater: (bytes, at) => file.writeLater(bytes, at),
    read(into, at) {
      for (const end = performance.now() + DELAY; performance.now() < end;);
      return file.read(into, at);
    },
    async readLater(into, at) {
      await new Promise((resolve) => setTimeout(resolve, DELAY));
      return await file.readLater(into, at);
    },
    sync: () => file.sync(),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
    rest: () => file.rest?.(),
    keep: () => file.keep?.(),
  };
}

if (import.meta.main) {
  const signals = new Signals();
  const { open } = systemFiles;
  systemFiles.open = (path, mode) => slowed(open(path, mode));
  await run("kvs-server", (args) => main(args, signals));
}
