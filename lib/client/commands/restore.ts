/**
 * `restore`: stores what `dump` printed, or `deno task generate`.
 *
 * @module
 */

import { complain, print } from "../../cli/terminal.ts";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import { exptimeAt } from "../../exptime.ts";
import { orAborted } from "../../or_aborted.ts";
import { KeyError } from "../../protocol/key.ts";
import { RequestError, ServerError } from "../errors.ts";
import type { Call, Command } from "./command.ts";
import { asExit, isShutOut } from "./failure.ts";
import { type Item, readItemLine } from "./item_line.ts";
import { linesOf } from "./lines.ts";
import { counted } from "../../counted.ts";
import { Progress } from "./progress.ts";

/** How many items, and how many bytes of values, may be in flight. */
const WINDOW_ITEMS = 256;
const WINDOW_BYTES = 8 * 2 ** 20;

/** How many different refusals are told apart. */
const MOST_REFUSALS = 20;

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

/** Why items were refused: each reason once, with its first line and how often it came. */
type Refusals = Map<string, { readonly line: number; count: number }>;

export const restore: Command = {
  takes: "[FILE]",
  arguments: [0, 1],
  options: ["keep"],
  help: "store the items of FILE or standard input, as dump prints them",
  details:
    "It ends at the first line that it cannot read, when all before it are stored, and says " +
    "which line that is. Items that the server refuses are counted; the rest is stored.",
  examples: ["kvs-client restore items.ndjson", "zcat items.gz | kvs-client restore --keep"],
  long: true,
  async run(call) {
    const lines = linesOf(await open(call));
    const restoring = new Restoring(call);
    try {
      await restoring.run(lines);
    } finally {
      await restoring.report();
    }
    return restoring.tally.refused > 0 ? Exit.software : Exit.ok;
  },
};

async function open({ args, input }: Call): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const [path = "-"] = args;
  if (path === "-") {
    if (input !== undefined) return input();
    throw new ExitError("restore takes a FILE here: the shell has standard input", Exit.usage);
  }
  try {
    return (await Deno.open(path)).readable;
  } catch (error) {
    throw new ExitError(`restore cannot read '${path}': ${messageOf(error)}`, Exit.usage);
  }
}

/** One run of the command. */
class Restoring {
  readonly tally: Tally = { restored: 0, expired: 0, kept: 0, refused: 0 };
  readonly #call: Call;
  readonly #progress = new Progress("restored");
  readonly #refusals: Refusals = new Map();
  /** What is on its way, by its line. */
  readonly #onTheWay = new Map<number, Promise<void>>();
  #bytes = 0;
  /** What ended it, and at which line. */
  #failure: { readonly line: number; readonly error: unknown } | undefined;

  constructor(call: Call) {
    this.#call = call;
  }

  /** @throws {ExitError} that names the line, once all before it is settled. */
  async run(lines: AsyncGenerator<string>): Promise<void> {
    using _progress = this.#progress;
    const { signal } = this.#call;
    let number = 0;
    while (this.#failure === undefined) {
      number++;
      try {
        const { done, value: line } = await orAborted(lines.next(), signal);
        if (done) break;
        if (line.trim() !== "") await this.#take(line, number);
      } catch (error) {
        this.#fail(number, error);
      }
    }
    await Promise.all(this.#onTheWay.values());
    if (this.#failure === undefined) return;
    const { line, error } = this.#failure;
    const exit = asExit(error);
    const code = exit instanceof ExitError ? exit.code : Exit.data;
    throw new ExitError(`restore: line ${line}: ${messageOf(exit)}`, code);
  }

  async report(): Promise<void> {
    for (const [reason, { line, count }] of this.#refusals) {
      complain(
        count === 1
          ? `restore: line ${line}: ${reason}`
          : `restore: line ${line} and ${count - 1} more: ${reason}`,
      );
    }
    if (this.#call.options.json) await print(JSON.stringify(this.tally) + "\n");
    else complain(summary(this.tally));
  }

  /** Sends an item, and waits while too much is on its way. */
  async #take(line: string, number: number): Promise<void> {
    const now = Date.now() / 1000;
    const item = readItemLine(line, Math.floor(now));
    if (item.expires !== 0 && item.expires <= now) {
      this.tally.expired++;
      return;
    }
    const { length } = item.value;
    this.#bytes += length;
    const storing = this.#store(item, number)
      .catch((error) => this.#fail(number, error))
      .finally(() => {
        this.#onTheWay.delete(number);
        this.#bytes -= length;
      });
    this.#onTheWay.set(number, storing);
    while (this.#onTheWay.size >= WINDOW_ITEMS || this.#bytes > WINDOW_BYTES) {
      await Promise.race(this.#onTheWay.values());
    }
  }

  /** Stores one item. That the server refuses it is counted; it ends nothing. */
  async #store({ key, value, flags, expires }: Item, line: number): Promise<void> {
    const { client, options } = this.#call;
    try {
      const exptime = exptimeAt(expires);
      if (!options.keep) await client.set(key, value, { flags, exptime });
      else if (!await client.add(key, value, { flags, exptime })) {
        this.tally.kept++;
        return;
      }
      this.#progress.items = ++this.tally.restored;
    } catch (error) {
      const refused = error instanceof ServerError || error instanceof RequestError ||
        error instanceof KeyError;
      // To whom nothing is allowed, each item would be a login that fails.
      if (!refused || isShutOut(error)) throw error;
      this.tally.refused++;
      this.#refuse(error.message, line);
    }
  }

  #refuse(message: string, line: number): void {
    const refusals = this.#refusals;
    const reason = refusals.size < MOST_REFUSALS ? message : "other reasons";
    const known = refusals.get(reason);
    if (known === undefined) refusals.set(reason, { line, count: 1 });
    else known.count++;
  }

  /** Keeps the first line that failed. */
  #fail(line: number, error: unknown): void {
    if (this.#failure === undefined || line < this.#failure.line) this.#failure = { line, error };
  }
}

function summary({ restored, expired, kept, refused }: Tally): string {
  return [
    `restored ${counted(restored, "item")}`,
    ...(expired > 0 ? [`${expired} had expired`] : []),
    ...(kept > 0 ? [`${kept} were there already`] : []),
    ...(refused > 0 ? [`${refused} were refused`] : []),
  ].join(", ");
}
