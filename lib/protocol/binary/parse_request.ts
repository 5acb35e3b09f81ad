/**
 * The binary protocol: one frame to a request (memcached, `protocol_binary.h`, `proto_bin.c`).
 *
 * @module
 */

import { binaryString, bytesOf, equalBytes } from "../../bytes.ts";
import { failures } from "../outcome.ts";
import { MAX_KEY, type Op, type Request, type StoreMode } from "../request.ts";
import {
  ARITHMETIC_EXTRAS,
  DO_NOT_CREATE,
  EXPTIME_EXTRAS,
  HEADER_LENGTH,
  Offset,
  Opcode,
  STORE_EXTRAS,
} from "./frame.ts";
import { uint64 } from "../../uint64.ts";

/** A larger body is nobody's item (memcached's `ITEM_SIZE_MAX_UPPER_LIMIT`), in bytes. */
const MAX_BODY = 2 ** 30;
/** The longest name of a SASL mechanism, in bytes (`MAX_SASL_MECH_LEN`). */
const MAX_MECHANISM = 32;
/** The longest login that is read, in bytes. */
const MAX_LOGIN = 16 * 1024;

/**
 * What a frame amounts to.
 *
 * - `ready`: the request is in the header and the key, and the whole frame is to be there.
 * - `value`: and it has a value, which may be too large.
 * - `skip`: the body means nothing; then the request is there.
 * - `broken`: nothing behind it can be understood; the connection ends with the answer.
 */
export type Verdict = "ready" | "value" | "skip" | "broken";

/** What the frame of a command must look like, and what it asks. */
interface Row {
  readonly op: Op;
  readonly quiet: boolean;
  readonly key: "none" | "needed" | "allowed";
  /** The lengths that the extras may have, in bytes. */
  readonly extras: readonly number[];
  readonly hasValue: boolean;
  readonly mode: StoreMode;
}

const rows: (Row | undefined)[] = [];

function row(
  opcodes: readonly [usual: number, quiet?: number],
  op: Op,
  key: Row["key"],
  extras: readonly number[],
  hasValue = false,
  mode: StoreMode = "set",
): void {
  for (const [i, opcode] of opcodes.entries()) {
    rows[opcode!] = { op, quiet: i === 1, key, extras, hasValue, mode };
  }
}

row([Opcode.get, Opcode.getQ], "get", "needed", [0]);
row([Opcode.getK, Opcode.getKQ], "get", "needed", [0]);
row([Opcode.touch], "getAndChange", "needed", [EXPTIME_EXTRAS]);
row([Opcode.gat, Opcode.gatQ], "getAndChange", "needed", [EXPTIME_EXTRAS]);
row([Opcode.gatK, Opcode.gatKQ], "getAndChange", "needed", [EXPTIME_EXTRAS]);
row([Opcode.set, Opcode.setQ], "store", "needed", [STORE_EXTRAS], true);
row([Opcode.add, Opcode.addQ], "store", "needed", [STORE_EXTRAS], true, "add");
row([Opcode.replace, Opcode.replaceQ], "store", "needed", [STORE_EXTRAS], true, "replace");
row([Opcode.append, Opcode.appendQ], "store", "needed", [0], true, "append");
row([Opcode.prepend, Opcode.prependQ], "store", "needed", [0], true, "prepend");
row([Opcode.delete, Opcode.deleteQ], "delete", "needed", [0]);
row([Opcode.incr, Opcode.incrQ], "arithmetic", "needed", [ARITHMETIC_EXTRAS]);
row([Opcode.decr, Opcode.decrQ], "arithmetic", "needed", [ARITHMETIC_EXTRAS]);
row([Opcode.quit, Opcode.quitQ], "quit", "none", [0]);
row([Opcode.flush, Opcode.flushQ], "flush", "none", [0, EXPTIME_EXTRAS]);
row([Opcode.noop], "noop", "none", [0]);
row([Opcode.version], "version", "none", [0]);
row([Opcode.stat], "stats", "allowed", [0]);
row([Opcode.saslMechanisms], "mechanisms", "none", [0]);
row([Opcode.saslAuth], "login", "needed", [0], true);
row([Opcode.saslStep], "login", "needed", [0], true);

/** Whether a reply to this opcode carries the key. */
export function returnsKey(opcode: number): boolean {
  return opcode === Opcode.getK || opcode === Opcode.getKQ || opcode === Opcode.gatK ||
    opcode === Opcode.gatKQ;
}

/** The length of the body of the frame at `at`, in bytes. */
export function bodyLengthAt(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at + Offset.bodyLength);
}

