/**
 * How the lines of the text protocols are described: one row a command.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import type { Failure } from "../outcome.ts";
import type { Op, Request } from "../request.ts";
import type { Tokens } from "./tokens.ts";

/**
 * What a line amounts to.
 *
 * - `ready`: the request is there.
 * - `keys`: the request is the first of a retrieval; its keys are yet to be read.
 * - `value`: the value follows, in {@linkcode Request.number} bytes and a line end.
 * - `skip`: so much follows and is passed over; then the request is there.
 */
export type Verdict = "ready" | "keys" | "value" | "skip";

/** Reads the words of a line into a request. */
export type Grammar = (tokens: Tokens, request: Request) => Verdict;

/** A command: its name, how many words its line has at least, and how it is read. */
export interface Row {
  readonly name: Uint8Array;
  readonly words: number;
  readonly grammar: Grammar;
  /** Whether memcached finds the command behind leading blanks too. */
  readonly indented: boolean;
}

/** A row of the table. */
export function row(name: string, words: number, grammar: Grammar, indented = false): Row {
  return { name: bytesOf(name), words, grammar, indented };
}

/** A command without arguments that matter. */
export function simple(op: Op): Grammar {
  return (tokens, request) => {
    request.clear(op, tokens.bytes);
    return "ready";
  };
}

/** Makes a request a malformed one. */
export function refuse(request: Request, failure: Failure): Verdict {
  request.refuse(failure);
  return "ready";
}

/** Finds a row by the bytes of its name. */
export class RowTable {
  /** The rows by the length of the name: few enough each to compare them in turn. */
  readonly #byLength: readonly (readonly Row[])[];

  constructor(rows: readonly Row[]) {
    const longest = Math.max(...rows.map(({ name }) => name.length));
    this.#byLength = Array.from(
      { length: longest + 1 },
      (_, length) => rows.filter(({ name }) => name.length === length),
    );
  }

  find(bytes: Uint8Array, start: number, end: number): Row | undefined {
    const length = end - start;
    if (length >= this.#byLength.length) return undefined;
    const rows = this.#byLength[length];
    next: for (let i = 0; i < rows.length; i++) {
      const name = rows[i].name;
      for (let j = 0; j < length; j++) if (name[j] !== bytes[start + j]) continue next;
      return rows[i];
    }
    return undefined;
  }
}
