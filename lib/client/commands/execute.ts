/**
 * From a command line to a command that runs.
 *
 * @module
 */

import { helpText, type Manual, topicText } from "../../cli/help.ts";
import { type Parsed, parseOptions, suggestion } from "../../cli/parse.ts";
import { isTerminal, print } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { Client } from "../client.ts";
import { type Command, OWN_OPTIONS } from "./command.ts";
import { asExit } from "./failure.ts";
import { clientOptions } from "./options.ts";
import { commands } from "./table.ts";

/** What `kvs-client --help` says. */
export const clientManual: Manual = {
  usage: "kvs-client [options] COMMAND [arguments]",
  about: "Speaks to kvs, or to any memcached. Without a command it is the shell, on a terminal.",
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
 * Runs the command that a command line names. Ctrl-C ends one that runs for long in order, and a second
 * time whatever it does.
 *
 * @param connect makes the client, once it is known that the command line is right
 * @returns the exit code.
 * @throws {ExitError} with the exit code of whatever goes wrong.
 */
export async function execute(
  parsed: Parsed<typeof clientOptions>,
  connect: (signal: AbortSignal, command: Command) => Client,
): Promise<number> {
  parsed = withCommand(parsed);
  if (await helps(parsed)) return Exit.ok;
  // As redis-cli does.
  if (parsed.rest.length === 0 && Deno.stdin.isTerminal() && isTerminal()) {
    parsed = { ...parsed, rest: ["shell"] };
  }
  const command = checkedCommand(parsed);
  const stop = new AbortController();
  const interrupt = () => {
    Deno.removeSignalListener("SIGINT", interrupt);
    stop.abort(new ExitError("interrupted", Exit.interrupted));
  };
  if (command.long) Deno.addSignalListener("SIGINT", interrupt);
  try {
    using client = connect(stop.signal, command);
    return await run(command, parsed, { client, signal: stop.signal, shell: false });
  } finally {
    if (command.long) Deno.removeSignalListener("SIGINT", interrupt);
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

/** Prints the help that a command line asks for, if it does. */
async function helps({ options, rest: [name, topic] }: Parsed<typeof clientOptions>) {
  const isHelp = name === "help";
  if (!isHelp && !options.help) return false;
  await print(helpOf(isHelp ? topic : name));
  return true;
}

async function run(
  command: Command,
  { options, rest: [, ...args] }: Parsed<typeof clientOptions>,
  { client, signal, shell }: Surroundings,
): Promise<number> {
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

/** Options that are commands, as redis-cli has them. */
const COMMAND_OPTIONS = ["stat", "latency", "latencyHistory", "bigkeys"] as const;
/** What a line of the shell may set: all else is the shell's. */
const LINE_OPTIONS: readonly string[] = [...OWN_OPTIONS, ...COMMAND_OPTIONS, "json", "help"];

/** Runs a line of the shell, whose own options hold unless the line sets others. */
async function executeLine(
  words: readonly string[],
  json: boolean,
  client: Client,
  signal: AbortSignal,
): Promise<number> {
  const parsed = withCommand(parseOptions(clientOptions, words, new Map()));
  const shellsOwn = parsed.given.values().find((option) => !LINE_OPTIONS.includes(option));
  if (shellsOwn !== undefined) {
    const name = clientOptions[shellsOwn].flags.split(", ").at(-1)!.replace("--", "");
    throw new ExitError(`the shell stays with its ${name}`, Exit.usage);
  }
  if (parsed.rest[0] === "shell") throw new ExitError("this is the shell", Exit.usage);
  if (await helps(parsed)) return Exit.ok;
  const options = parsed.given.has("json") ? parsed.options : { ...parsed.options, json };
  return await run(checkedCommand(parsed), { ...parsed, options }, { client, signal, shell: true });
}

/**
 * The command that a command line names.
 *
 * @throws {ExitError} 64 where there is none, or it does not take what it is given.
 */
function checkedCommand({ rest: [name, ...args], given }: Parsed<typeof clientOptions>): Command {
  const command = namedCommand(name);
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
  return command;
}
