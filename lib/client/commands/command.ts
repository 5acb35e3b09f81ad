/**
 * What a command of kvs-client is.
 *
 * @module
 */

import type { Client } from "../client.ts";
import type { clientOptions, ClientValues } from "./options.ts";

/** One row of the table of commands. */
export interface Command {
  /** Its arguments, as the help shows them: `"KEY VALUE"`. */
  readonly takes: string;
  /** How many arguments it has at least and at most. */
  readonly arguments: readonly [least: number, most: number];
  /** The options of its own that it takes. */
  readonly options: readonly (keyof typeof clientOptions)[];
  readonly help: string;
  /** Does it and gives the exit code. */
  run(call: Call): Promise<number>;
}

/** A command with what it is called with. */
export interface Call {
  readonly args: readonly string[];
  readonly options: ClientValues;
  readonly client: Client;
  /** Runs another command line on the same client: the shell's lines. */
  execute(words: readonly string[]): Promise<number>;
}

/** The options that belong to some commands only. */
export const OWN_OPTIONS = ["raw", "flags", "ttl", "base64", "keep"] as const;
