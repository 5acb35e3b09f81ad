/**
 * What `-vv` shows of each request and connection, and `-vvv` of each read and write.
 *
 * @module
 */

import { binaryString } from "../bytes.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";

/**
 * A request and what came of it, in one line, with the number of its connection as memcached writes it.
 * Values and passwords are not in it.
 */
export function traceOf(
  { op, key, words, noreply }: Request,
  outcome: Outcome,
  id: number,
): string {
  const what = op === "stats" ? words.map((word) => ` ${JSON.stringify(word)}`).join("") : "";
  const asked = key.length === 0 || op === "login" ? `${op}${what}` : `${op} ${quoted(key)}`;
  const came = headOf(outcome);
  return `<${id} ${asked} >${id} ${came}${noreply ? " (noreply)" : ""}`;
}

/** The head of a reply: what came of the request, and of an item its flags and length. */
function headOf({ code, failure, item, number }: Outcome): string {
  if (code === "failed") return `failed: ${failure.sentence || failure.code}`;
  if (code === "value") return `value ${item.flags} ${item.value.length}`;
  return code === "number" ? `number ${number}` : code;
}

/** A read or a write of a connection. */
export function traceOfBytes(id: number, direction: "read" | "sent", bytes: number): string {
  return `${direction === "read" ? "<" : ">"}${id} ${direction} ${bytes} bytes`;
}

/** A connection that begins, or has ended. */
export function traceOfConnection(id: number, what: string): string {
  return `<${id} ${what}`;
}

/** A key in quotes. What cannot be shown is escaped by the log. */
function quoted(key: Uint8Array): string {
  return JSON.stringify(binaryString(key));
}
