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
  /** What it does, in a line. */
  readonly help: string;
  /** What else `help COMMAND` says, in sentences. */
  readonly details?: string;
  /** As they are typed, for `help COMMAND`. */
  readonly examples: readonly string[];
  /** It runs until it is interrupted, or for long: Ctrl-C ends it in order. */
  readonly long?: boolean;
  /** Its arguments name keys, for the shell's completion. */
  readonly keys?: boolean;
  /** It asks none of the servers, so that nobody has to log in. */
  readonly asksNobody?: boolean;
  /** Does it and returns the exit code. */
  run(call: Call): Promise<number>;
}

/** The table of commands, by their names. */
export type Commands = Readonly<Record<string, Command>>;

/** A command with what it is called with. */
export interface Call {
  readonly args: readonly string[];
  readonly options: ClientValues;
  readonly client: Client;
  /** The table, for commands about commands. */
  readonly commands: Commands;
  /** Aborts when the user interrupts the command; its reason is then what the command throws. */
  readonly signal: AbortSignal;
  /** Standard input; absent in the shell, which reads its lines there. */
  readonly input?: () => ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Runs another command line, for the shell; `undefined` for a command that the shell runs. */
  execute?(words: readonly string[], client: Client, signal: AbortSignal): Promise<number>;
}

/** The options that belong to some commands only. */
export const OWN_OPTIONS = [
  "raw",
  "flags",
  "ttl",
  "base64",
  "keep",
  "limit",
  "interval",
  "count",
  "history",
  "delimiter",
] as const;
