/**
 * Keys as a client names them.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";

/** A key: 1 to 250 bytes, or a text of that many bytes in UTF-8. */
export type Key = string | Uint8Array;

/** Why a key, or a line that somebody wrote, cannot be sent. */
export class KeyError extends RangeError {
  override name = "KeyError";
}

/** memcached's limit, in bytes. */
export const LONGEST_KEY = 250;

const SPACE = 0x20;

/** Whether a byte ends a word or a line of the text protocol, or is NUL, at which some servers stop. */
export function endsWord(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0;
}

/** Whether a key has bytes that no line can: it came in base64 or in a frame, and goes so. */
export function breaksLines(key: Uint8Array): boolean {
  return key.some((byte) => byte === SPACE || byte === 0x0a);
}

/** Whether the text protocol can name a key; the other two can name any bytes. */
export function isTextKey(key: Key): boolean {
  if (typeof key !== "string") return fitsLength(key.length) && !key.some(endsWord);
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f) return isTextKey(bytesOf(key));
    if (endsWord(code)) return false;
  }
  return fitsLength(key.length);
}

/**
 * The bytes of a key.
 *
 * @throws {KeyError} for a key that is empty or too long.
 */
export function keyBytes(key: Key): Uint8Array {
  const bytes = typeof key === "string" ? bytesOf(key) : key;
  checkKeyLength(bytes.length);
  return bytes;
}

/** @throws {KeyError} for a length, in bytes, that no key has. */
export function checkKeyLength(length: number): void {
  if (length === 0) throw new KeyError("a key has at least one byte");
  if (length > LONGEST_KEY) {
    throw new KeyError(`a key has at most ${LONGEST_KEY} bytes, this one has ${length}`);
  }
}

function fitsLength(length: number): boolean {
  return length > 0 && length <= LONGEST_KEY;
}
