/**
 * Writing to standard output, on a terminal and into a pipe.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";

/**
 * Writes all of a text or of some bytes to standard output.
 *
 * @throws {Deno.errors.BrokenPipe} if nobody reads it any more.
 */
export async function print(what: string | Uint8Array): Promise<void> {
  const bytes = typeof what === "string" ? bytesOf(what) : what;
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

/** Whether a person looks at standard output. */
export function isTerminal(): boolean {
  return Deno.stdout.isTerminal();
}

const CODES = { bold: 1, dim: 2, green: 32, yellow: 33 };

/** A text in colour, where it goes to a terminal and `NO_COLOR` is not set. */
export function paint(colour: keyof typeof CODES, text: string): string {
  return isTerminal() && !Deno.noColor ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}
