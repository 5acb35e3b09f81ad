/**
 * From a command line to a command that runs.
 *
 * @module
 */

import { helpText, type Manual, topicText } from "../../cli/help.ts";
import { type Parsed, parseOptions, suggestion } from "../../cli/parse.ts";
import { print } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import { KeyError } from "../../protocol/key.ts";
import type { Client } from "../client.ts";
import { LoginError, RequestError, ServerError, UnreachableError } from "../errors.ts";
import { type Command, OWN_OPTIONS } from "./command.ts";
import { clientOptions } from "./options.ts";
import { commands } from "./table.ts";

/** What `kvs-client --help` says. */
export const clientManual: Manual = {
  usage: "kvs-client [options] COMMAND [arguments]",
  about: "Speaks to kvs, or to any memcached.",
  commands: [
    ...Object.entries(commands).map(([name, { takes, help }]) =>
      [`${name} ${takes}`.trim(), help] as const
    ),
    ["help [COMMAND]", "print this text, or what a command takes, with examples"],
  ],
  notes: `\
Exit codes: 0 done, 1 not found or not stored, 64 wrong usage, 65 a line that restore cannot read,
69 a server cannot be reached, 70 a server answered with an error, 130 interrupted.

Move a running memcached into kvs:
  kvs-client --servers old:11211 dump | kvs-client --servers new:11211 restore`,
};

/** What a command line runs with. */
interface Surroundings {
  readonly client: Client;
  readonly signal: AbortSignal;
  /** Whether it is a line of the shell. */
  readonly shell: boolean;
}

/**
 * Runs the command that a command line names. Ctrl-C ends one that runs for long in order.
 *
 * @returns the exit code.
 * @throws {ExitError} with the exit code of whatever goes wrong.
 */
export async function execute(
  parsed: Parsed<typeof clientOptions>,
  connect: (signal: AbortSignal) => Client,
): Promise<number> {
  parsed = withCommand(parsed);
  const stop = new AbortController();
  const interrupt = () => stop.abort(new ExitError("interrupted", Exit.interrupted));
  const isLong = commandOf(parsed.rest[0])?.long ?? false;
  if (isLong) Deno.addSignalListener("SIGINT", interrupt);
  try {
    using client = connect(stop.signal);
    return await executeOn(parsed, { client, signal: stop.signal, shell: false });
  } finally {
    if (isLong) Deno.removeSignalListener("SIGINT", interrupt);
  }
}

/** redis-cli's options that are commands here: `--stat` is `stat`. */
function withCommand(parsed: Parsed<typeof clientOptions>): Parsed<typeof clientOptions> {
  const { stat, latency, latencyHistory, bigkeys } = parsed.options;
  const names = [
    ...(stat ? ["stat"] : []),
    ...(latency || latencyHistory ? ["latency"] : []),
    ...(bigkeys ? ["bigkeys"] : []),
  ];
  if (names.length === 0) return parsed;
  if (names.length + parsed.rest.length > 1) {
    throw new ExitError(`--${names[0]} is a command and goes with no other`, Exit.usage);
  }
  const options = latencyHistory ? { ...parsed.options, history: true } : parsed.options;
  return { ...parsed, options, rest: names };
}

async function executeOn(
  { options, rest, given }: Parsed<typeof clientOptions>,
  { client, signal, shell }: Surroundings,
): Promise<number> {
  const [name, ...args] = rest;
  if (name === "help" || options.help) {
    await print(helpOf(name === "help" ? args[0] : name));
    return Exit.ok;
  }
  const command = namedCommand(name);
  checkUsage(name!, command, args, given);
  try {
    return await command.run({
      args,
      options,
      client,
      commands,
      signal,
      ...(shell ? {} : {
        input: () => Deno.stdin.readable,
        execute: (words, client, signal) => executeLine(words, options.json, client, signal),
      }),
    });
  } catch (error) {
    throw asExit(error);
  }
}

/**
 * What `--help` says, of a command or of all of them.
 *
 * @throws {ExitError} 64 for a command that there is not.
 */
export function helpOf(name: string | undefined): string {
  if (name === undefined) return helpText(clientManual, clientOptions);
  const { takes, help, details, examples, options } = namedCommand(name);
  return topicText({
    usage: `kvs-client ${name} ${takes}`.trimEnd(),
    about: `${help[0]!.toUpperCase()}${help.slice(1)}.${
      details === undefined ? "" : ` ${details}`
    }`,
    options: [...OWN_OPTIONS.filter((option) => options.includes(option)), "json" as const]
      .map((option) => clientOptions[option]),
    examples,
    notes: "kvs-client --help has the options of all commands, and the exit codes.",
  });
}

function commandOf(name: string | undefined): Command | undefined {
  return name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
}

function namedCommand(name: string | undefined): Command {
  const command = commandOf(name);
  if (command !== undefined) return command;
  if (name === undefined) {
    throw new ExitError(`a command is missing: ${Object.keys(commands).join(", ")}`, Exit.usage);
  }
  const near = suggestion(name, Object.keys(commands));
  throw new ExitError(`unknown command '${name}'${near}`, Exit.usage);
}

/** Runs a line of the shell, whose own options hold unless the line sets others. */
function executeLine(
  words: readonly string[],
  json: boolean,
  client: Client,
  signal: AbortSignal,
): Promise<number> {
  const parsed = parseOptions(clientOptions, words, new Map());
  if (parsed.rest[0] === "shell" || parsed.given.has("servers")) {
    throw new ExitError("the shell stays with its servers", Exit.usage);
  }
  if (parsed.given.has("protocol")) {
    throw new ExitError("the shell stays with its protocol", Exit.usage);
  }
  const options = parsed.given.has("json") ? parsed.options : { ...parsed.options, json };
  return executeOn({ ...parsed, options }, { client, signal, shell: true });
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

/** What a server says that wants a login first. */
const STRANGER = "CLIENT_ERROR unauthenticated";

/** What went wrong, with its exit code; bugs and broken pipes as they are. */
function asExit(error: unknown): unknown {
  if (error instanceof UnreachableError) return new ExitError(error.message, Exit.unavailable);
  if (error instanceof LoginError) return new ExitError(error.message, Exit.software);
  if (error instanceof ServerError || error instanceof RequestError) {
    const remedy = error.message === STRANGER ? "; --user NAME logs in" : "";
    return new ExitError(`the server answered: ${error.message}${remedy}`, Exit.software);
  }
  return error instanceof KeyError ? new ExitError(error.message, Exit.usage) : error;
}
