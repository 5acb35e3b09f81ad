/**
 * Outcomes to bytes, in the words of the meta commands (memcached, `doc/protocol.txt`, "Meta Commands").
 *
 * A reply repeats the flags of its request that ask for something, in the request's order: they are
 * read again where they lie.
 *
 * @module
 */

import { type ByteBuffer, bytesOf } from "../../bytes.ts";
import { breaksLines } from "../key.ts";
import { appendValue, type Outcome, sizeOf } from "../outcome.ts";
import type { Request } from "../request.ts";
import { encodeFailure, encodeUnsigned64, endLine } from "../text/format_reply.ts";
import { encodeKey } from "./base64.ts";
import { Flag } from "./flags.ts";

const SPACE = 0x20;
const ZERO = 0x30;

const HD = bytesOf("HD");
const NS = bytesOf("NS");
const EX = bytesOf("EX");
const NF = bytesOf("NF");
const EN = bytesOf("EN");
const VA = bytesOf("VA ");
const MN = bytesOf("MN\r\n");
const WON = bytesOf(" W");
const WON_BEFORE = bytesOf(" Z");
const STALE = bytesOf(" X");

/** Writes what came of a meta command to the end of `out`. */
export function encodeMeta(request: Request, outcome: Outcome, out: ByteBuffer): void {
  switch (outcome.code) {
    case "value":
      encodeValue(request, outcome, out);
      break;
    case "number":
      if (!request.quiet) encodeNumber(request, outcome, out);
      break;
    case "miss":
      if (request.op === "describe") out.ascii("EN\r\n");
      else if (!request.quiet) encodeStatus(EN, request, outcome, out);
      break;
    case "stored":
    case "deleted":
    case "touched":
      if (!request.quiet) encodeStatus(HD, request, outcome, out);
      break;
    case "notStored":
      encodeStatus(NS, request, outcome, out);
      break;
    case "exists":
      encodeStatus(EX, request, outcome, out);
      break;
    case "notFound":
      encodeStatus(NF, request, outcome, out);
      break;
    case "described":
      out.ascii(`ME `);
      if (goesInBase64(request, outcome.item.binaryKey)) encodeKey(request.key, out);
      else out.append(request.key);
      out.ascii(` ${outcome.text}\r\n`);
      break;
    case "noop":
      out.append(MN);
      break;
    case "failed":
      encodeFailure(outcome.failure, out);
      break;
    case "silent":
      break;
    default:
      throw new Error(`no words of the meta protocol for ${outcome.code}`);
  }
}

/** A hit of `mg`. */
function encodeValue(request: Request, outcome: Outcome, out: ByteBuffer): void {
  const { item } = outcome;
  const length = sizeOf(item);
  const withValue = request.wantsValue && !(request.compares && request.cas === item.cas);
  if (withValue) {
    out.reserveWith(length, item.lender, 64);
    out.append(VA);
    out.decimal(length);
  } else out.append(HD);
  const { bytes, flagsStart, flagsEnd } = request;
  let ttl = outcome.ttlBefore;
  for (let at = flagsStart; at < flagsEnd; at = nextWord(bytes, at, flagsEnd)) {
    switch (bytes[at]) {
      case Flag.size:
        encodeFlagNumber(Flag.size, length, out);
        break;
      case Flag.ttl:
        encodeTtl(ttl, out);
        break;
      case Flag.newTtl:
        ttl = outcome.ttl;
        break;
      case Flag.vivify:
        // An item that this request has made has this time from here on.
        if (outcome.created) ttl = outcome.ttlMade;
        break;
      case Flag.cas:
        encodeFlagCas(item.cas, out);
        break;
      case Flag.clientFlags:
        encodeFlagNumber(Flag.clientFlags, item.flags, out);
        break;
      case Flag.lastAccess:
        encodeFlagNumber(Flag.lastAccess, outcome.age, out);
        break;
      case Flag.hitBefore:
        encodeFlagNumber(Flag.hitBefore, item.fetched ? 1 : 0, out);
        break;
      case Flag.opaque:
        encodeOpaque(bytes, at, flagsEnd, out);
        break;
      case Flag.key:
        encodeFlagKey(request, item.binaryKey, out);
        break;
    }
  }
  if (outcome.wonBefore) out.append(WON_BEFORE);
  if (item.stale) out.append(STALE);
  if (outcome.won) out.append(WON);
  endLine(out);
  if (!withValue) return;
  appendValue(item, out);
  endLine(out);
}

