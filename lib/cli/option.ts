/**
 * The kinds of option a kvs program takes. A program lists its options once; the flag, the
 * environment variable, the key in the configuration file, the default and the line of `--help` all
 * come from that list, and so do the types of what {@linkcode parseOptions} returns.
 *
 * ```ts
 * import { flag, integer, size } from "./option.ts";
 *
 * const spec = {
 *   port: integer({ flags: "-p, --port", min: -1, max: 65535, default: 11211, help: "TCP port" }),
 *   memory: size({ flags: "-m, --memory-limit", unit: "m", default: 64 * 2 ** 20, help: "cache" }),
 *   help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text" }),
 * };
 * ```
 *
 * @module
 */

/** One option: how it is called, what it takes and what it is when it is not set. */
export interface Option<T> {
  /** How it is written on the command line: `"-p, --port"`. The long name gives the other names. */
  readonly flags: string;
  /** What it does, for `--help`. */
  readonly help: string;
  readonly default: T;
  /** What stands for its value in `--help`; absent for an option that takes none. */
  readonly value?: string;
  /** What it takes, in words, for `--help` and for error messages: `"an integer from 1 to 9"`. */
  readonly takes: string;
  /** It is taken from the command line alone, not from the environment or a configuration file. */
  readonly lineOnly?: boolean;
  /** Nobody but its owner should read its value. */
  readonly secret?: boolean;
  /** It is accepted because memcached has it, and changes nothing that a client can notice. */
  readonly ignored?: boolean;
  /** Why it is refused although memcached has it: the end of a sentence that begins with its name. */
  readonly refusal?: string;
  /**
   * The value that a text stands for, or `undefined` where it stands for none. `before` is what the
   * same option gave earlier on the same command line.
   */
  read(text: string, before: T | undefined): T | undefined;
  /** How a value is written, where a number or a text of its own would not be read back as it. */
  write?(value: NonNullable<T>): string;
  /** How the default is shown in `--help`; absent where there is nothing to show. */
  readonly shown?: string;
}

interface Declared {
  flags: string;
  help: string;
  value?: string;
  lineOnly?: boolean;
  secret?: boolean;
}

/** Any text that is not empty. */
export function text<const D extends string | undefined = undefined>(
  declared: Declared & { default?: D; takes?: string },
): Option<string | D> {
  return {
    value: "TEXT",
    takes: "a text",
    ...declared,
    default: declared.default as D,
    shown: declared.default,
    read: (text) => text === "" ? undefined : text,
  };
}

/** A whole number between `min` (0) and `max` (2^53 - 1). */
export function integer<const D extends number | undefined = undefined>(
  declared: Declared & { default?: D; min?: number; max?: number },
): Option<number | D> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = declared;
  return {
    value: "N",
    ...declared,
    takes: `a whole number ${range(min, max, String)}`,
    default: declared.default as D,
    shown: declared.default?.toString(),
    read: (text) => /^-?\d+$/.test(text) ? within(Number(text), min, max) : undefined,
  };
}

const SIZES = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const SIZE = /^(\d+)(?:([kmgt])(?:i?b)?)?$/i;

/**
 * An amount of bytes: `64m`, `1g`, `512k`, `1GiB`. A plain number counts in `unit` (bytes if none
 * is given), for memcached's `-m 64` means megabytes where its `-I 1048576` means bytes.
 */
export function size<const D extends number | undefined = undefined>(
  declared: Declared & { default?: D; unit?: keyof typeof SIZES; min?: number; max?: number },
): Option<number | D> {
  const { unit = "", min = 0, max = Number.MAX_SAFE_INTEGER } = declared;
  const plain = unit === "" ? "bytes" : unit.toUpperCase() + "iB";
  return {
    value: "SIZE",
    ...declared,
    takes: `a size such as 512k, 64m or 1g (a plain number counts ${plain})${
      min > 0 || max < Number.MAX_SAFE_INTEGER ? " " + range(min, max, sizeText) : ""
    }`,
    default: declared.default as D,
    shown: declared.default === undefined ? undefined : sizeText(declared.default),
    write: sizeText,
    read(text) {
      const match = SIZE.exec(text);
      if (match === null) return undefined;
      const suffix = (match[2]?.toLowerCase() ?? unit) as keyof typeof SIZES;
      return within(Number(match[1]) * SIZES[suffix], min, max);
    },
  };
}

/** A size the way {@linkcode size} reads it: 67108864 as `64m`. */
export function sizeText(bytes: number): string {
  for (const [suffix, unit] of Object.entries(SIZES).reverse()) {
    if (bytes >= unit && bytes % unit === 0) return bytes / unit + suffix;
  }
  return String(bytes);
}

/** What an option takes at most whose time a timer waits, in milliseconds: no timer waits for 2^31. */
export const LONGEST_WAIT = 24 * 86_400_000;

