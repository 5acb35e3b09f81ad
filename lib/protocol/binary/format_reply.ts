/**
 * Outcomes to frames of the binary protocol (memcached, `protocol_binary.h`, `proto_bin.c`).
 *
 * @module
 */

import { type ByteBuffer, bytesOf, bytesOfBinaryString } from "../../bytes.ts";
import { appendValue, type Failure, type FailureCode, type Outcome, sizeOf } from "../outcome.ts";
import type { Request } from "../request.ts";
import { GET_REPLY_EXTRAS, HEADER_LENGTH, Magic, Opcode, Status } from "./frame.ts";
import { returnsKey } from "./parse_request.ts";

/** What the frame of an error says in words. */
const texts: { readonly [Code in number]?: Uint8Array } = {
  [Status.notFound]: bytesOf("Not found"),
  [Status.exists]: bytesOf("Data exists for key."),
  [Status.tooLarge]: bytesOf("Too large."),
  [Status.invalidArguments]: bytesOf("Invalid arguments"),
  [Status.notStored]: bytesOf("Not stored."),
  [Status.notNumeric]: bytesOf("Non-numeric server-side value for incr or decr"),
  [Status.authFailure]: bytesOf("Auth failure."),
  [Status.unknownCommand]: bytesOf("Unknown command"),
  [Status.outOfMemory]: bytesOf("Out of memory"),
};

const statuses: { readonly [Code in FailureCode]: number } = {
  unknownCommand: Status.unknownCommand,
  badRequest: Status.invalidArguments,
  badFrame: Status.invalidArguments,
  tooLarge: Status.tooLarge,
  outOfMemory: Status.outOfMemory,
  notNumeric: Status.notNumeric,
  storeFailed: Status.internalError,
  notAllowed: Status.authFailure,
  unauthenticated: Status.authFailure,
  wrongPassword: Status.authFailure,
  refused: Status.notSupported,
  busy: Status.busy,
  badClass: Status.invalidArguments,
  sameClass: Status.invalidArguments,
  noSpare: Status.invalidArguments,
  memoryLimitTooSmall: Status.invalidArguments,
  memoryLimitFailed: Status.invalidArguments,
  shutdownNotEnabled: Status.notSupported,
  tooManyWatchers: Status.busy,
  noCertificates: Status.notSupported,
};

const NOTHING = new Uint8Array(0);
const AUTHENTICATED = bytesOf("Authenticated");
const DETAILED = bytesOf("detailed");

/** Writes what came of a request to the end of `out`. */
export function encodeBinary(request: Request, outcome: Outcome, out: ByteBuffer): void {
  const { opcode, opaque } = request;
  switch (outcome.code) {
    case "value":
      encodeValue(request, outcome, out);
      break;
    case "miss":
      if (!request.quiet) encodeMiss(request, out);
      break;
    case "stored":
      if (!request.quiet) header(out, opcode, Status.ok, 0, 0, 0, opaque, outcome.cas);
      break;
    case "number":
      if (request.quiet) break;
      header(out, opcode, Status.ok, 0, 0, 8, opaque, outcome.cas);
      uint64(out, outcome.number);
      break;
    case "notStored":
      error(out, opcode, notStoredStatus(request), opaque);
      break;
    case "exists":
      error(out, opcode, Status.exists, opaque);
      break;
    case "notFound":
      error(out, opcode, Status.notFound, opaque);
      break;
    case "version":
    case "mechanisms":
      encodeBody(request, bytesOf(outcome.text), out);
      break;
    case "authenticated":
      encodeBody(request, AUTHENTICATED, out);
      break;
    case "figures":
      encodeFigures(outcome, outcome.lines, opaque, out);
      outcome.begun = 0;
      stat(out, NOTHING, NOTHING, opaque);
      break;
    case "prefixes":
      stat(out, DETAILED, bytesOfBinaryString(`${outcome.text}END\r\n`), opaque);
      stat(out, NOTHING, NOTHING, opaque);
      break;
    case "entries":
      // memcached lists keys over text alone.
      error(out, opcode, Status.notFound, opaque);
      break;
    case "failed":
      encodeFailure(opcode, opaque, outcome.failure, out);
      break;
    case "deleted":
    case "ok":
    case "noop":
    case "reset":
      if (!request.quiet) header(out, opcode, Status.ok, 0, 0, 0, opaque, 0n);
      break;
    case "silent":
      break;
    default:
      throw new Error(`no frame of the binary protocol for ${outcome.code}`);
  }
}