/** What came of `ma`. */
function encodeNumber(request: Request, outcome: Outcome, out: ByteBuffer): void {
  const digits = outcome.number.toString();
  if (request.wantsValue) {
    out.append(VA);
    out.decimal(digits.length);
  } else out.append(HD);
  encodeFlags(request, outcome, true, out);
  endLine(out);
  if (!request.wantsValue) return;
  out.ascii(digits);
  endLine(out);
}

/** A status and the flags that go with it. */
function encodeStatus(
  word: Uint8Array,
  request: Request,
  outcome: Outcome,
  out: ByteBuffer,
): void {
  out.append(word);
  encodeFlags(request, outcome, request.op === "store", out);
  endLine(out);
}

/** The flags of all replies but the hits of `mg`. */
function encodeFlags(request: Request, outcome: Outcome, full: boolean, out: ByteBuffer): void {
  const { bytes, flagsStart, flagsEnd } = request;
  let ttl = outcome.ttlBefore;
  for (let at = flagsStart; at < flagsEnd; at = nextWord(bytes, at, flagsEnd)) {
    switch (bytes[at]) {
      case Flag.opaque:
        encodeOpaque(bytes, at, flagsEnd, out);
        break;
      case Flag.key:
        encodeFlagKey(request, request.binaryKey, out);
        break;
      case Flag.cas:
        if (full) encodeFlagCas(outcome.cas, out);
        break;
      case Flag.size:
        if (full && request.op === "store") encodeFlagNumber(Flag.size, outcome.size, out);
        break;
      case Flag.newTtl:
        ttl = outcome.ttl;
        break;
      case Flag.vivify:
        if (outcome.created) ttl = outcome.ttlMade;
        break;
      case Flag.ttl:
        if (full && request.op === "arithmetic") encodeTtl(ttl, out);
        break;
    }
  }
}

/** Where the next word starts; `end` where there is none. */
function nextWord(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== SPACE) at++;
  while (at < end && bytes[at] === SPACE) at++;
  return at;
}

function encodeFlagNumber(letter: number, value: number, out: ByteBuffer): void {
  out.byte(SPACE);
  out.byte(letter);
  out.decimal(value);
}

function encodeFlagCas(cas: bigint, out: ByteBuffer): void {
  out.byte(SPACE);
  out.byte(Flag.cas);
  encodeUnsigned64(cas, out);
}

function encodeTtl(ttl: number, out: ByteBuffer): void {
  out.byte(SPACE);
  out.byte(Flag.ttl);
  if (ttl < 0) {
    out.byte(0x2d);
    out.byte(ZERO + 1);
  } else out.decimal(ttl);
}

function encodeOpaque(bytes: Uint8Array, at: number, end: number, out: ByteBuffer): void {
  let to = at;
  while (to < end && bytes[to] !== SPACE) to++;
  out.byte(SPACE);
  out.appendPart(bytes, at, to);
}

/** Whether a key is written in base64: as it came, or where it would be no word of a line. */
function goesInBase64(request: Request, binary: boolean): boolean {
  return binary || request.binaryKey && breaksLines(request.key);
}

function encodeFlagKey(request: Request, binary: boolean, out: ByteBuffer): void {
  out.byte(SPACE);
  out.byte(Flag.key);
  if (!goesInBase64(request, binary)) return request.appendKey(out);
  encodeKey(request.key, out);
  out.ascii(" b");
}
