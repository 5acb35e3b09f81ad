/**
 * What `-vv` shows of each request.
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
  { op, key, noreply }: Request,
  { code, failure }: Outcome,
  id: number,
): string {
  const asked = key.length === 0 || op === "login" ? op : `${op} ${quoted(key)}`;
  const came = code === "failed" ? `failed: ${failure.sentence || failure.code}` : code;
  return `<${id} ${asked} >${id} ${came}${noreply ? " (noreply)" : ""}`;
}

/** A key in quotes. What cannot be shown is escaped by the log. */
function quoted(key: Uint8Array): string {
  return JSON.stringify(binaryString(key));
}
