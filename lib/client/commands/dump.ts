/**
 * `dump`: all items as lines of JSON. With `restore` behind it, it moves a running memcached.
 *
 * @module
 */

import { binaryString, ByteBuffer, bytesOf } from "../../bytes.ts";
import { complain, print } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import type { Value } from "../../protocol/client_dialect.ts";
import { isTextKey } from "../../protocol/key.ts";
import type { Client } from "../client.ts";
import { RequestError } from "../errors.ts";
import type { KeyEntry } from "../keys.ts";
import type { Command } from "./command.ts";
import { eachServer } from "./each_server.ts";
import { bytesField, itemLine } from "./item_line.ts";
import { counted } from "../../counted.ts";
import { Progress } from "./progress.ts";

/** How many items, and how many bytes of them, one request asks for. */
const BATCH_ITEMS = 50;
const BATCH_BYTES = 4 * 2 ** 20;

/** Lines are printed when so many bytes have gathered. */
const PRINTED = 256 * 1024;

export const dump: Command = {
  takes: "",
  arguments: [0, 0],
  options: [],
  help: "print all items, flags and times of expiry included, as one line of JSON each",
  examples: ["kvs-client dump | gzip >items.gz"],
  long: true,
  async run({ client, signal }) {
    using progress = new Progress("listed", { prints: true });
    let dumped = 0;
    let code: number = Exit.ok;
    const unreadable = (key: Uint8Array, why: string) => {
      complain(`dump: cannot read ${JSON.stringify(bytesField("key", key))}: ${why}`);
      code = Exit.software;
    };
    const tell = () => {
      progress[Symbol.dispose]();
      complain(`dumped ${counted(dumped, "item")}`);
    };
    // Each server by itself: what another client has stored there may not be where ketama puts it.
    let failed: number;
    try {
      failed = await eachServer("dump", client, async (server) => {
        progress.verb = "listed";
        progress.items = 0;
        const listed = (count: number) => progress.items += count;
        for await (const entries of server.keys({ listed })) {
          if (progress.verb === "listed") {
            progress.verb = "dumped";
            progress.items = dumped;
          }
          for (const batch of batchesOf(entries)) {
            signal.throwIfAborted();
            dumped += await dumpBatch(server, batch, unreadable);
            progress.items = dumped;
          }
        }
      });
    } catch (error) {
      if (dumped > 0) tell();
      throw error;
    }
    tell();
    return failed === Exit.ok ? code : failed;
  },
};

/** Cuts a listing into parts that fit in memory: a large item is one of its own. */
function* batchesOf(entries: readonly KeyEntry[]): Generator<readonly KeyEntry[]> {
  let batch: KeyEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (batch.length === BATCH_ITEMS || batch.length > 0 && bytes + entry.size > BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += entry.size;
  }
  if (batch.length > 0) yield batch;
}

/** Prints those items that are still there; returns how many. */
async function dumpBatch(
  server: Client,
  entries: readonly KeyEntry[],
  unreadable: (key: Uint8Array, why: string) => void,
): Promise<number> {
  const found = await readItems(server, entries.map(({ key }) => key), unreadable);
  const out = new ByteBuffer(PRINTED);
  let count = 0;
  for (const { key, expires } of entries) {
    const item = found.get(binaryString(key));
    if (item === undefined) continue;
    const line = itemLine({ key, value: item.value, flags: item.flags, expires });
    if (line === undefined) {
      unreadable(key, `a value of ${item.value.length} bytes does not fit in a line`);
      continue;
    }
    count++;
    out.append(bytesOf(line));
    out.byte(0x0a);
    if (out.length < PRINTED) continue;
    await print(out.view());
    out.clear(PRINTED);
  }
  if (out.length > 0) await print(out.view());
  return count;
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
