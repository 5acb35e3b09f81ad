/**
 * Keys as object names and back; `FORMAT.md` tells the rules.
 *
 * @module
 */

import { binaryString, bytesOfBinaryString } from "../../bytes.ts";

/** The greatest prefix, in bytes of UTF-8, that leaves room for every key. */
export const greatestPrefix = 271;

const encoded = Array.from({ length: 256 }, (_, byte) => {
  const sign = String.fromCharCode(byte);
  return byte > 0x20 && byte < 0x7f && !"%#*?[\\]".includes(sign)
    ? sign
    : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

const plain = /^[!-"$&-)+->@-Z^-~]*$/;
const escapes = /%([0-9A-F]{2})/g;

/**
 * The name, after the prefix, of the object that holds a key's item.
 *
 * @param key the key as a {@linkcode binaryString}.
 */
export function nameOf(key: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  const spread = `${hex[hash & 0xff]}/`;
  if (plain.test(key)) return spread + key;
  let name = spread;
  for (let i = 0; i < key.length; i++) name += encoded[key.charCodeAt(i)];
  return name;
}

/** The key whose item an object of this name (after the prefix) holds; `undefined` for none. */
export function keyOf(name: string): Uint8Array | undefined {
  if (name[2] !== "/") return undefined;
  const key = name.slice(3).replace(
    escapes,
    (_, digits) => String.fromCharCode(parseInt(digits, 16)),
  );
  if (key.length === 0 || key.length > 250 || nameOf(key) !== name) return undefined;
  return bytesOfBinaryString(key);
}

/** What identifies a key inside the store. */
export const textOf: (key: Uint8Array) => string = binaryString;

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
