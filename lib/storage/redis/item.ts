/**
 * An item as a Redis string: a header of 32 bytes and the value. `FORMAT.md` says it in words.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { ByteBuffer } from "../../bytes.ts";
import type { ItemCursor } from "../item_cursor.ts";
import type { Attributes, Item, Listed, NewItem } from "../contract.ts";
import { uint64 } from "../../uint64.ts";

/** The length of the header in bytes: where the value begins. */
export const HEADER = 32;
/** The first byte of every item. */
export const FORMAT = 1;

const STALE = 1;
const WON = 2;
const FETCHED = 4;
const BINARY_KEY = 8;
/** The greatest exptime that six bytes hold, in the year 10889; later is the same as then. */
const GREATEST_EXPTIME = 2 ** 48 - 1;

function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** Writes an unsigned integer below 2^53 as eight bytes. */
export function putRevision(bytes: Uint8Array, at: number, revision: number): void {
  putUint32(bytes, at, Math.floor(revision / 2 ** 32));
  putUint32(bytes, at + 4, revision);
}

/** Writes 64 bits. */
export function putCas(bytes: Uint8Array, at: number, cas: bigint): void {
  putUint32(bytes, at, Number(cas >> 32n));
  putUint32(bytes, at + 4, Number(cas & 0xffffffffn));
}

/** The expiry that is stored for one in milliseconds since 1970, which may be any number. */
function storable(exptime: number): number {
  if (exptime === 0) return 0;
  return Math.min(Math.max(1, Math.trunc(exptime)), GREATEST_EXPTIME);
}

/** Writes the item as it is stored; its cas unique is the revision where it asks for a new one. */
export function writeItem(out: ByteBuffer, item: NewItem, revision: number): void {
  const value = item.value;
  out.reserve(HEADER + value.length);
  const bytes = out.bytes;
  const at = out.length;
  const exptime = storable(item.exptime);
  bytes[at] = FORMAT;
  bytes[at + 1] = (item.stale ? STALE : 0) | (item.won ? WON : 0) |
    (item.fetched ? FETCHED : 0) | (item.binaryKey ? BINARY_KEY : 0);
  const high = Math.floor(exptime / 2 ** 32);
  bytes[at + 2] = high >>> 8;
  bytes[at + 3] = high;
  putUint32(bytes, at + 4, exptime);
  putUint32(bytes, at + 8, item.flags);
  putUint32(bytes, at + 12, item.accessed);
  if (item.cas === 0n) putRevision(bytes, at + 16, revision);
  else putCas(bytes, at + 16, item.cas);
  putRevision(bytes, at + 24, revision);
  bytes.set(value, at + HEADER);
  out.length = at + HEADER + value.length;
}

/** Whether this can be an item's beginning. */
export function isItem(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER && bytes[0] === FORMAT;
}

/** The revision in an item's header. */
export function revisionOf(bytes: Uint8Array): number {
  return revisionHigh(bytes) * 2 ** 32 + revisionLow(bytes);
}

/** The upper 32 bits of {@linkcode revisionOf}. */
export function revisionHigh(bytes: Uint8Array): number {
  return uint32(bytes, 24);
}

/** The lower 32 bits of {@linkcode revisionOf}. */
export function revisionLow(bytes: Uint8Array): number {
  return uint32(bytes, 28);
}

/** The exptime in an item's header, in milliseconds since 1970; 0 for never. */
export function exptimeOf(bytes: Uint8Array): number {
  return ((bytes[2] << 8) | bytes[3]) * 2 ** 32 + uint32(bytes, 4);
}

function attributesOf(bytes: Uint8Array, seen: number): Attributes {
  const state = bytes[1];
  return {
    flags: uint32(bytes, 8),
    exptime: exptimeOf(bytes),
    cas: uint64(uint32(bytes, 20), uint32(bytes, 16)),
    stale: (state & STALE) !== 0,
    won: (state & WON) !== 0,
    fetched: seen >= 0 || (state & FETCHED) !== 0,
    accessed: seen >= 0 ? seen : uint32(bytes, 12),
    binaryKey: (state & BINARY_KEY) !== 0,
  };
}

/**
 * An item as it was stored. The value is a view of `bytes`.
 *
 * @param seen its last access in seconds since 1970, where one is known that it does not tell; or -1
 */
export function readItem(bytes: Buffer, seen = -1): Item {
  const state = bytes[1];
  // Written out, not spread from attributesOf: a get does little else than this.
  return {
    // Not a Buffer: its slice() and toString() do something else than a Uint8Array's.
    value: new Uint8Array(bytes.buffer, bytes.byteOffset + HEADER, bytes.length - HEADER),
    flags: uint32(bytes, 8),
    exptime: exptimeOf(bytes),
    cas: bytes.readBigUInt64BE(16),
    stale: (state & STALE) !== 0,
    won: (state & WON) !== 0,
    fetched: seen >= 0 || (state & FETCHED) !== 0,
    accessed: seen >= 0 ? seen : uint32(bytes, 12),
    binaryKey: (state & BINARY_KEY) !== 0,
    version: revisionOf(bytes),
  };
}

/** Memory up to so many bytes is kept until the next reply comes: what the socket reads in one go. */
const KEPT = 64 * 1024;
let lastBytes = new Uint8Array(0);

/** The memory that a reply lies in. Replies that came together have it in common. */
function memoryOf({ buffer }: Buffer): Uint8Array<ArrayBuffer> {
  if (buffer === lastBytes.buffer) return lastBytes;
  const bytes = new Uint8Array(buffer as ArrayBuffer);
  if (bytes.length <= KEPT) lastBytes = bytes;
  return bytes;
}

/** {@linkcode readItem} without an object for it. */
export function showItem(bytes: Buffer, seen: number, into: ItemCursor): ItemCursor {
  const state = bytes[1];
  const at = bytes.byteOffset;
  into.bytes = memoryOf(bytes);
  into.start = at + HEADER;
  into.end = at + bytes.length;
  into.lender = undefined;
  into.flags = uint32(bytes, 8);
  into.exptime = exptimeOf(bytes);
  into.casHigh = uint32(bytes, 16);
  into.casLow = uint32(bytes, 20);
  into.stale = (state & STALE) !== 0;
  into.won = (state & WON) !== 0;
  into.fetched = seen >= 0 || (state & FETCHED) !== 0;
  into.accessed = seen >= 0 ? seen : uint32(bytes, 12);
  into.binaryKey = (state & BINARY_KEY) !== 0;
  into.version = revisionOf(bytes);
  return into;
}

/** An item of a listing, from its header and its length with the header; {@linkcode readItem} has `seen`. */
export function listedOf(
  key: Uint8Array,
  header: Uint8Array,
  length: number,
  seen: number,
): Listed {
  return { key, size: length - HEADER, ...attributesOf(header, seen) };
}
