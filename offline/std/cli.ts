/**
 * Stand-in for `jsr:@std/cli`: the part that the project uses, with the package's signatures.
 *
 * `parseArgs` follows the package, not `node:util`, whose function of the same name splits `-p1234` and
 * takes values by other rules: a command line must mean the same on every network.
 */

/** Options for {@linkcode parseArgs}. */
export interface ParseOptions<
  TBooleans extends string = string,
  TStrings extends string = string,
  TCollectable extends string = string,
  TDefaults extends Record<string, unknown> = Record<string, unknown>,
> {
  /** Keep what follows `--` apart, in `["--"]`. */
  "--"?: boolean;
  alias?: Record<string, string | readonly string[]>;
  boolean?: TBooleans | readonly TBooleans[];
  default?: TDefaults;
  /** Leave everything after the first non-option in `_`. */
  stopEarly?: boolean;
  string?: TStrings | readonly TStrings[];
  /** Options that gather each value given into an array. */
  collect?: TCollectable | readonly TCollectable[];
  /** Options that `--no-NAME` turns off. */
  negatable?: string | readonly string[];
  /** Called for what no option names; `false` keeps it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

type Flags<
  TBooleans extends string,
  TStrings extends string,
  TCollectable extends string,
  TDefaults,
> =
  & { [Name in Exclude<TBooleans, TCollectable>]: boolean }
  & { [Name in Exclude<TStrings, TCollectable | keyof TDefaults>]?: string }
  & { [Name in TCollectable]: Name extends TStrings ? string[] : unknown[] }
  & {
    [Name in Exclude<keyof TDefaults, TBooleans | TCollectable>]: Name extends TStrings
      ? string | TDefaults[Name]
      : unknown;
  };

/** What {@linkcode parseArgs} returns. */
export type Args<TFlags = Record<string, unknown>> =
  & Record<string, unknown>
  & TFlags
  & {
    /** What belongs to no option. */
    _: (string | number)[];
    /** What followed `--`, where that was asked for. */
    "--"?: string[];
  };

const LONG_WITH_VALUE = /^--([^]+?)=([^]+)$/;
const OPTION_LIKE = /^--?[^-]/;

function list<T extends string>(names: T | readonly T[] | undefined): readonly T[] {
  if (names === undefined || names === "") return [];
  return typeof names === "string" ? [names] : names as readonly T[];
}

/** A number where the text is one, as the package does for options that no type was given. */
function guess(text: string): string | number {
  return /\S/.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** One call's state: the options as sets that know the aliases, and the result as it grows. */
class Parse {
  readonly result: Args = { _: [] };
  readonly #aliases = new Map<string, string[]>();
  readonly #booleans: Set<string>;
  readonly #strings: Set<string>;
  readonly #collected: Set<string>;
  readonly #negatable: Set<string>;

  constructor(readonly options: ParseOptions) {
    for (const [name, others] of Object.entries(options.alias ?? {})) {
      const names = [name, ...list(others)];
      for (const each of names) this.#aliases.set(each, names.filter((other) => other !== each));
    }
    this.#booleans = this.#withAliases(options.boolean);
    this.#strings = this.#withAliases(options.string);
    this.#collected = this.#withAliases(options.collect);
    this.#negatable = this.#withAliases(options.negatable);
  }

  #withAliases(names: string | readonly string[] | undefined): Set<string> {
    return new Set(list(names).flatMap((name) => [name, ...this.#aliases.get(name) ?? []]));
  }

  /** @param arg the argument as it was written, for `unknown` */
  #set(name: string, given: string | boolean, arg: string, collect = true): void {
    const known = this.#booleans.has(name) || this.#strings.has(name) || this.#aliases.has(name);
    if (!known && this.options.unknown?.(arg, name, given) === false) return;
    const value = typeof given === "string" && !this.#strings.has(name) ? guess(given) : given;
    for (const each of [name, ...this.#aliases.get(name) ?? []]) {
      if (!collect || !this.#collected.has(name)) {
        this.result[each] = value;
      } else {
        const soFar = this.result[each];
        this.result[each] = Array.isArray(soFar)
          ? [...soFar, value]
          : soFar
          ? [soFar, value]
          : [value];
      }
    }
  }

  /** What an option means that has no value. */
  #bare(name: string): string | boolean {
    return this.#strings.has(name) ? "" : true;
  }

  /** Sets `name`, by `next` if that can be its value. Returns the number of arguments taken. */
  #setByNext(name: string, arg: string, next: string | undefined, isOption: boolean): number {
    if (next) {
      if (!isOption && !this.#booleans.has(name)) {
        this.#set(name, next, arg);
        return 2;
      }
      if (next === "true" || next === "false") {
        this.#set(name, next === "true", arg);
        return 2;
      }
    }
    this.#set(name, this.#bare(name), arg);
    return 1;
  }

  #long(arg: string, next: string | undefined): number {
    const [, assigned, value] = LONG_WITH_VALUE.exec(arg) ?? [];
    if (assigned !== undefined && value !== undefined) {
      const negated = assigned.startsWith("no-") ? assigned.slice("no-".length) : "";
      const name = negated || assigned;
      this.#set(name, this.#booleans.has(name) ? value !== "false" : value, arg);
      return 1;
    }
    const name = arg.slice("--".length);
    if (name.startsWith("no-") && this.#negatable.has(name.slice("no-".length))) {
      this.#set(name.slice("no-".length), false, arg, false);
      return 1;
    }
    return this.#setByNext(name, arg, next, next?.startsWith("-") ?? false);
  }

  /** `-v`, `-vx`, `-p1234`, `-p=1234`: letters, of which the last to name a value takes the rest. */
  #short(arg: string, next: string | undefined): number {
    for (let at = 1; at < arg.length - 1; at++) {
      const letter = arg.charAt(at);
      const rest = arg.slice(at + 1);
      if (rest === "-") {
        this.#set(letter, rest, arg);
        continue;
      }
      if (/[A-Za-z]/.test(letter)) {
        const assigned = /=([^\n\r\u2028\u2029]+)/.exec(rest)?.[1];
        if (assigned !== undefined || /-?\d+(\.\d*)?(e-?\d+)?$/.test(rest)) {
          this.#set(letter, assigned ?? rest, arg);
          return 1;
        }
      }
      if (rest.length > 1 && /\W/.test(rest.charAt(0))) {
        this.#set(letter, rest, arg);
        return 1;
      }
      this.#set(letter, this.#bare(letter), arg);
    }
    const last = arg.slice(-1);
    if (last === "-") return 1;
    return this.#setByNext(last, arg, next, next !== undefined && OPTION_LIKE.test(next));
  }

  /** Reads the argument at `at`. Returns the number of arguments taken. */
  #read(args: readonly string[], at: number): number {
    const arg = args[at]!;
    if (arg.startsWith("--") && arg.length > 2) return this.#long(arg, args[at + 1]);
    if (arg.startsWith("-") && arg.length > 1) return this.#short(arg, args[at + 1]);
    if (this.options.unknown?.(arg) !== false) {
      this.result._.push(this.#strings.has("_") ? arg : guess(arg));
    }
    if (!this.options.stopEarly) return 1;
    this.result._.push(...args.slice(at + 1));
    return args.length - at;
  }

  read(args: readonly string[]): void {
    for (let at = 0; at < args.length;) at += this.#read(args, at);
  }

  #setAbsent(name: string, value: unknown): void {
    if (!Object.hasOwn(this.result, name)) this.result[name] = value;
  }

  fillDefaults(): void {
    for (const [name, value] of Object.entries(this.options.default ?? {})) {
      if (Object.hasOwn(this.result, name)) continue;
      for (const each of [name, ...this.#aliases.get(name) ?? []]) this.result[each] = value;
    }
    for (const name of this.#booleans) {
      this.#setAbsent(name, this.#collected.has(name) ? [] : false);
    }
    for (const name of this.#strings) {
      if (this.#collected.has(name)) this.#setAbsent(name, []);
    }
  }
}

/** Reads a command line: what the package's `parseArgs` does, without its dotted names. */
export function parseArgs<
  TBooleans extends string = never,
  TStrings extends string = never,
  TCollectable extends string = never,
  // deno-lint-ignore ban-types
  TDefaults extends Record<string, unknown> = {},
>(
  args: string[],
  options: ParseOptions<TBooleans, TStrings, TCollectable, TDefaults> = {},
): Args<Flags<TBooleans, TStrings, TCollectable, TDefaults>> {
  const end = args.indexOf("--");
  const after = end < 0 ? [] : args.slice(end + 1);
  const parse = new Parse(options);
  parse.read(end < 0 ? args : args.slice(0, end));
  parse.fillDefaults();
  if (options["--"]) parse.result["--"] = after;
  else parse.result._.push(...after);
  return parse.result as Args<Flags<TBooleans, TStrings, TCollectable, TDefaults>>;
}

/** Options for {@linkcode promptSecret}. */
export interface PromptSecretOptions {
  /** Shown in place of each character; empty shows nothing. */
  mask?: string;
  /** Clear the line afterwards. */
  clear?: boolean;
}

/** Asks on the terminal without showing the answer; `null` where standard input is no terminal. */
export function promptSecret(
  message = "Secret",
  options: PromptSecretOptions = {},
): string | null {
  const { mask = "*", clear = false } = options;
  if (!Deno.stdin.isTerminal()) return null;
  const clearLine = "\r\x1b[K";
  const show = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
  const typed: number[] = [];
  const byte = new Uint8Array(1);
  show(`${message} `);
  Deno.stdin.setRaw(true, { cbreak: true });
  try {
    while (Deno.stdin.readSync(byte)) {
      const [code] = byte;
      if (code === 0x0a || code === 0x0d) break;
      if (code === 0x08 || code === 0x7f) typed.pop();
      else typed.push(code!);
      if (mask) show(`${clearLine}${message} ${mask.repeat(typed.length)}`);
    }
    return new TextDecoder().decode(new Uint8Array(typed));
  } finally {
    Deno.stdin.setRaw(false);
    show(clear ? clearLine : "\n");
  }
}
