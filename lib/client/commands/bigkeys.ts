/**
 * `bigkeys`: where the bytes are, by the prefixes of keys.
 *
 * @module
 */

import { binaryString, bytesOf, bytesOfBinaryString } from "../../bytes.ts";
import { complain, print, quoted } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import { ServerError } from "../errors.ts";
import type { Command } from "./command.ts";
import { eachServer } from "./each_server.ts";
import { bytesField } from "./item_line.ts";
import { lineOf } from "./keys.ts";

/** So many prefixes are told apart; all others are one. */
const MOST_PREFIXES = 100_000;
const SHOWN = 20;

interface Share {
  items: number;
  bytes: number;
  largest: string;
  largestBytes: number;
}

export const bigkeys: Command = {
  takes: "",
  arguments: [0, 0],
  options: ["limit", "delimiter"],
  help: "print which prefixes of keys take the most bytes, and the largest item of each",
  details: "Sizes are those of the servers' listings: key, value and overhead.",
  examples: ["kvs-client bigkeys --limit 10", "kvs-client --bigkeys --delimiter /"],
  long: true,
  async run({ client, options, signal }) {
    const delimiter = binaryString(bytesOf(options.delimiter));
    const shares = new Map<string, Share>();
    const code = await eachServer("bigkeys", client, async (server) => {
      for await (const entries of server.keys()) {
        signal.throwIfAborted();
        for (const { key, size } of entries) count(shares, binaryString(key), size, delimiter);
      }
    }).catch((error) => {
      // What could be listed is worth its table.
      if (!(error instanceof ServerError)) throw error;
      complain(`bigkeys: ${error.message}`);
      return Exit.software;
    });
    const top = [...shares].sort(([, a], [, b]) => b.bytes - a.bytes)
      .slice(0, options.limit ?? SHOWN);
    if (options.json) {
      for (const [prefix, { items, bytes, largest, largestBytes }] of top) {
        const fields = bytesField("prefix", bytesOfBinaryString(prefix));
        const key = bytesField("largest", bytesOfBinaryString(largest));
        await print(JSON.stringify({ ...fields, items, bytes, ...key, largestBytes }) + "\n");
      }
      return code;
    }
    const head = `${"bytes".padStart(16)}${"items".padStart(14)}  prefix, and its largest item\n`;
    await print(head + top.map(row).join(""));
    return code;
  },
};

function count(shares: Map<string, Share>, key: string, size: number, delimiter: string): void {
  const end = key.indexOf(delimiter);
  const own = end < 0 ? "" : key.slice(0, end + delimiter.length);
  const prefix = shares.has(own) || shares.size < MOST_PREFIXES ? own : "";
  const share = shares.getOrInsertComputed(
    prefix,
    () => ({ items: 0, bytes: 0, largest: "", largestBytes: -1 }),
  );
  share.items++;
  share.bytes += size;
  if (size <= share.largestBytes) return;
  share.largest = key;
  share.largestBytes = size;
}

function row([prefix, { items, bytes, largest, largestBytes }]: [string, Share]): string {
  const name = prefix === "" ? "(none)" : text(prefix);
  return `${bytes.toLocaleString("en").padStart(16)}${items.toLocaleString("en").padStart(14)}  ` +
    `${name}  ${text(largest)} (${largestBytes.toLocaleString("en")})\n`;
}

function text(key: string): string {
  const bytes = bytesOfBinaryString(key);
  return lineOf(bytes) ?? quoted(bytes);
}
