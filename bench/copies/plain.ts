/**
 * What a restore is measured against: all pieces of a destination are read and written to files that are
 * synced, as many at a time as a restore takes, and nothing is looked at.
 *
 *     deno run -A bench/copies/plain.ts DIRECTORY URL [ENDPOINT]
 *
 * @module
 */

import { systemFiles } from "../../lib/copies/disk_files.ts";
import { PIECES } from "../../lib/copies/names.ts";
import { openDestination } from "../../lib/copies/open.ts";
import { LANES } from "../../lib/copies/restore.ts";
import { SyncedFile } from "../../lib/copies/synced_file.ts";

const [directory, url, endpoint] = Deno.args as [string, string, string | undefined];
const destination = await openDestination(url, { endpoint });
await Deno.mkdir(directory);
const names: string[] = [];
for await (const { name } of destination.list(PIECES)) names.push(name);
const queue = names.entries();
await Promise.all(Array.from({ length: LANES }, async () => {
  for (const [number, name] of queue) {
    const file = new SyncedFile(systemFiles.open(`${directory}/${number}`, "create"));
    let at = 0;
    for await (const block of destination.stream(name)) {
      file.write(block, at);
      at += block.length;
    }
    await file.sync();
    await file.close();
  }
}));
await destination.close();
Deno.exit(0);
