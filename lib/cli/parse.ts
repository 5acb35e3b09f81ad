/**
 * From a command line, the environment and a configuration file to typed options.
 *
 * @module
 */

import { Exit, ExitError, messageOf } from "../errors.ts";
import { repeatedKey } from "./json_keys.ts";
import type { Option } from "./option.ts";

/** A program's options, by the names its code uses. */
// deno-lint-ignore no-explicit-any -- options of all types stand side by side in one table
export type Spec = Readonly<Record<string, Option<any>>>;

/** The values of a {@linkcode Spec}. */
export type Values<S extends Spec> = {
  readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never;
};

/** What {@linkcode parseOptions} returns. */
export interface Parsed<S extends Spec> {
  readonly options: Values<S>;
  /** The arguments that are no options, a command first where the program has commands. */
  readonly rest: readonly string[];
  /** The ignored options that were given, as they were given. */
  readonly ignored: readonly string[];
  /** The options that the command line itself gave. */
  readonly given: ReadonlySet<keyof S>;
  /** Where the value of each option is from, as it stands there: `--port`, `KVS_PORT`, `default`. */
  readonly origins: ReadonlyMap<keyof S, string>;
}

/** Where environment variables come from; `Deno.env` and a `Map` both are one. */
export interface Environment {
  get(name: string): string | undefined;
}

/**
 * Reads a program's options. For each, the command line goes before the environment (`KVS_` and the
 * long name: `--max-item-size` is `KVS_MAX_ITEM_SIZE`), the environment before the configuration
 * file (a JSON object whose keys are the long names), and that before the default. The file is the
 * one that the option named `config` names, if the spec has one.
 *
 * A command line is read as getopt reads it: `-p 11211`, `-p11211`, `-vv`, `-vp11211`,
 * `--port 11211`, `--port=11211`, options and arguments in any order, `--` before arguments that
 * look like options. A negative number is an argument unless an option awaits its value.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { count, integer } from "./option.ts";
 *
 * const spec = {
 *   port: integer({ flags: "-p, --port", max: 65535, default: 11211, help: "TCP port" }),
 *   verbose: count({ flags: "-v, --verbose", help: "say more" }),
 * };
 * const { options, rest } = parseOptions(spec, ["-vvp12", "get", "key"], new Map());
 * assertEquals(options, { port: 12, verbose: 2 });
 * assertEquals(rest, ["get", "key"]);
 * ```
 *
 * @throws {ExitError} with exit code 64 and one line that names the option, what was received and
 * what the option takes.
 */
export function parseOptions<const S extends Spec>(
  spec: S,
  args: readonly string[],
  env: Environment = Deno.env,
  readConfig: (path: string) => string = Deno.readTextFileSync,
): Parsed<S> {
  const line = readLine(spec, args);
  const fromEnvironment = (key: string): Given[] => {
    const name = environmentName(spec[key]!);
    const text = spec[key]!.lineOnly ? undefined : env.get(name);
    return text ? [{ as: name, text }] : [];
  };

  let config = new Map<string, Given[]>();
  if (spec.config !== undefined) {
    const givens = line.options.get("config") ?? fromEnvironment("config");
    const path = valueOf(spec.config, givens) as string | undefined;
    if (path !== undefined) config = readConfigFile(spec, path, readConfig);
  }

  const options: Record<string, unknown> = {};
  const origins = new Map<keyof S, string>();
  for (const [key, option] of Object.entries(spec)) {
    let givens = line.options.get(key) ?? [];
    if (givens.length === 0) givens = fromEnvironment(key);
    if (givens.length === 0) givens = config.get(key) ?? [];
    options[key] = valueOf(option, givens);
    origins.set(key, givens.at(-1)?.as ?? "default");
  }
  return {
    options: options as Values<S>,
    rest: line.rest,
    ignored: [...line.options]
      .filter(([key]) => spec[key]!.ignored)
      .flatMap(([key, givens]) =>
        givens.map(({ as, text }) => spec[key]!.value === undefined ? as : `${as} ${text}`)
      ),
    given: new Set(line.options.keys()),
    origins,
  };
}

/** Variables that other parts of kvs read, and those of the clients, by their names or the starts of these. */
const OTHER_VARIABLES = [
  /^KVS_(TEST_.*|IN_BACKGROUND|STAND_INS)$/,
  /^KVS_(SERVERS|PROTOCOL|TIMEOUT|USER|PASSWORD(_FILE)?|TLS(_SERVER_NAME)?|CA|CERT|KEY)$/,
];

/**
 * What is wrong with the names of environment variables that begin with `KVS_`: each that is no
 * option's in a sentence, with the one that was meant if there is one like it.
 */
export function unknownVariables(spec: Spec, names: Iterable<string>): string[] {
  const known = Object.values(spec).filter(({ lineOnly }) => !lineOnly).map(environmentName);
  return [...names]
    .filter((name) => name.startsWith("KVS_") && !known.includes(name))
    .filter((name) => !OTHER_VARIABLES.some((other) => other.test(name)))
    .sort()
    .map((name) => `the variable ${name} is no option's${suggestion(name, known)}`);
}

/** `KVS_MAX_ITEM_SIZE` for the option of `--max-item-size`. */
export function environmentName(option: Option<unknown>): string {
  return `KVS_${longName(option).toUpperCase().replaceAll("-", "_")}`;
}

/** `max-item-size` for the option of `-I, --max-item-size`. */
function longName(option: Option<unknown>): string {
  return option.flags.split(", ").at(-1)!.replace(/^--?/, "");
}

