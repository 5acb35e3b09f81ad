/**
 * What a client asks in the binary protocol.
 *
 * @module
 */

import { type ByteBuffer, bytesOf } from "../../bytes.ts";
import { OVER } from "../../exptime.ts";
import type { GetVerb, RequestWriter, StoreVerb } from "../client_dialect.ts";
import { type Key, keyBytes } from "../key.ts";
import {
  ARITHMETIC_EXTRAS,
  DO_NOT_CREATE,
  EXPTIME_EXTRAS,
  HEADER_LENGTH,
  Magic,
  Offset,
  Opcode,
  STORE_EXTRAS,
} from "./frame.ts";

/** The latest time that 32 bits hold. */
const LATEST = 0xffffffff;
/** A unique that no item has: 0 would say that there is no comparison. */
const NO_UNIQUE = 2n ** 64n - 1n;

const NOTHING = new Uint8Array();

const STORES: Readonly<Record<StoreVerb, number>> = {
  set: Opcode.set,
  cas: Opcode.set,
  add: Opcode.add,
  replace: Opcode.replace,
  append: Opcode.append,
  prepend: Opcode.prepend,
};

/**
 * The binary protocol. All frames of a request carry its opaque. What reads several keys asks for
 * each quietly, so that only hits are answered, and ends with a noop.
 */
export const binaryRequests: RequestWriter = {
  get(out, opaque, verb, key, exptime) {
    writeGet(out, opaque, verb, Opcode.getK, Opcode.gatK, key, exptime);
    return "value";
  },
  getMany(out, opaque, verb, keys, exptime) {
    for (const key of keys) {
      writeGet(out, opaque, verb, Opcode.getKQ, Opcode.gatKQ, key, exptime);
    }
    writeFrame(out, Opcode.noop, opaque, 0, NOTHING, 0);
    return "values";
  },
  store(out, opaque, verb, key, value, flags, exptime, unique) {
    const concatenates = verb === "append" || verb === "prepend";
    const extras = concatenates ? 0 : STORE_EXTRAS;
    const compared = verb === "cas" ? unique || NO_UNIQUE : 0n;
    let at = writeFrame(out, STORES[verb], opaque, extras, keyBytes(key), value.length, compared);
    if (!concatenates) {
      at = writeUint32(out.bytes, at, flags);
      writeUint32(out.bytes, at, exptimeOf(exptime));
    }
    out.append(value);
    return "stored";
  },
  delete(out, opaque, key) {
    writeFrame(out, Opcode.delete, opaque, 0, keyBytes(key), 0);
    return "deleted";
  },
  arithmetic(out, opaque, verb, key, delta) {
    const opcode = verb === "incr" ? Opcode.incr : Opcode.decr;
    let at = writeFrame(out, opcode, opaque, ARITHMETIC_EXTRAS, keyBytes(key), 0);
    at = writeUint64(out.bytes, at, delta);
    at = writeUint64(out.bytes, at, 0n);
    writeUint32(out.bytes, at, DO_NOT_CREATE);
    return "number";
  },
  touch(out, opaque, key, exptime) {
    const at = writeFrame(out, Opcode.touch, opaque, EXPTIME_EXTRAS, keyBytes(key), 0);
    writeUint32(out.bytes, at, exptimeOf(exptime));
    return "touched";
  },
  flushAll(out, opaque, delay) {
    const at = writeFrame(out, Opcode.flush, opaque, EXPTIME_EXTRAS, NOTHING, 0);
    writeUint32(out.bytes, at, exptimeOf(Math.max(0, delay)));
    return "done";
  },
  version(out, opaque) {
    writeFrame(out, Opcode.version, opaque, 0, NOTHING, 0);
    return "version";
  },
  noop(out, opaque) {
    writeFrame(out, Opcode.noop, opaque, 0, NOTHING, 0);
    return "done";
  },
  stats(out, opaque, group) {
    writeFrame(out, Opcode.stat, opaque, 0, group === undefined ? NOTHING : bytesOf(group), 0);
    return "stats";
  },
  verbosity(out, opaque, level) {
    const at = writeFrame(out, Opcode.verbosity, opaque, EXPTIME_EXTRAS, NOTHING, 0);
    writeUint32(out.bytes, at, level);
    return "done";
  },
  quit(out, opaque) {
    writeFrame(out, Opcode.quit, opaque, 0, NOTHING, 0);
    return "end";
  },
};

/** Asks for the mechanisms of SASL that the server has. */
export function writeSaslMechanisms(out: ByteBuffer, opaque: number): "mechanisms" {
  writeFrame(out, Opcode.saslMechanisms, opaque, 0, NOTHING, 0);
  return "mechanisms";
}

/** SASL PLAIN (RFC 4616): user and password, with no other identity. */
export function writeSaslPlain(
  out: ByteBuffer,
  opaque: number,
  user: string,
  password: string,
): "authenticated" {
  const message = bytesOf(`\0${user}\0${password}`);
  writeFrame(out, Opcode.saslAuth, opaque, 0, bytesOf("PLAIN"), message.length);
  out.append(message);
  return "authenticated";
}

function writeGet(
  out: ByteBuffer,
  opaque: number,
  verb: GetVerb,
  get: number,
  gat: number,
  key: Key,
  exptime: number,
): void {
  if (verb === "get" || verb === "gets") {
    writeFrame(out, get, opaque, 0, keyBytes(key), 0);
  } else {
    const at = writeFrame(out, gat, opaque, EXPTIME_EXTRAS, keyBytes(key), 0);
    writeUint32(out.bytes, at, exptimeOf(exptime));
  }
}

/**
 * Writes a header, room for extras, and a key; the caller writes the extras, and appends a value of
 * `valueLength` bytes.
 *
 * @returns where in `out.bytes` the extras go.
 */
function writeFrame(
  out: ByteBuffer,
  opcode: number,
  opaque: number,
  extrasLength: number,
  key: Uint8Array,
  valueLength: number,
  unique = 0n,
): number {
  out.reserve(HEADER_LENGTH + extrasLength + key.length + valueLength);
  const { bytes, length: start } = out;
  bytes[start + Offset.magic] = Magic.request;
  bytes[start + Offset.opcode] = opcode;
  bytes[start + Offset.keyLength] = key.length >>> 8;
  bytes[start + Offset.keyLength + 1] = key.length;
  bytes[start + Offset.extrasLength] = extrasLength;
  bytes[start + Offset.dataType] = 0;
  bytes[start + Offset.status] = 0;
  bytes[start + Offset.status + 1] = 0;
  writeUint32(bytes, start + Offset.bodyLength, extrasLength + key.length + valueLength);
  writeUint32(bytes, start + Offset.opaque, opaque);
  if (unique === 0n) bytes.fill(0, start + Offset.cas, start + HEADER_LENGTH);
  else writeUint64(bytes, start + Offset.cas, unique);
  const extrasAt = start + HEADER_LENGTH;
  bytes.set(key, extrasAt + extrasLength);
  out.length = extrasAt + extrasLength + key.length;
  return extrasAt;
}

/** An exptime in 32 bits without a sign: what is negative is over. */
function exptimeOf(exptime: number): number {
  return exptime < 0 ? OVER : Math.min(exptime, LATEST);
}

/** Writes a number, big endian, and returns where it ends. */
function writeUint32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

function writeUint64(bytes: Uint8Array, at: number, value: bigint): number {
  at = writeUint32(bytes, at, Number(value >> 32n & 0xffffffffn));
  return writeUint32(bytes, at, Number(value & 0xffffffffn));
}
