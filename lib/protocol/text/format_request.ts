/**
 * What a client asks in the classic commands of the text protocol.
 *
 * @module
 */

import { type ByteBuffer, bytesOf } from "../../bytes.ts";
import type { Expect, GetVerb, RequestWriter, StoreVerb } from "../client_dialect.ts";
import { checkKeyLength, endsWord, isTextKey, type Key, KeyError } from "../key.ts";

const SPACE = 0x20;
const MINUS = 0x2d;

/** The classic commands. Keys that the text protocol cannot name are refused. */
export const textRequests: RequestWriter = {
  get(out, _opaque, verb, key, exptime) {
    writeGet(out, verb, exptime);
    writeKey(out, key);
    endLine(out);
    return "value";
  },
  getMany(out, _opaque, verb, keys, exptime) {
    writeGet(out, verb, exptime);
    for (const key of keys) writeKey(out, key);
    endLine(out);
    return "values";
  },
  store(out, _opaque, verb, key, value, flags, exptime, unique) {
    writeStore(out, verb, key, value, flags, exptime, unique);
    return "stored";
  },
  delete(out, _opaque, key) {
    out.ascii("delete");
    writeKey(out, key);
    endLine(out);
    return "deleted";
  },
  arithmetic(out, _opaque, verb, key, delta) {
    out.ascii(verb);
    writeKey(out, key);
    out.ascii(` ${delta}`);
    endLine(out);
    return "number";
  },
  touch(out, _opaque, key, exptime) {
    out.ascii("touch");
    writeKey(out, key);
    writeInteger(out, exptime);
    endLine(out);
    return "touched";
  },
  flushAll(out, _opaque, delay) {
    writeLine(out, delay === 0 ? "flush_all" : `flush_all ${delay}`);
    return "done";
  },
  version(out) {
    writeLine(out, "version");
    return "version";
  },
  noop(out) {
    // The text protocol has none; this one costs the server next to nothing.
    writeLine(out, "version");
    return "version";
  },
  stats(out, _opaque, group) {
    writeLine(out, group === undefined ? "stats" : `stats ${group}`);
    return "stats";
  },
  verbosity(out, _opaque, level) {
    writeLine(out, `verbosity ${level}`);
    return "done";
  },
  quit(out) {
    writeLine(out, "quit");
    return "end";
  },
};

/** `set auth 0 0 length` and `user password`: how a client logs in where there is an auth file. */
export function writeLogin(out: ByteBuffer, user: string, password: string): "stored" {
  writeStore(out, "set", "auth", bytesOf(`${user} ${password}`), 0, 0, 0n);
  return "stored";
}

/**
 * A line as it is.
 *
 * @throws {KeyError} for what is more than one: the rest of it would be a request of its own.
 */
export function writeLine(out: ByteBuffer, line: string): void {
  if (/[\r\n]/.test(line)) throw new KeyError("a line may hold no line end");
  out.append(bytesOf(line));
  endLine(out);
}

/** The shape of the reply to a line that a person typed. */
export function expectationOf(
  line: string,
): Extract<Expect, "values" | "list" | "meta" | "dump" | "line"> {
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

/** `get`, `gets`, `gat exptime`, `gats exptime` */
function writeGet(out: ByteBuffer, verb: GetVerb, exptime: number): void {
  out.ascii(verb);
  if (verb === "gat" || verb === "gats") writeInteger(out, exptime);
}

/** `set key flags exptime length`, its data block, and for `cas` the unique. */
function writeStore(
  out: ByteBuffer,
  verb: StoreVerb,
  key: Key,
  value: Uint8Array,
  flags: number,
  exptime: number,
  unique: bigint,
): void {
  out.ascii(verb);
  writeKey(out, key);
  writeInteger(out, flags);
  writeInteger(out, exptime);
  writeInteger(out, value.length);
  if (verb === "cas") out.ascii(` ${unique}`);
  endLine(out);
  out.append(value);
  endLine(out);
}

/** Writes a space and a key. */
export function writeKey(out: ByteBuffer, key: Key): void {
  if (typeof key !== "string") return writeKeyBytes(out, key);
  const length = key.length;
  out.reserve(length + 1);
  const bytes = out.bytes;
  let at = out.length;
  bytes[at++] = SPACE;
  for (let i = 0; i < length; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f || endsWord(code)) return writeKeyBytes(out, bytesOf(key));
    bytes[at++] = code;
  }
  checkKeyLength(length);
  out.length = at;
}

function writeKeyBytes(out: ByteBuffer, key: Uint8Array): void {
  if (!isTextKey(key)) {
    checkKeyLength(key.length);
    throw new KeyError("a key may not hold spaces, line ends or NUL");
  }
  out.byte(SPACE);
  out.append(key);
}

/** Writes a space and an integer. */
export function writeInteger(out: ByteBuffer, value: number): void {
  out.byte(SPACE);
  if (value < 0) {
    out.byte(MINUS);
    value = -value;
  }
  out.decimal(value);
}

export function endLine(out: ByteBuffer): void {
  out.reserve(2);
  out.bytes[out.length++] = 0x0d;
  out.bytes[out.length++] = 0x0a;
}
