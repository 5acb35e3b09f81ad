/**
 * Lists of options, checked word by word.
 *
 * @module
 */

import { Exit, ExitError } from "../lib/errors.ts";

/** The words of a list that are among those known. */
export function chosen<const C extends string>(
  name: string,
  given: readonly string[],
  of: readonly C[],
): C[] {
  return given.map((word) =>
    of.find((known) => known === word) ?? refuse(name, of.join(", "), word)
  );
}

/** The numbers of a list. */
export function numbers(name: string, given: readonly string[]): number[] {
  return given.map((word) =>
    /^[1-9]\d{0,6}$/.test(word) ? Number(word) : refuse(name, "whole numbers of at least 1", word)
  );
}

function refuse(name: string, takes: string, received: string): never {
  throw new ExitError(`--${name} takes ${takes}, received '${received}'`, Exit.usage);
}
