/**
 * Outcomes to bytes, in the words of the classic text protocol (memcached, `doc/protocol.txt`).
 *
 * @module
 */

import { type ByteBuffer, bytesOf, bytesOfBinaryString } from "../../bytes.ts";
import {
  appendValue,
  type Code,
  type Failure,
  type FailureCode,
  type Outcome,
  sizeOf,
} from "../outcome.ts";
import type { Request } from "../request.ts";

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;

/** The outcomes that are always the same line. */
const words: { readonly [Word in Code]?: Uint8Array } = {
  notStored: bytesOf("NOT_STORED\r\n"),
  exists: bytesOf("EXISTS\r\n"),
  notFound: bytesOf("NOT_FOUND\r\n"),
  deleted: bytesOf("DELETED\r\n"),
  touched: bytesOf("TOUCHED\r\n"),
  ok: bytesOf("OK\r\n"),
  reset: bytesOf("RESET\r\n"),
};

/** What a line begins with that says a failure. */
const failureWords: { readonly [Word in FailureCode]: string } = {
  unknownCommand: "ERROR",
  badRequest: "CLIENT_ERROR",
  badFrame: "CLIENT_ERROR",
  tooLarge: "SERVER_ERROR",
  outOfMemory: "SERVER_ERROR",
  notNumeric: "CLIENT_ERROR",
  storeFailed: "SERVER_ERROR",
  notAllowed: "CLIENT_ERROR",
  unauthenticated: "CLIENT_ERROR",
  wrongPassword: "CLIENT_ERROR",
  refused: "ERROR",
  busy: "BUSY",
  badClass: "BADCLASS",
  sameClass: "SAME",
  noSpare: "NOSPARE",
  memoryLimitTooSmall: "MEMLIMIT_TOO_SMALL",
  memoryLimitFailed: "MEMLIMIT_ADJUST_FAILED",
  shutdownNotEnabled: "SERVER_ERROR:",
  tooManyWatchers: "WATCHER_TOO_MANY",
  noCertificates: "Error",
};

const STORED = bytesOf("STORED\r\n");
const VALUE = bytesOf("VALUE ");
const END = bytesOf("END\r\n");
/** What a value's reply has beside key and value, in bytes: flags, length and cas unique at their longest. */
const MOST_BESIDE = "VALUE  4294967295 4294967295 18446744073709551615\r\n\r\nEND\r\n".length;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Writes what came of a classic command to the end of `out`. */
export function encodeText(request: Request, outcome: Outcome, out: ByteBuffer): void {
  switch (outcome.code) {
    case "value":
      encodeValue(request, outcome, out);
      break;
    case "stored":
      // By its name: a look by the code costs more, and most changes are this.
      out.append(STORED);
      break;
    case "miss":
      if (!request.hasMore) out.append(END);
      break;
    case "number":
      encodeUnsigned64(outcome.number, out);
      endLine(out);
      break;
    case "failed":
      encodeFailure(outcome.failure, out);
      break;
    case "version":
      out.ascii(`VERSION ${outcome.text}\r\n`);
      break;
    case "figures":
    case "entries":
      encodeLines(outcome, outcome.lines, out);
      outcome.begun = 0;
      out.append(END);
      break;
    case "prefixes":
      out.append(bytesOfBinaryString(outcome.text));
      out.append(END);
      break;
    case "silent":
      break;
    default: {
      const word = words[outcome.code];
      if (word === undefined) throw new Error(`no words of the text protocol for ${outcome.code}`);
      out.append(word);
    }
  }
}

/** Writes the line that says a failure. */
export function encodeFailure({ code, sentence }: Failure, out: ByteBuffer): void {
  const word = failureWords[code];
  out.append(bytesOf(sentence === "" ? `${word}\r\n` : `${word} ${sentence}\r\n`));
}

function encodeValue(request: Request, outcome: Outcome, out: ByteBuffer): void {
  const { item } = outcome;
  const { bytes, keyStart, keyEnd, wantsCas } = request;
  const length = sizeOf(item);
  // One reservation for the line, the value and the ends.
  out.reserveWith(length, item.lender, keyEnd - keyStart + MOST_BESIDE);
  out.append(VALUE);
  out.appendPart(bytes, keyStart, keyEnd);
  out.byte(SPACE);
  out.decimal(item.flags);
  out.byte(SPACE);
  out.decimal(length);
  if (wantsCas) {
    out.byte(SPACE);
    encodeUnsigned64(item.cas, out);
  }
  endLine(out);
  appendValue(item, out);
  endLine(out);
  if (!request.hasMore) out.append(END);
}

/** Writes figures, or the lines of `stats cachedump`, up to one of them. */
export function encodeLines(outcome: Outcome, to: number, out: ByteBuffer): void {
  const { code, figures, entries } = outcome;
  for (; outcome.begun < to; outcome.begun++) {
    if (code === "figures") {
      const [name, value] = figures[outcome.begun];
      out.text(`STAT ${name} ${value}\r\n`);
    } else {
      const { key, size, exptime } = entries[outcome.begun];
      out.ascii("ITEM ");
      out.append(key);
      out.ascii(` [${size} b; ${Math.ceil(exptime / 1000)} s]\r\n`);
    }
  }
}

/** Writes an unsigned number of 64 bits in decimal digits. */
export function encodeUnsigned64(value: bigint, out: ByteBuffer): void {
  if (value <= MAX_SAFE) out.decimal(Number(value));
  else out.ascii(value.toString());
}

/** Ends a line. */
export function endLine(out: ByteBuffer): void {
  out.byte(CR);
  out.byte(LF);
}
