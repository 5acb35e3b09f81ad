/**
 * Writing to standard output and standard error, on a terminal and into a pipe.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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

/** How many letters a line of the terminal has; without one there is no bound. */
export function columns(): number {
  return isTerminal() ? Deno.consoleSize().columns : Infinity;
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 };

/** A text in colour, where it goes to a terminal and `NO_COLOR` is not set. */
export function paint(colour: keyof typeof CODES, text: string): string {
  return isTerminal() && !Deno.noColor ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}

// deno-lint-ignore no-control-regex -- that is what it is about
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/;

/**
 * A text or bytes as a terminal may show them: what could move its cursor or change its colours, and
 * what is not UTF-8, stands in double quotes with the escapes that the shell of kvs-client takes.
 * Line ends and tabs stay. Into a pipe everything goes as it is.
 */
export function shown(what: string): string;
export function shown(what: Uint8Array): string | Uint8Array;
export function shown(what: string | Uint8Array): string | Uint8Array {
  if (!isTerminal()) return what;
  if (typeof what === "string") return printable(what);
  const text = decoded(what);
  return text !== undefined && !CONTROLS.test(text) ? what : quoted(what);
}

/** What {@linkcode shown} shows on a terminal of a text. */
export function printable(text: string): string {
  return CONTROLS.test(text) ? quoted(bytesOf(text)) : text;
}

/**
 * Writes a message to standard error. On a terminal, what could move its cursor or change its colours
 * is written as escapes: a message may hold what somebody else sent or typed.
 */
export function complain(message: string): void {
  console.error(Deno.stderr.isTerminal() ? escapedText(message) : message);
}

/** A text whose control characters are escapes; line ends and tabs stay. */
export function escapedText(text: string): string {
  return text.replace(
    new RegExp(CONTROLS, "g"),
    (control) => quoted(bytesOf(control)).slice(1, -1),
  );
}

/** Bytes in double quotes, with escapes for all that is not printable ASCII. */
export function quoted(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += ESCAPES[byte] ?? `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${text}"`;
}

const ESCAPES: Readonly<Record<number, string>> = { 10: "\\n", 13: "\\r", 9: "\\t" };

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
