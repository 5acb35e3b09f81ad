/**
 * Listings of all keys, as lines: `lru_crawler metadump` and `mgdump`.
 *
 * @module
 */

import { type ByteBuffer, bytesOf } from "../../bytes.ts";
import { itemSize } from "../limits.ts";
import { encodeKey } from "../meta/base64.ts";
import type { DumpFormat, Entry } from "../outcome.ts";
import { endLine } from "./format_reply.ts";

const OK = bytesOf("OK\r\n");
const END = bytesOf("END\r\n");

/** Writes the line that a dump begins with. */
export function encodeDumpStart(out: ByteBuffer): void {
  out.append(OK);
}

/** Writes some of a dump's items. `metadump` lines end with a bare line feed, as memcached's do. */
export function encodeDumped(
  format: DumpFormat,
  entries: readonly Entry[],
  out: ByteBuffer,
): void {
  for (const entry of entries) {
    if (format === "metadump") encodeMetadump(entry, out);
    else encodeMgdump(entry, out);
  }
}

/** Writes the line that a dump ends with. */
export function encodeDumpEnd(format: DumpFormat, out: ByteBuffer): void {
  if (format === "metadump") out.append(END);
  else out.ascii("EN\r\n");
}

function encodeMetadump(entry: Entry, out: ByteBuffer): void {
  out.ascii("key=");
  out.percentEncoded(entry.key);
  out.ascii(` exp=${entry.exptime === 0 ? -1 : seconds(entry.exptime)} la=${entry.accessed}`);
  const size = itemSize(entry.key.length, entry.size, entry.flags);
  out.ascii(` cas=${entry.cas} fetch=${entry.fetched ? "yes" : "no"} cls=1 size=${size}`);
  out.ascii(` flags=${entry.flags} \n`);
}

function encodeMgdump({ key }: Entry, out: ByteBuffer): void {
  out.ascii("mg ");
  // A line cannot carry control characters safely; such a key goes as base64.
  if (key.every((byte) => byte > 0x20 && byte < 0x7f)) out.append(key);
  else {
    encodeKey(key, out);
    out.ascii(" b");
  }
  endLine(out);
}

/** Milliseconds as the whole seconds that memcached tells; what lives a part of one is still there. */
function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000);
}
