/**
 * What a restore is measured against: all pieces of a destination are read and written to files that are
 * synced, as many at a time as a restore takes, and nothing is looked at.
 *
 *     deno run -A bench/copies/plain.ts URL ENDPOINT DIRECTORY
 *
 * @module
 */

import { openDestination } from "../../lib/copies/open.ts";
import { PIECES } from "../../lib/copies/names.ts";
import { LANES } from "../../lib/copies/restore.ts";

const [url, endpoint, directory] = Deno.args as [string, string, string];
const destination = await openDestination(url, { endpoint });
await Deno.mkdir(directory);
const names: string[] = [];
for await (const { name } of destination.list(PIECES)) names.push(name);
const queue = names.entries();
await Promise.all(Array.from({ length: LANES }, async () => {
  for (const [number, name] of queue) {
    using file = await Deno.open(`${directory}/${number}`, { write: true, createNew: true });
    for await (const block of destination.stream(name)) {
      for (let at = 0; at < block.length;) at += file.writeSync(block.subarray(at));
    }
    await file.syncData();
  }
}));
await destination.close();
Deno.exit(0);