const DURATIONS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/i;

/**
 * A span of time, given in milliseconds: `500ms`, `2.5s`, `10m`, `1h`, `30d`. A plain number counts
 * in `unit` (seconds if none is given). `default`, `min` and `max` are in milliseconds too.
 */
export function duration<const D extends number | undefined = undefined>(
  declared: Declared & { default?: D; unit?: keyof typeof DURATIONS; min?: number; max?: number },
): Option<number | D> {
  const { unit = "s", min = 0, max = Number.MAX_SAFE_INTEGER } = declared;
  return {
    value: "TIME",
    ...declared,
    takes: `a time such as 500ms, 10s or 1h (a plain number counts ${unit})${
      min > 0 || max < Number.MAX_SAFE_INTEGER ? " " + range(min, max, durationText) : ""
    }`,
    default: declared.default as D,
    shown: declared.default === undefined ? undefined : durationText(declared.default),
    write: durationText,
    read(text) {
      const match = DURATION.exec(text);
      if (match === null) return undefined;
      const suffix = (match[2]?.toLowerCase() ?? unit) as keyof typeof DURATIONS;
      const time = Number(match[1]) * DURATIONS[suffix];
      // 0 often means never, which is far from very soon.
      return within(time > 0 ? Math.max(1, Math.round(time)) : 0, min, max);
    },
  };
}

function durationText(milliseconds: number): string {
  for (const [suffix, unit] of Object.entries(DURATIONS).reverse()) {
    if (milliseconds >= unit && milliseconds % unit === 0) return milliseconds / unit + suffix;
  }
  return milliseconds === 0 ? "0" : `${milliseconds}ms`;
}

/** A decimal number greater than `above`. */
export function decimal<const D extends number | undefined = undefined>(
  declared: Declared & { default?: D; above: number },
): Option<number | D> {
  const { above } = declared;
  return {
    value: "N",
    ...declared,
    takes: `a number greater than ${above}`,
    default: declared.default as D,
    shown: declared.default?.toString(),
    read: (text) => /^\d*\.?\d+$/.test(text) && Number(text) > above ? Number(text) : undefined,
  };
}

/** One of a few words. */
export function choice<const C extends string, D extends C | undefined = undefined>(
  declared: Declared & { of: readonly C[]; default?: D },
): Option<C | D> {
  const { of } = declared;
  return {
    value: of.join("|"),
    ...declared,
    takes: of.length === 2 ? of.join(" or ") : `one of ${of.join(", ")}`,
    default: declared.default as D,
    shown: declared.default,
    read: (text) => of.find((word) => word === text),
  };
}

/** Yes or no: `--json`, `--json=false`, `--no-json`; elsewhere true, yes, on, 1 or their opposites. */
export function flag(declared: Declared & { default?: boolean }): Option<boolean> {
  return {
    ...declared,
    takes: "true or false",
    default: declared.default ?? false,
    shown: declared.default ? "on" : undefined,
    read(text) {
      if (/^(1|true|yes|on)$/i.test(text)) return true;
      return /^(0|false|no|off)$/i.test(text) ? false : undefined;
    },
  };
}

/** How often it is given: `-vv` is 2, as is `--verbose=2`. */
export function count(declared: Declared): Option<number> {
  return {
    ...declared,
    takes: "a whole number",
    default: 0,
    read: (text, before = 0) =>
      text === "true" ? before + 1 : /^\d+$/.test(text) ? Number(text) : undefined,
  };
}

/** Texts with commas between them; given several times, all of them. */
export function list<const D extends readonly string[] = []>(
  declared: Declared & { default?: D; takes?: string },
): Option<readonly string[]> {
  return {
    value: "A,B…",
    takes: "a list with commas between",
    ...declared,
    default: declared.default ?? [],
    shown: declared.default?.join(","),
    read(text, before = []) {
      const parts = text.split(",").map((part) => part.trim());
      return parts.includes("") ? undefined : [...before, ...parts];
    },
  };
}

/**
 * An option that memcached has and kvs has no use for. Its value is checked, for `-t 0` is as wrong here as
 * it is there, and it is reported as ignored.
 */
export function ignored<T>(option: Option<T>): Option<T> & { readonly ignored: true } {
  return { ...option, lineOnly: true, ignored: true };
}

/** An option that memcached has and kvs must refuse: to ignore it would break a promise. */
export function refused(
  declared: { flags: string; value?: string; refusal: string },
): Option<undefined> & { readonly refusal: string } {
  return {
    ...declared,
    help: "refused",
    takes: "nothing",
    default: undefined,
    lineOnly: true,
    read: () => undefined,
  };
}

function within(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}

function range(min: number, max: number, show: (value: number) => string): string {
  return max >= Number.MAX_SAFE_INTEGER
    ? `of at least ${show(min)}`
    : `from ${show(min)} to ${show(max)}`;
}
