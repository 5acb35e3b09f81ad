/**
 * Replies to bytes, in the words of the classic text protocol (memcached, `doc/protocol.txt`).
 *
 * @module
 */

import { binaryString, type ByteBuffer, bytesOf, digitsOf } from "../bytes.ts";
import { itemSize } from "./limits.ts";
import type { Dump, Entry, Reply, Word } from "./message.ts";

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;

const words = Object.fromEntries(
  ([
    "STORED",
    "NOT_STORED",
    "EXISTS",
    "NOT_FOUND",
    "DELETED",
    "TOUCHED",
    "OK",
    "RESET",
  ] as const)
    .map((word) => [word, bytesOf(`${word}\r\n`)]),
) as Record<Word, Uint8Array>;

const VALUE = bytesOf("VALUE ");
const END = bytesOf("END\r\n");
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** A reply that is written at once: all but a dump, which comes in parts, and the closing. */
export type Whole = Exclude<Reply, { readonly kind: "dump" } | { readonly kind: "close" }>;

/** Writes a reply to the end of `out`. */
export function encodeReply(reply: Whole, out: ByteBuffer): void {
  switch (reply.kind) {
    case "value":
      encodeValue(reply, out);
      break;
    case "miss":
      if (reply.last) out.append(END);
      break;
    case "word":
      out.append(words[reply.word]);
      break;
    case "number":
      encodeUnsigned64(reply.value, out);
      endLine(out);
      break;
    case "error":
      out.append(bytesOf(reply.line));
      endLine(out);
      break;
    case "version":
      out.ascii(`VERSION ${reply.version}\r\n`);
      break;
    case "figures":
      for (const [name, value] of reply.figures) {
        out.append(bytesOf(`STAT ${name} ${value}\r\n`));
      }
      out.append(END);
      break;
    case "cachedump":
      for (const { key, size, exptime } of reply.items) {
        out.ascii("ITEM ");
        out.append(key);
        out.ascii(` [${size} b; ${seconds(exptime)} s]\r\n`);
      }
      out.append(END);
  }
}

function encodeValue(reply: Extract<Whole, { kind: "value" }>, out: ByteBuffer): void {
  const { key, item, unique, last } = reply;
  const { value, flags } = item;
  const length = value.length;
  // One reservation for the line, the value and the ends; 20 digits hold a cas unique.
  out.reserve(
    VALUE.length + key.length + 1 + digitsOf(flags) + 1 + digitsOf(length) + 21 + 2 + length + 2 +
      END.length,
  );
  out.append(VALUE);
  out.append(key);
  out.byte(SPACE);
  out.decimal(flags);
  out.byte(SPACE);
  out.decimal(length);
  if (unique) {
    out.byte(SPACE);
    encodeUnsigned64(item.cas, out);
  }
  endLine(out);
  out.append(value);
  endLine(out);
  if (last) out.append(END);
}

function encodeUnsigned64(value: bigint, out: ByteBuffer): void {
  if (value <= MAX_SAFE) out.decimal(Number(value));
  else out.ascii(value.toString());
}

function endLine(out: ByteBuffer): void {
  out.byte(CR);
  out.byte(LF);
}

/** Writes the line that a dump begins with. */
export function encodeDumpStart(out: ByteBuffer): void {
  out.append(words.OK);
}

/** Writes some of a dump's items. `metadump` lines end with a bare line feed, as memcached's do. */
export function encodeDumped(
  format: Dump["format"],
  items: readonly Entry[],
  out: ByteBuffer,
): void {
  for (const item of items) {
    if (format === "metadump") encodeMetadump(item, out);
    else encodeMgdump(item, out);
  }
}

/** Writes the line that a dump ends with. */
export function encodeDumpEnd(format: Dump["format"], out: ByteBuffer): void {
  if (format === "metadump") out.append(END);
  else out.ascii("EN\r\n");
}

function encodeMetadump(item: Entry, out: ByteBuffer): void {
  out.ascii("key=");
  encodeUri(item.key, out);
  out.ascii(` exp=${item.exptime === 0 ? -1 : seconds(item.exptime)} la=${item.accessed}`);
  const size = itemSize(item.key.length, item.size, item.flags);
  out.ascii(` cas=${item.cas} fetch=${item.fetched ? "yes" : "no"} cls=1 size=${size}`);
  out.ascii(` flags=${item.flags} \n`);
}

/** Percent-encodes all but RFC 3986's unreserved characters, as memcached's `uriencode` does. */
function encodeUri(key: Uint8Array, out: ByteBuffer): void {
  const hex = "0123456789ABCDEF";
  for (const byte of key) {
    if (isUnreserved(byte)) out.byte(byte);
    else out.ascii(`%${hex[byte >> 4]}${hex[byte & 15]}`);
  }
}

function isUnreserved(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2e || byte === 0x5f ||
    byte === 0x7e;
}

function encodeMgdump({ key }: Entry, out: ByteBuffer): void {
  out.ascii("mg ");
  // A meta command cannot carry control characters; such a key goes as base64.
  if (key.every((byte) => byte > 0x20 && byte < 0x7f)) out.append(key);
  else out.ascii(`${btoa(binaryString(key))} b`);
  endLine(out);
}

/** Milliseconds as the whole seconds that memcached tells; what lives a part of one is still there. */
function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000);
}
