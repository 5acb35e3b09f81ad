/**
 * Counts as people write them: `100`, `10_000`, `10k`, `1m`.
 *
 * @module
 */

import { integer } from "../cli/option.ts";
import { Exit, ExitError } from "../errors.ts";

const COUNT = /^(\d[\d_]*)([km])?$/i;
const SUFFIXES = { k: 1000, m: 1_000_000 } as const;

/** The number that a text stands for, if it stands for one. */
export function readCount(text: string): number | undefined {
  const match = COUNT.exec(text);
  if (match === null) return undefined;
  const suffix = match[2]?.toLowerCase() as keyof typeof SUFFIXES | undefined;
  return Number(match[1]!.replaceAll("_", "")) * (suffix === undefined ? 1 : SUFFIXES[suffix]);
}

/** An option that takes a count from `min` to `max`. */
export function counting<const D extends number | undefined = undefined>(
  declared: { flags: string; help: string; min?: number; max?: number; default?: D },
): ReturnType<typeof integer<D>> {
  const option = integer<D>(declared);
  return {
    ...option,
    read(text, before) {
      const count = readCount(text);
      return option.read(count === undefined ? text : String(count), before);
    },
  };
}

/**
 * How many, as the only argument says.
 *
 * @throws {ExitError} 64 for what is not a whole number from 1 to `most`.
 */
export function countOf(
  name: string,
  args: readonly string[],
  fallback: number,
  most: number,
): number {
  const [text = String(fallback), unknown] = args;
  const count = readCount(text);
  if (count === undefined || count < 1 || count > most) {
    throw new ExitError(
      `${name} takes a whole number from 1 to ${most}, received '${text}'`,
      Exit.usage,
    );
  }
  if (unknown !== undefined) throw new ExitError(`unknown argument '${unknown}'`, Exit.usage);
  return count;
}
