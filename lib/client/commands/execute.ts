/**
 * From a command line to a command that runs.
 *
 * @module
 */

import { helpText, type Manual } from "../../cli/help.ts";
import { type Parsed, parseOptions, suggestion } from "../../cli/parse.ts";
import { print } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import { KeyError } from "../../protocol/key.ts";
import type { Client } from "../client.ts";
import { RequestError, ServerError, UnreachableError } from "../errors.ts";
import { type Command, OWN_OPTIONS } from "./command.ts";
import { clientOptions } from "./options.ts";
import { commands } from "./table.ts";

/** What `kvs-client --help` says. */
export const clientManual: Manual = {
  usage: "kvs-client [options] COMMAND [arguments]",
  about: "Speaks to kvs, or to any memcached.",
  commands: Object.entries(commands).map(([name, { takes, help }]) =>
    [`${name} ${takes}`, help] as const
  ),
  notes: `\
Exit codes: 0 done, 1 not found or not stored, 64 wrong usage, 65 a line that restore cannot read,
69 a server cannot be reached, 70 a server answered with an error.

Move a running memcached into kvs:
  kvs-client --servers old:11211 dump | kvs-client --servers new:11211 restore`,
};

/**
 * Runs the command that a command line names.
 *
 * @returns the exit code.
 * @throws {ExitError} with the exit code of whatever goes wrong.
 */
export async function execute(
  { options, rest, given }: Parsed<typeof clientOptions>,
  client: Client,
): Promise<number> {
  const [name, ...args] = rest;
  if (name === undefined) {
    throw new ExitError(`a command is missing: ${Object.keys(commands).join(", ")}`, Exit.usage);
  }
  if (name === "help") {
    await print(helpText(clientManual, clientOptions));
    return Exit.ok;
  }
  const command = Object.hasOwn(commands, name) ? commands[name]! : undefined;
  if (command === undefined) {
    const near = suggestion(name, Object.keys(commands));
    throw new ExitError(`unknown command '${name}'${near}`, Exit.usage);
  }
  checkUsage(name, command, args, given);
  try {
    return await command.run({
      args,
      options,
      client,
      execute: (words) => executeLine(words, options.json, client),
    });
  } catch (error) {
    throw asExit(error);
  }
}

/** Runs a line of the shell, whose own options hold unless the line gives others. */
function executeLine(words: readonly string[], json: boolean, client: Client): Promise<number> {
  const parsed = parseOptions(clientOptions, words, new Map());
  if (parsed.rest[0] === "shell" || parsed.given.has("servers")) {
    throw new ExitError("the shell stays with its servers", Exit.usage);
  }
  if (parsed.given.has("protocol")) {
    throw new ExitError("the shell stays with its protocol", Exit.usage);
  }
  const options = parsed.given.has("json") ? parsed.options : { ...parsed.options, json };
  return execute({ ...parsed, options }, client);
}

function checkUsage(
  name: string,
  command: Command,
  args: readonly string[],
  given: ReadonlySet<string>,
): void {
  const [least, most] = command.arguments;
  if (args.length < least || args.length > most) {
    const takes = command.takes === "" ? "no arguments" : command.takes;
    const received = args.length === 0 ? "nothing" : `'${args.join(" ")}'`;
    throw new ExitError(`${name} takes ${takes}, received ${received}`, Exit.usage);
  }
  for (const option of OWN_OPTIONS) {
    if (given.has(option) && !command.options.includes(option)) {
      throw new ExitError(`${name} does not take ${clientOptions[option].flags}`, Exit.usage);
    }
  }
}

/** What went wrong, with its exit code; bugs and broken pipes as they are. */
function asExit(error: unknown): unknown {
  if (error instanceof UnreachableError) return new ExitError(error.message, Exit.unavailable);
  if (error instanceof ServerError || error instanceof RequestError) {
    return new ExitError(`the server answered: ${error.message}`, Exit.software);
  }
  return error instanceof KeyError ? new ExitError(error.message, Exit.usage) : error;
}
