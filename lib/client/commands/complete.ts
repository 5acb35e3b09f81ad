/**
 * What Tab offers in the shell: commands, their options, and keys.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { type Commands, OWN_OPTIONS } from "./command.ts";
import { lineOf } from "./keys.ts";
import { clientOptions } from "./options.ts";

/** How many keys are looked through, and how many are offered. */
const MOST_LISTED = 10_000;
const MOST_OFFERED = 100;
/** A listing is used again for so long, in milliseconds. */
const LISTING_AGE = 5000;
/** How long Tab waits for the servers, in milliseconds. */
const LISTING_TIME = 1000;

/** What could stand in the place of the word at the end of a line, and that word. */
export type Completions = [offered: string[], word: string];

/** Completes lines by the table of commands and by the keys of `client()`. */
export function completer(
  client: () => Client,
  commands: Commands,
): (line: string) => Promise<Completions> {
  let listing: { readonly at: number; readonly keys: Promise<string[]> } | undefined;
  const keys = (): Promise<string[]> => {
    const now = performance.now();
    if (listing === undefined || now - listing.at > LISTING_AGE) {
      listing = { at: now, keys: listKeys(client()).catch(() => []) };
    }
    return listing.keys;
  };
  return async (line) => {
    const word = /\S*$/.exec(line)![0];
    const [name, ...before] = line.slice(0, line.length - word.length).split(/\s+/)
      .filter((part) => part !== "");
    const offer = (words: readonly string[]): Completions => [
      words.filter((each) => each.startsWith(word)).slice(0, MOST_OFFERED),
      word,
    ];
    if (name === undefined) return offer([...Object.keys(commands), "help", "exit"].sort());
    if (name === "help") return offer(Object.keys(commands));
    const command = Object.hasOwn(commands, name) ? commands[name]! : undefined;
    if (command === undefined) return [[], word];
    if (word.startsWith("-")) return offer(optionsOf(command.options));
    const many = command.arguments[1] > 1 && command.takes.includes("…");
    return command.keys && (before.length === 0 || many) ? offer(await keys()) : [[], word];
  };
}

/** The long names of the options of a command in the shell. */
function optionsOf(own: readonly string[]): string[] {
  return [...OWN_OPTIONS.filter((option) => own.includes(option)), "json" as const, "help" as const]
    .map((key) => clientOptions[key].flags.split(", ").at(-1)!);
}

/** Keys that can be typed; those of a server that lists none, or is slow, are left out. */
async function listKeys(client: Client): Promise<string[]> {
  const found: string[] = [];
  const late = AbortSignal.timeout(LISTING_TIME);
  for (const server of client.until(late).single()) {
    for await (const entries of server.keys()) {
      for (const { key } of entries) {
        const text = lineOf(key);
        if (text !== undefined && !/[\s'"\\]/.test(text)) found.push(text);
      }
      if (found.length >= MOST_LISTED) return found.sort();
    }
  }
  return found.sort();
}
