/**
 * Patterns of keys, as redis-cli's `KEYS` and a shell's file names have them.
 *
 * @module
 */

import { binaryString } from "../../bytes.ts";
import { wordBytes } from "./words.ts";

/**
 * What tells whether a key fits: `*` is any bytes, `?` one byte, `[a-z]` one of a set, `[^a-z]` one
 * of the others, and a backslash takes the next sign as it is.
 */
export function pattern(text: string): (key: Uint8Array) => boolean {
  const bytes = wordBytes(text);
  const signs = binaryString(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  const source = signs.replace(
    /\\([^])|\[(\^?)((?:\\[^]|[^\]\\])+)\]|\*+|[^]/g,
    (sign, escaped?: string, not?: string, set?: string) => {
      if (escaped !== undefined) return literal(escaped);
      if (set !== undefined) return `[${not}${set.replace(MEMBER, members)}]`;
      if (sign[0] === "*") return "[^]*";
      return sign === "?" ? "[^]" : literal(sign);
    },
  );
  const expression = new RegExp(`^(?:${source})$`);
  return (key) => expression.test(binaryString(key));
}

/** Of a set: a sign behind a backslash, a range, or a sign. */
const MEMBER = /\\([^])|([^])-\\?([^])|[^]/g;

/** A member of a set in a character class; a range may have its greater end first, as for redis-cli. */
function members(sign: string, escaped?: string, from?: string, to?: string): string {
  if (from === undefined || to === undefined) return literal(escaped ?? sign);
  return from <= to ? `${literal(from)}-${literal(to)}` : `${literal(to)}-${literal(from)}`;
}

function literal(sign: string): string {
  return /[a-z0-9]/i.test(sign) ? sign : `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