/** A text for an option, and the name under which it came. */
interface Given {
  readonly as: string;
  readonly text: string;
}

function valueOf<T>(option: Option<T>, givens: readonly Given[]): T {
  let value: T | undefined;
  for (const { as, text } of givens) {
    if (option.refusal !== undefined) throw usage(`${as}: ${option.refusal}`);
    value = option.read(text, value);
    if (value === undefined) throw usage(`${as} takes ${option.takes}, received '${text}'`);
  }
  return value === undefined ? option.default : value;
}

interface Line {
  readonly options: Map<string, Given[]>;
  readonly rest: string[];
}

function readLine(spec: Spec, args: readonly string[]): Line {
  const keys = new Map<string, string>();
  for (const [key, option] of Object.entries(spec)) {
    for (const name of option.flags.split(", ")) keys.set(name, key);
  }
  const options = new Map<string, Given[]>();
  const rest: string[] = [];
  let at = 0;

  const give = (key: string, name: string, text: string) => {
    const { flags } = spec[key]!;
    const as = flags.startsWith(`${name}, `) ? flags.replace(", ", "/") : name;
    options.getOrInsertComputed(key, () => []).push({ as, text });
  };
  /** The value of an option that has one and did not bring it along. */
  const next = (key: string, name: string): string => {
    if (at < args.length) return args[at++]!;
    throw usage(`${name} takes ${spec[key]!.takes}, received nothing`);
  };

  while (at < args.length) {
    const arg = args[at++]!;
    if (arg === "--") {
      rest.push(...args.slice(at));
      break;
    }
    if (arg.startsWith("--")) {
      const equals = arg.indexOf("=");
      const name = equals < 0 ? arg : arg.slice(0, equals);
      const key = keys.get(name);
      const denied = keys.get(name.replace(/^--no-/, "--"));
      if (key !== undefined) {
        const bare = equals < 0;
        if (!bare) give(key, name, arg.slice(equals + 1));
        else give(key, name, spec[key]!.value === undefined ? "true" : next(key, name));
      } else if (denied !== undefined && equals < 0 && isFlag(spec[denied]!)) {
        give(denied, name, "false");
      } else {
        throw usage(`unknown option '${name}'${suggestion(name, keys.keys())}`);
      }
    } else if (arg === "-" || !arg.startsWith("-") || isNumber(arg) && !keys.has(arg.slice(0, 2))) {
      rest.push(arg);
    } else {
      for (let i = 1; i < arg.length; i++) {
        const name = `-${arg[i]}`;
        const key = keys.get(name);
        if (key === undefined) {
          throw usage(`unknown option '${name}'${name === arg ? "" : ` in '${arg}'`}`);
        }
        if (spec[key]!.value === undefined) {
          give(key, name, "true");
        } else {
          give(key, name, i + 1 < arg.length ? arg.slice(i + 1) : next(key, name));
          break;
        }
      }
    }
  }
  return { options, rest };
}

function isFlag(option: Option<unknown>): boolean {
  return option.value === undefined && typeof option.default === "boolean" && !option.ignored;
}

function isNumber(arg: string): boolean {
  return /^-\d+$/.test(arg);
}

function readConfigFile(
  spec: Spec,
  path: string,
  readConfig: (path: string) => string,
): Map<string, Given[]> {
  let json: unknown;
  let twice: string | undefined;
  try {
    const text = readConfig(path);
    json = JSON.parse(text);
    twice = repeatedKey(text);
  } catch (error) {
    throw usage(`cannot read the configuration file '${path}': ${messageOf(error)}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw usage(`the configuration file '${path}' must hold a JSON object`);
  }
  if (twice !== undefined) throw usage(`'${twice}' stands twice in '${path}'`);
  const keys = new Map<string, string>();
  for (const [key, option] of Object.entries(spec)) {
    if (!option.lineOnly && key !== "config") keys.set(longName(option), key);
  }
  const givens = new Map<string, Given[]>();
  for (const [name, value] of Object.entries(json)) {
    const key = keys.get(name);
    if (key === undefined) {
      throw usage(`unknown option '${name}' in '${path}'${suggestion(name, keys.keys())}`);
    }
    const texts = Array.isArray(value) ? value : [value];
    if (texts.includes(null)) {
      throw usage(`'${name}' in '${path}' takes ${spec[key]!.takes}, received null`);
    }
    givens.set(
      key,
      texts.map((text) => ({
        as: `'${name}' in '${path}'`,
        text: typeof text === "object" ? JSON.stringify(text) : String(text),
      })),
    );
  }
  return givens;
}

/** `; did you mean '--port'?`, where one of the names is close to what was written. */
export function suggestion(written: string, names: Iterable<string>): string {
  let best: string | undefined;
  // What all names begin with makes none of them closer.
  const { length } = written.replace(/^(KVS_|--?)/, "");
  let least = length > 6 ? 4 : length > 3 ? 3 : 2;
  for (const name of names) {
    const distance = editDistance(written, name);
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best === undefined ? "" : `; did you mean '${best}'?`;
}

/** How many letters must be put in, taken out, replaced or swapped to make one word of another. */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isSwap = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swapped = isSwap && i > 1 && j > 1 ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(replaced, swapped, row[j]! + 1, next[j - 1]! + 1));
    }
    before = row;
    row = next;
  }
  return row[to.length]!;
}

function usage(message: string): ExitError {
  return new ExitError(message, Exit.usage);
}
