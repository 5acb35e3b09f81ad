/**
 * What the disk store costs: time a call, memory a key, starts, compaction.
 *
 *     deno task bench-disk [--parts calls,starts,compaction,cold] [--keys 1000000] …
 *
 * @module
 */

import type { Manual } from "../lib/cli/help.ts";
import { duration, integer, list, size, text } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { Exit } from "../lib/errors.ts";
import { measureCalls } from "./disk/calls.ts";
import { measureCold } from "./disk/cold.ts";
import { measureCompaction } from "./disk/compaction.ts";
import { lead } from "./disk/life.ts";
import { runProgram } from "./front.ts";
import { chosen } from "./lists.ts";
import { describeMachine, machineText } from "./machine.ts";

const PARTS = ["calls", "starts", "compaction", "cold"] as const;

const benchOptions = {
  parts: list({ flags: "--parts", default: PARTS, help: "what is measured" }),
  keys: integer({ flags: "--keys", min: 1, default: 1_000_000, help: "starts: how many keys" }),
  valueSize: integer({
    flags: "--value-size",
    min: 0,
    default: 100,
    help: "bytes of a value, but for compaction",
  }),
  compactedKeys: integer({
    flags: "--compacted-keys",
    min: 1,
    default: 400_000,
    help: "compaction: how many keys of 1,000 bytes",
  }),
  rate: integer({
    flags: "--rate",
    min: 1,
    default: 20_000,
    help: "compaction: requests a second, half of them sets",
  }),
  connections: integer({
    flags: "--connections",
    min: 1,
    default: 20,
    help: "compaction: concurrent clients",
  }),
  maxDisk: size({
    flags: "--max-disk",
    default: 0,
    help: "compaction: the server's; small segments for a short run",
  }),
  seconds: duration({ flags: "--seconds", min: 100, default: 10_000, help: "of one load" }),
  dir: text({ flags: "--dir", value: "DIR", help: "where, instead of the system's own place" }),
};

const manual: Manual = {
  usage: "deno task bench-disk [options]",
  about: "Measures the disk store on this machine.",
};

const COMPACTED_VALUE = 1000;
const COLD_CONNECTIONS = 50;
/** Gets a second, and measurements with cold ones and without. */
const COLD_RATE = 4000;
const COLD_ROUNDS = 11;

async function main(options: Values<typeof benchOptions>): Promise<number> {
  const parts = chosen("parts", options.parts, PARTS);
  const { keys, valueSize, rate, connections, maxDisk } = options;
  console.log(machineText(await describeMachine({})));
  for (const part of parts) {
    console.log(`\n${part}`);
    const directory = await Deno.makeTempDir({ prefix: "kvs-bench-", dir: options.dir });
    try {
      switch (part) {
        case "calls":
          await measureCalls(directory, valueSize);
          break;
        case "starts":
          for (
            const [what, end] of [
              ["fill", "close"],
              ["open", "close"],
              ["open", "kill"],
              ["open", "close"],
            ] as const
          ) await lead({ directory, what, end, keys, valueSize });
          break;
        case "compaction":
          await measureCompaction({
            ...{ directory, rate, connections, maxDisk },
            seconds: options.seconds / 1000,
            keys: options.compactedKeys,
            valueSize: COMPACTED_VALUE,
          });
          break;
        case "cold":
          await measureCold({
            ...{ directory, connections: COLD_CONNECTIONS, rate: COLD_RATE, rounds: COLD_ROUNDS },
            seconds: options.seconds / 1000,
          });
          break;
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
  return Exit.ok;
}

if (import.meta.main) await runProgram("bench-disk", manual, benchOptions, main);
