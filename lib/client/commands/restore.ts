/**
 * `restore`: stores what `dump` printed, or `deno task generate`.
 *
 * @module
 */

import { print } from "../../cli/terminal.ts";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import { KeyError } from "../../protocol/key.ts";
import { RELATIVE_EXPTIME } from "../client.ts";
import { RequestError, ServerError } from "../errors.ts";
import type { Call, Command } from "./command.ts";
import { type Item, readItemLine } from "./item_line.ts";
import { linesOf } from "./lines.ts";
import { Progress } from "./progress.ts";

/** How many items, and how many bytes of values, may be on their way at once. */
const WINDOW_ITEMS = 256;
const WINDOW_BYTES = 8 * 2 ** 20;

/** What became of the items. */
interface Tally {
  restored: number;
  /** Their time had come before they were restored. */
  expired: number;
  /** They were there already, with `--keep`. */
  kept: number;
  /** The server did not take them. */
  refused: number;
}

export const restore: Command = {
  takes: "[FILE]",
  arguments: [0, 1],
  options: ["keep"],
  help: "store the items of FILE or standard input, as dump prints them",
  async run(call) {
    const tally: Tally = { restored: 0, expired: 0, kept: 0, refused: 0 };
    await restoreLines(call, linesOf(await open(call.args[0])), tally);
    if (call.options.json) await print(JSON.stringify(tally) + "\n");
    else console.error(summary(tally));
    return tally.refused > 0 ? Exit.software : Exit.ok;
  },
};

async function open(path: string | undefined): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  if (path === undefined || path === "-") return Deno.stdin.readable;
  try {
    return (await Deno.open(path)).readable;
  } catch (error) {
    throw new ExitError(`restore cannot read '${path}': ${messageOf(error)}`, Exit.usage);
  }
}

async function restoreLines(
  call: Call,
  lines: AsyncIterable<string>,
  tally: Tally,
): Promise<void> {
  using progress = new Progress("restored");
  const onTheWay = new Set<Promise<void>>();
  let bytes = 0;
  let failure: unknown;
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    const now = Date.now() / 1000;
    let item: Item;
    try {
      item = readItemLine(line, Math.floor(now));
    } catch (error) {
      throw new ExitError(`restore: line ${number}: ${messageOf(error)}`, Exit.data);
    }
    if (item.expires !== 0 && item.expires <= now) {
      tally.expired++;
      continue;
    }
    bytes += item.value.length;
    const storing: Promise<void> = store(call, item, number, tally)
      .catch((error) => void (failure ??= error))
      .finally(() => {
        onTheWay.delete(storing);
        bytes -= item.value.length;
        progress.items = tally.restored;
      });
    onTheWay.add(storing);
    while (onTheWay.size >= WINDOW_ITEMS || bytes > WINDOW_BYTES) await Promise.race(onTheWay);
    if (failure !== undefined) break;
  }
  await Promise.all(onTheWay);
  if (failure !== undefined) throw failure;
}

/** Stores one item. That the server refuses it is said and counted; it ends nothing. */
async function store(
  { client, options }: Call,
  { key, value, flags, expires }: Item,
  line: number,
  tally: Tally,
): Promise<void> {
  try {
    // A time within 30 days of 1970 would be taken for one that counts from now.
    const exptime = expires === 0 ? 0 : Math.max(expires, RELATIVE_EXPTIME + 1);
    if (!options.keep) await client.set(key, value, { flags, exptime });
    else if (!await client.add(key, value, { flags, exptime })) {
      tally.kept++;
      return;
    }
    tally.restored++;
  } catch (error) {
    const refused = error instanceof ServerError || error instanceof RequestError ||
      error instanceof KeyError;
    if (!refused) throw error;
    tally.refused++;
    console.error(`restore: line ${line}: ${error.message}`);
  }
}

function summary({ restored, expired, kept, refused }: Tally): string {
  return [
    `restored ${restored} items`,
    ...(expired > 0 ? [`${expired} had expired`] : []),
    ...(kept > 0 ? [`${kept} were there already`] : []),
    ...(refused > 0 ? [`${refused} were refused`] : []),
  ].join(", ");
}
