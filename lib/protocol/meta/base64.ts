/**
 * Keys in base64, as memcached reads them (`base64.c`): bytes that are no letter of it are passed over,
 * and nothing counts after the padding.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { ByteBuffer } from "../../bytes.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 0x3d;
const NONE = 0xff;

const VALUES = new Uint8Array(256).fill(NONE);
for (let i = 0; i < LETTERS.length; i++) VALUES[LETTERS.charCodeAt(i)] = i;

/** The bytes that a key in base64 stands for; `undefined` where it stands for none. */
export function decodeKey(
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array | undefined {
  const decoded: number[] = [];
  let letters = 0;
  let block = 0;
  let padding = 0;
  let done = false;
  for (let i = start; i < end; i++) {
    const isPad = bytes[i] === PAD;
    const value = isPad ? 0 : VALUES[bytes[i]];
    if (value === NONE) continue;
    letters++;
    if (done) continue;
    if (isPad) padding++;
    block = block << 6 | value;
    if (letters % 4 !== 0) continue;
    if (padding > 2) return undefined;
    decoded.push(block >>> 16 & 0xff, block >>> 8 & 0xff, block & 0xff);
    decoded.length -= padding;
    done = padding > 0;
    block = 0;
  }
  return letters === 0 || letters % 4 !== 0 || decoded.length === 0
    ? undefined
    : Uint8Array.from(decoded);
}

/** Writes a key in base64. */
export function encodeKey(key: Uint8Array, out: ByteBuffer): void {
  out.ascii(Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("base64"));
}
