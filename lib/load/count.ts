/**
 * The one argument of generate and multiclient.
 *
 * @module
 */

import { Exit, ExitError } from "../errors.ts";

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
  const count = Number(text.replaceAll("_", ""));
  if (!/^\d[\d_]*$/.test(text) || count < 1 || count > most) {
    throw new ExitError(
      `${name} takes a whole number from 1 to ${most}, received '${text}'`,
      Exit.usage,
    );
  }
  if (unknown !== undefined) throw new ExitError(`unknown argument '${unknown}'`, Exit.usage);
  return count;
}