/** Writes figures up to one of them. There are no frames of entries. */
export function encodeFigures(
  outcome: Outcome,
  to: number,
  opaque: number,
  out: ByteBuffer,
): void {
  const { code, figures } = outcome;
  for (; outcome.begun < to; outcome.begun++) {
    if (code !== "figures") continue;
    const [name, value] = figures[outcome.begun];
    stat(out, bytesOf(name), bytesOf(String(value)), opaque);
  }
}

/** Answers a request with an error. */
export function encodeFailure(
  opcode: number,
  opaque: number,
  { code, sentence }: Failure,
  out: ByteBuffer,
): void {
  // Which statistics there are is asked like a key.
  const isUnknown = code === "unknownCommand" || code === "badRequest";
  const status = opcode === Opcode.stat && isUnknown ? Status.notFound : statuses[code];
  const text = texts[status] ?? bytesOf(sentence);
  header(out, opcode, status, 0, 0, text.length, opaque, 0n);
  out.append(text);
}

function encodeValue(request: Request, outcome: Outcome, out: ByteBuffer): void {
  const { opcode, opaque } = request;
  const { item } = outcome;
  const keyLength = returnsKey(opcode) ? request.keyEnd - request.keyStart : 0;
  const valueLength = request.wantsValue ? sizeOf(item) : 0;
  const body = GET_REPLY_EXTRAS + keyLength + valueLength;
  out.reserveWith(valueLength, item.lender, HEADER_LENGTH + body - valueLength);
  header(out, opcode, Status.ok, GET_REPLY_EXTRAS, keyLength, body, opaque, item.cas);
  uint32(out, item.flags);
  if (keyLength > 0) out.appendPart(request.bytes, request.keyStart, request.keyEnd);
  if (valueLength > 0) appendValue(item, out);
}

function encodeMiss(request: Request, out: ByteBuffer): void {
  const { opcode, opaque } = request;
  if (!returnsKey(opcode)) return error(out, opcode, Status.notFound, opaque);
  const length = request.keyEnd - request.keyStart;
  header(out, opcode, Status.notFound, 0, length, length, opaque, 0n);
  out.appendPart(request.bytes, request.keyStart, request.keyEnd);
}

function notStoredStatus({ mode }: Request): number {
  if (mode === "add") return Status.exists;
  return mode === "replace" ? Status.notFound : Status.notStored;
}

function encodeBody({ opcode, opaque }: Request, body: Uint8Array, out: ByteBuffer): void {
  header(out, opcode, Status.ok, 0, 0, body.length, opaque, 0n);
  out.append(body);
}

function error(out: ByteBuffer, opcode: number, status: number, opaque: number): void {
  const text = texts[status]!;
  header(out, opcode, status, 0, 0, text.length, opaque, 0n);
  out.append(text);
}

function stat(out: ByteBuffer, name: Uint8Array, value: Uint8Array, opaque: number): void {
  const body = name.length + value.length;
  header(out, Opcode.stat, Status.ok, 0, name.length, body, opaque, 0n);
  out.append(name);
  out.append(value);
}

function header(
  out: ByteBuffer,
  opcode: number,
  status: number,
  extrasLength: number,
  keyLength: number,
  bodyLength: number,
  opaque: number,
  cas: bigint,
): void {
  out.reserve(HEADER_LENGTH);
  const { bytes, length: at } = out;
  bytes[at] = Magic.reply;
  bytes[at + 1] = opcode;
  bytes[at + 2] = keyLength >>> 8;
  bytes[at + 3] = keyLength;
  bytes[at + 4] = extrasLength;
  bytes[at + 5] = 0;
  bytes[at + 6] = status >>> 8;
  bytes[at + 7] = status;
  out.length = at + 8;
  uint32(out, bodyLength);
  uint32(out, opaque);
  uint64(out, cas);
}

function uint32(out: ByteBuffer, value: number): void {
  out.reserve(4);
  const { bytes, length: at } = out;
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  out.length = at + 4;
}

function uint64(out: ByteBuffer, value: bigint): void {
  if (value <= 0xffffffffn) {
    uint32(out, 0);
    uint32(out, Number(value));
  } else {
    uint32(out, Number(value >> 32n));
    uint32(out, Number(value & 0xffffffffn));
  }
}
