/**
 * What a client asks in meta commands. A key that a line cannot hold goes as base64.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { ByteBuffer } from "../../bytes.ts";
import type { GetVerb, RequestWriter, StoreVerb } from "../client_dialect.ts";
import { isTextKey, type Key, keyBytes } from "../key.ts";
import { endLine, textRequests, writeInteger, writeLine } from "../text/format_request.ts";

const SPACE = 0x20;
const BASE64_FLAG = " b";

/** The modes of ms, by what the classic commands call them; S is what it does without one. */
const MODES: Readonly<Record<StoreVerb, string>> = {
  set: "",
  cas: "",
  add: " ME",
  replace: " MR",
  append: " MA",
  prepend: " MP",
};

/** The meta commands, and for what they do not have the classic ones, which share the connection. */
export const metaRequests: RequestWriter = {
  get(out, _opaque, verb, key, exptime) {
    const numbered = writeGet(out, verb, key, exptime, 0);
    if (!numbered) {
      endLine(out);
      return "mg";
    }
    out.ascii(" q\r\nmn\r\n");
    return { keys: [key] };
  },
  getMany(out, _opaque, verb, keys, exptime) {
    let numbered = false;
    for (let i = 0; i < keys.length; i++) {
      if (writeGet(out, verb, keys[i]!, exptime, i)) numbered = true;
      out.ascii(" q\r\n");
    }
    writeLine(out, "mn");
    return numbered ? { keys } : "mgs";
  },
  store(out, _opaque, verb, key, value, flags, exptime, unique) {
    out.ascii("ms");
    writeKeyAndLength(out, key, value.length);
    if (flags !== 0) out.ascii(` F${flags}`);
    if (exptime !== 0) out.ascii(` T${exptime}`);
    out.ascii(MODES[verb]);
    if (verb === "cas") out.ascii(` C${unique}`);
    endLine(out);
    out.append(value);
    endLine(out);
    return "ms";
  },
  delete(out, _opaque, key) {
    out.ascii("md");
    writeMetaKey(out, key);
    endLine(out);
    return "md";
  },
  arithmetic(out, _opaque, verb, key, delta) {
    out.ascii("ma");
    writeMetaKey(out, key);
    out.ascii(` v D${delta}`);
    if (verb === "decr") out.ascii(" MD");
    endLine(out);
    return "ma";
  },
  touch(out, _opaque, key, exptime) {
    out.ascii("mg");
    writeMetaKey(out, key);
    out.ascii(` T${exptime}`);
    endLine(out);
    return "mt";
  },
  noop(out) {
    writeLine(out, "mn");
    return "mn";
  },
  flushAll: textRequests.flushAll,
  version: textRequests.version,
  stats: textRequests.stats,
  verbosity: textRequests.verbosity,
  quit: textRequests.quit,
};

/** A meta command with the flags as given, whose reply is read as it is: `mg key v N30`. */
export function writeMeta(
  out: ByteBuffer,
  command: "mg" | "md" | "ma",
  key: Key,
  flags: readonly string[],
): "meta" {
  out.ascii(command);
  writeMetaKey(out, key);
  for (const flag of flags) out.ascii(` ${flag}`);
  endLine(out);
  return "meta";
}

/** `ms` with the flags as given, whose reply is read as it is. */
export function writeMetaSet(
  out: ByteBuffer,
  key: Key,
  value: Uint8Array,
  flags: readonly string[],
): "meta" {
  out.ascii("ms");
  writeKeyAndLength(out, key, value.length);
  for (const flag of flags) out.ascii(` ${flag}`);
  endLine(out);
  out.append(value);
  endLine(out);
  return "meta";
}

/** `me key`: what a server knows of an item. */
export function writeMetaDebug(out: ByteBuffer, key: Key): "meta" {
  out.ascii("me");
  writeMetaKey(out, key);
  endLine(out);
  return "meta";
}

/**
 * `mg` that asks for the key, the flags, the value, and where it is wanted the cas unique; for the
 * place instead of the key where that goes as base64, which it returns.
 */
function writeGet(
  out: ByteBuffer,
  verb: GetVerb,
  key: Key,
  exptime: number,
  place: number,
): boolean {
  out.ascii("mg");
  const base64 = writeMetaKey(out, key);
  if (base64) out.ascii(` O${place}`);
  else out.ascii(" k");
  out.ascii(verb === "gets" || verb === "gats" ? " f c v" : " f v");
  if (verb === "gat" || verb === "gats") out.ascii(` T${exptime}`);
  return base64;
}

/** Writes a space and a key, and behind one in base64, which it returns, the flag that says so. */
function writeMetaKey(out: ByteBuffer, key: Key): boolean {
  const base64 = writeKeyAlone(out, key);
  if (base64) out.ascii(BASE64_FLAG);
  return base64;
}

/** Writes a space, a key and the length of a value; the flag of base64 comes behind that. */
function writeKeyAndLength(out: ByteBuffer, key: Key, length: number): void {
  const base64 = writeKeyAlone(out, key);
  writeInteger(out, length);
  if (base64) out.ascii(BASE64_FLAG);
}

/** Returns whether it has written base64. */
function writeKeyAlone(out: ByteBuffer, key: Key): boolean {
  out.byte(SPACE);
  const bytes = keyBytes(key);
  const plain = isTextKey(bytes);
  if (plain) out.append(bytes);
  else out.ascii(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64"));
  return !plain;
}