/**
 * Reads a frame's header into a request, and of the body what has come: extras and key count only where
 * they are there.
 */
export function parseFrame(bytes: Uint8Array, at: number, request: Request): Verdict {
  const opcode = bytes[at + Offset.opcode];
  const keyLength = bytes[at + Offset.keyLength] << 8 | bytes[at + Offset.keyLength + 1];
  const extras = bytes[at + Offset.extrasLength];
  const body = bodyLengthAt(bytes, at);
  const row = rows[opcode];
  request.clear(row?.op ?? "malformed", bytes);
  request.extend();
  request.isBinary = true;
  request.opcode = opcode;
  request.opaque = uint32(bytes, at + Offset.opaque);
  if (keyLength + extras > body) return broken(request, failures.unknownCommand);
  if (body > MAX_BODY) return broken(request, failures.badFrame);
  if (keyLength > MAX_KEY) return broken(request, failures.badFrame);
  if (row === undefined) {
    request.refuse(failures.unknownCommand);
    return "skip";
  }
  const valueLength = body - keyLength - extras;
  if (
    !row.extras.includes(extras) || (!row.hasValue && valueLength > 0) ||
    (row.key === "needed" && keyLength === 0) || (row.key === "none" && keyLength > 0)
  ) {
    return broken(request, failures.badFrame);
  }
  const body0 = at + HEADER_LENGTH;
  request.quiet = row.quiet;
  request.mode = row.mode;
  request.keyStart = body0 + extras;
  request.keyEnd = request.keyStart + keyLength;
  request.valueStart = request.keyEnd;
  request.valueEnd = request.keyEnd + valueLength;
  request.wantsCas = true;
  request.cas = uint64At(bytes, at + Offset.cas);
  request.compares = request.cas !== 0n;
  return fill(request, bytes, body0, extras, valueLength);
}

function fill(
  request: Request,
  bytes: Uint8Array,
  extrasAt: number,
  extras: number,
  valueLength: number,
): Verdict {
  switch (request.op) {
    case "store":
      if (extras === STORE_EXTRAS) {
        request.flags = uint32(bytes, extrasAt);
        request.exptime = uint32(bytes, extrasAt + 4);
        // With a unique these three are one: change what has that unique.
        if (request.compares) request.mode = "set";
      }
      request.dropsOld = request.opcode === Opcode.set || request.opcode === Opcode.setQ;
      request.number = valueLength;
      return "value";
    case "getAndChange":
      request.touches = true;
      request.exptime = uint32(bytes, extrasAt);
      request.wantsValue = request.opcode !== Opcode.touch;
      break;
    case "arithmetic": {
      request.decrements = request.opcode === Opcode.decr || request.opcode === Opcode.decrQ;
      request.delta = uint64At(bytes, extrasAt);
      request.initial = uint64At(bytes, extrasAt + 8);
      const exptime = uint32(bytes, extrasAt + 16);
      request.vivifies = exptime !== DO_NOT_CREATE;
      request.vivifyExptime = exptime;
      break;
    }
    case "flush":
      if (extras > 0) request.exptime = uint32(bytes, extrasAt);
      break;
    case "quit":
      request.closes = true;
      break;
    case "login":
      if (request.keyEnd - request.keyStart > MAX_MECHANISM) {
        request.failure = failures.badFrame;
        return "skip";
      }
      if (valueLength > MAX_LOGIN) {
        request.failure = failures.outOfMemory;
        return "skip";
      }
      break;
  }
  return "ready";
}

function broken(request: Request, failure: typeof failures.badFrame): Verdict {
  request.refuse(failure);
  request.closes = true;
  return "broken";
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}

function uint64At(bytes: Uint8Array, at: number): bigint {
  const high = uint32(bytes, at);
  const low = uint32(bytes, at + 4);
  return (high | low) === 0 ? 0n : uint64(low, high);
}

/** Reads the words of a whole request for statistics, which stand in its key. */
export function readWords(request: Request): void {
  request.words = binaryString(request.key).split(" ").filter((word) => word !== "");
}

const PLAIN = bytesOf("PLAIN");

/**
 * Reads the message of a whole SASL login into the request's words, user and password; no words where
 * that is nobody's (RFC 4616: identity NUL user NUL password).
 */
export function readLogin(request: Request): void {
  const { opcode, key, value } = request;
  if (opcode !== Opcode.saslAuth || !equalBytes(key, PLAIN)) return;
  const parts = binaryString(value).split("\0");
  if (parts.length === 3) request.words = parts.slice(1);
}
