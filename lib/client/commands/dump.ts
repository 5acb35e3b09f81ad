/**
 * `dump`: all items as lines of JSON. With `restore` behind it, it moves a running memcached.
 *
 * @module
 */

import { binaryString } from "../../bytes.ts";
import { print } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import type { Value } from "../../protocol/client_dialect.ts";
import { isTextKey } from "../../protocol/key.ts";
import type { Client } from "../client.ts";
import { RequestError } from "../errors.ts";
import type { KeyEntry } from "../keys.ts";
import type { Command } from "./command.ts";
import { bytesField, itemLine } from "./item_line.ts";
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
    let code: number = Exit.ok;
    const unreadable = (key: Uint8Array, why: string) => {
      console.error(`dump: cannot read ${JSON.stringify(bytesField("key", key))}: ${why}`);
      code = Exit.software;
    };
    // Each server by itself: what another client has stored there may not be where ketama puts it.
    for (const server of client.single()) {
      using _ = server;
      for await (const entries of server.keys()) {
        for (let i = 0; i < entries.length; i += BATCH) {
          const lines = await dumpBatch(server, entries.slice(i, i + BATCH), unreadable);
          if (lines.length > 0) await print(lines.join("\n") + "\n");
          progress.items += lines.length;
        }
      }
    }
    console.error(`dumped ${progress.items} items`);
    return code;
  },
};

/** The lines of those items that are still there. */
async function dumpBatch(
  server: Client,
  entries: readonly KeyEntry[],
  unreadable: (key: Uint8Array, why: string) => void,
): Promise<string[]> {
  const found = await readItems(server, entries.map(({ key }) => key), unreadable);
  const lines: string[] = [];
  for (const { key, expires } of entries) {
    const item = found.get(binaryString(key));
    if (item === undefined) continue;
    lines.push(itemLine({ key, value: item.value, flags: item.flags, expires }));
  }
  return lines;
}

/** A server that does not know meta commands can still be asked for what text can name. */
async function readItems(
  server: Client,
  keys: readonly Uint8Array[],
  unreadable: (key: Uint8Array, why: string) => void,
): Promise<Map<string, Value>> {
  try {
    return await server.getMany(keys);
  } catch (error) {
    const unnamed = keys.filter((key) => !isTextKey(key));
    if (!(error instanceof RequestError) || unnamed.length === 0) throw error;
    for (const key of unnamed) unreadable(key, error.message);
    return await server.getMany(keys.filter(isTextKey));
  }
}
