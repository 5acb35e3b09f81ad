/**
 * What a client asks: requests to bytes, in the text protocol, and the meta commands for the keys
 * that the text protocol cannot name.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type ByteBuffer, bytesOf } from "../bytes.ts";
import { MAX_KEY, type StorageOp } from "./message.ts";
import type { Expect } from "./response.ts";

/** A key: 1 to 250 bytes, or a text of that many bytes in UTF-8. */
export type Key = string | Uint8Array;

/** Why a key cannot be sent. */
export class KeyError extends RangeError {
  override name = "KeyError";
}

const SPACE = 0x20;

/** The bytes that end a word or a line of the text protocol, and NUL, at which some servers stop. */
function endsWord(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0;
}

/** Whether the text protocol can name a key. The others need {@linkcode writeMetaGet}. */
export function isTextKey(key: Uint8Array): boolean {
  return key.length > 0 && key.length <= MAX_KEY && !key.some(endsWord);
}

/** `get key…`, `gets key…`, `gat exptime key…`, `gats exptime key…` */
export function writeGet(
  out: ByteBuffer,
  verb: "get" | "gets" | "gat" | "gats",
  keys: readonly Key[],
  exptime = 0,
): void {
  const start = out.length;
  out.ascii(verb);
  if (verb === "gat" || verb === "gats") writeInteger(out, exptime);
  for (const key of keys) writeKey(out, key, start);
  endLine(out);
}

/** `set key flags exptime length`, its data block, and for `cas` the unique. */
export function writeStore(
  out: ByteBuffer,
  verb: StorageOp,
  key: Key,
  value: Uint8Array,
  flags: number,
  exptime: number,
  cas?: bigint,
): void {
  const start = out.length;
  out.ascii(verb);
  writeKey(out, key, start);
  writeInteger(out, flags);
  writeInteger(out, exptime);
  writeInteger(out, value.length);
  if (cas !== undefined) out.ascii(` ${cas}`);
  endLine(out);
  out.append(value);
  endLine(out);
}

/** `delete key` */
export function writeDelete(out: ByteBuffer, key: Key): void {
  const start = out.length;
  out.ascii("delete");
  writeKey(out, key, start);
  endLine(out);
}

/** `touch key exptime` */
export function writeTouch(out: ByteBuffer, key: Key, exptime: number): void {
  const start = out.length;
  out.ascii("touch");
  writeKey(out, key, start);
  writeInteger(out, exptime);
  endLine(out);
}

/** `incr key delta`, `decr key delta` */
export function writeArithmetic(
  out: ByteBuffer,
  verb: "incr" | "decr",
  key: Key,
  delta: bigint,
): void {
  const start = out.length;
  out.ascii(verb);
  writeKey(out, key, start);
  out.ascii(` ${delta}`);
  endLine(out);
}

/** `mg <base64> b f v`: reads a key of any bytes. */
export function writeMetaGet(out: ByteBuffer, key: Uint8Array): void {
  out.ascii(`mg ${base64(key)} b f v\r\n`);
}

/** `ms <base64> length b F… T…`: stores under a key of any bytes; `mode` is `S` or `E` for add. */
export function writeMetaSet(
  out: ByteBuffer,
  key: Uint8Array,
  value: Uint8Array,
  flags: number,
  exptime: number,
  mode: "S" | "E",
): void {
  out.ascii(`ms ${base64(key)} ${value.length} b F${flags} T${exptime} M${mode}\r\n`);
  out.append(value);
  endLine(out);
}

/** A line as it is, which must hold no line end. */
export function writeLine(out: ByteBuffer, line: string): void {
  out.append(bytesOf(line));
  endLine(out);
}

/** The shape of the reply to a line that a person typed. */
export function expectationOf(line: string): Expect {
  const [command, subcommand] = line.trim().split(/ +/);
  switch (command) {
    case "get":
    case "gets":
    case "gat":
    case "gats":
      return "values";
    case "stats":
      return "list";
    case "mg":
    case "ms":
    case "md":
    case "ma":
    case "me":
    case "mn":
      return "meta";
    case "lru_crawler":
      return subcommand?.endsWith("dump") ? "dump" : "line";
    default:
      return "line";
  }
}

/** Writes a space and a key. A key that cannot be sent takes back what was written since `start`. */
function writeKey(out: ByteBuffer, key: Key, start: number): void {
  if (typeof key !== "string") return writeKeyBytes(out, key, start);
  const length = key.length;
  out.reserve(length + 1);
  const bytes = out.bytes;
  let at = out.length;
  bytes[at++] = SPACE;
  for (let i = 0; i < length; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f || endsWord(code)) return writeKeyBytes(out, bytesOf(key), start);
    bytes[at++] = code;
  }
  if (length === 0 || length > MAX_KEY) refuseKey(out, length, start);
  out.length = at;
}

function writeKeyBytes(out: ByteBuffer, key: Uint8Array, start: number): void {
  if (!isTextKey(key)) refuseKey(out, key.length, start);
  out.byte(SPACE);
  out.append(key);
}

function refuseKey(out: ByteBuffer, length: number, start: number): never {
  out.length = start;
  checkKeyLength(length);
  throw new KeyError("a key may not hold spaces, line ends or NUL");
}

/** @throws {KeyError} for a key that is empty or too long. */
export function checkKeyLength(length: number): void {
  if (length === 0) throw new KeyError("a key has at least one byte");
  if (length > MAX_KEY) {
    throw new KeyError(`a key has at most ${MAX_KEY} bytes, this one has ${length}`);
  }
}

function writeInteger(out: ByteBuffer, value: number): void {
  out.byte(SPACE);
  if (value < 0) {
    out.byte(0x2d);
    value = -value;
  }
  out.decimal(value);
}

function endLine(out: ByteBuffer): void {
  out.reserve(2);
  out.bytes[out.length++] = 0x0d;
  out.bytes[out.length++] = 0x0a;
}

function base64(key: Uint8Array): string {
  checkKeyLength(key.length);
  return Buffer.from(key).toString("base64");
}
