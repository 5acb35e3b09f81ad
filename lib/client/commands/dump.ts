/**
 * `dump`: all items as lines of JSON. With `restore` behind it, it moves a running memcached.
 *
 * @module
 */

import { binaryString } from "../../bytes.ts";
import { print } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import { isTextKey } from "../../protocol/request.ts";
import type { Client } from "../client.ts";
import type { KeyEntry } from "../keys.ts";
import type { Command } from "./command.ts";
import { itemLine } from "./item_line.ts";
import { Progress } from "./progress.ts";

/** How many items are asked for at once: with values of 1 MiB they are all in memory. */
const BATCH = 50;

export const dump: Command = {
  takes: "",
  arguments: [0, 0],
  options: [],
  help: "print all items, flags and times of expiry included, as one line of JSON each",
  async run({ client }) {
    using progress = new Progress("dumped");
    // Each server by itself: what another client has stored there may not be where ketama puts it.
    for (const server of client.single()) {
      using _ = server;
      for await (const entries of server.keys()) {
        for (let i = 0; i < entries.length; i += BATCH) {
          const lines = await dumpBatch(server, entries.slice(i, i + BATCH));
          if (lines.length > 0) await print(lines.join("\n") + "\n");
          progress.items += lines.length;
        }
      }
    }
    console.error(`dumped ${progress.items} items`);
    return Exit.ok;
  },
};

/** The lines of those items that are still there. */
async function dumpBatch(server: Client, entries: readonly KeyEntry[]): Promise<string[]> {
  const found = await server.getMany(entries.map(({ key }) => key).filter(isTextKey));
  const lines: string[] = [];
  for (const { key, expires } of entries) {
    const item = isTextKey(key) ? found.get(binaryString(key)) : await server.getBinary(key);
    if (item === undefined) continue;
    lines.push(itemLine({ key, value: item.value, flags: item.flags, expires }));
  }
  return lines;
}
