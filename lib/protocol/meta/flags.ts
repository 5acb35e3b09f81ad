/**
 * The flags of the meta commands: letters, some with a token behind them (memcached, `proto_parser.c`,
 * `_meta_flag_preparse`).
 *
 * @module
 */

import { badRequest, type Failure, failures } from "../outcome.ts";
import { MAX_KEY, type Request } from "../request.ts";
import type { Tokens } from "../text/tokens.ts";
import { decodeKey } from "./base64.ts";

const SPACE = 0x20;
/** Words of a meta command, at most (`MFLAG_MAX_OPT_LENGTH`). */
const MAX_WORDS = 20;
/** An opaque with its letter, in bytes, at most (`MFLAG_MAX_OPAQUE_LENGTH`). */
const MAX_OPAQUE = 32;
/** 250 bytes in base64. */
const MAX_BASE64 = 336;

/** The letters of the flags, as they stand in `doc/protocol.txt`. */
export const Flag = {
  base64: 0x62, // b
  cas: 0x63, // c
  clientFlags: 0x66, // f
  hitBefore: 0x68, // h
  key: 0x6b, // k
  lastAccess: 0x6c, // l
  quiet: 0x71, // q
  size: 0x73, // s
  ttl: 0x74, // t
  noUpdate: 0x75, // u
  value: 0x76, // v
  empties: 0x78, // x
  compare: 0x43, // C
  delta: 0x44, // D
  newCas: 0x45, // E
  setFlags: 0x46, // F
  invalidate: 0x49, // I
  initial: 0x4a, // J
  proxyL: 0x4c, // L
  mode: 0x4d, // M
  vivify: 0x4e, // N
  opaque: 0x4f, // O
  proxyP: 0x50, // P
  recache: 0x52, // R
  newTtl: 0x54, // T
} as const;

const badToken = badRequest("bad token in command line format");
const badDelta = badRequest("invalid numeric delta value");
const badInitial = badRequest("invalid numeric initial value");
const duplicateFlag = badRequest("duplicate flag");
const invalidFlag = badRequest("invalid flag");
const tooManyFlags = badRequest("options flags are too long");
const badKey = badRequest("error decoding key");
/** Said by every command alike, where nothing else is wrong. */
export const longOpaque = badRequest("opaque token too long");

/** The bit of each flag among those of a line, by its letter; 0 for what is no flag. */
const bits = new Uint32Array(0x80);
Object.values(Flag).forEach((letter, i) => bits[letter] = 1 << i);

/** The bits of some flags. */
function bitsOf(...flags: readonly number[]): number {
  return flags.reduce((sum, letter) => sum | bits[letter], 0);
}

const VALUE = bitsOf(Flag.value);
const CAS = bitsOf(Flag.cas);
const TIMES = bitsOf(Flag.ttl, Flag.lastAccess);
const QUIET = bitsOf(Flag.quiet);
const NO_UPDATE = bitsOf(Flag.noUpdate);
const EMPTIES = bitsOf(Flag.empties);
const INVALIDATE = bitsOf(Flag.invalidate);
/** Flags that say nothing but that they are there, and do so to the request. */
const MARKS = CAS | TIMES | QUIET | NO_UPDATE | EMPTIES | INVALIDATE;
/** Flags that a reply may repeat. */
const RETURNED = CAS | TIMES |
  bitsOf(Flag.key, Flag.size, Flag.clientFlags, Flag.hitBefore, Flag.opaque);
/** Flags that say nothing to the request, whatever stands behind their letters. */
const SILENT = bitsOf(
  Flag.key,
  Flag.size,
  Flag.clientFlags,
  Flag.hitBefore,
  Flag.proxyL,
  Flag.proxyP,
);
/** Flags that are more than their letter. */
const READ = ~(VALUE | MARKS | SILENT);

let mode = 0;

/** The letter of the mode (`M`) that the last {@linkcode readFlags} found; 0 for none. */
export function lastMode(): number {
  return mode;
}

/** Whether what should be a flag is none: memcached then does not look at the line any further. */
export function hasForeignWord({ bytes, count, at }: Tokens, first: number): boolean {
  for (let i = first; i < count; i++) {
    const letter = bytes[at[2 * i]];
    if (!(letter >= 0x41 && letter <= 0x7a) && !(letter >= 0x30 && letter <= 0x39)) return true;
  }
  return false;
}

/** Reads the flags from word `first` on; returns what is wrong with them. */
export function readFlags(tokens: Tokens, first: number, request: Request): Failure | undefined {
  const { bytes, count, at } = tokens;
  mode = 0;
  if (tokens.lengthOf(1) > MAX_KEY && isKeyTooLong(tokens, first)) return failures.badFormat;
  if (count > MAX_WORDS) return refusal(tokens, first, tooManyFlags);
  let seen = 0;
  let failure: Failure | undefined;
  let opaqueIsLong = false;
  for (let i = first; i < count; i++) {
    const letter = bytes[at[2 * i]];
    const bit = letter < 0x80 ? bits[letter] : 0;
    if (bit === 0) return refusal(tokens, first, invalidFlag);
    if ((seen & bit) !== 0) return refusal(tokens, first, duplicateFlag);
    seen |= bit;
    if ((bit & READ) === 0) continue;
    const found = readFlag(tokens, i, letter, request);
    if (found === longOpaque) opaqueIsLong = true;
    // The last one counts, but for one of a flag that has no words of its own.
    else failure = found === failures.badFormat ? failure ?? found : found ?? failure;
  }
  request.wantsValue = (seen & VALUE) !== 0;
  if ((seen & MARKS) !== 0) setMarks(request, seen);
  if ((seen & RETURNED) !== 0) {
    request.flagsStart = at[2 * first];
    request.flagsEnd = tokens.lastEnd;
  }
  return failure ?? (opaqueIsLong ? longOpaque : undefined);
}

/** Whether a key of more than 250 letters is none, which is told before what is wrong with flags. */
function isKeyTooLong(tokens: Tokens, first: number): boolean {
  if (tokens.lengthOf(1) > MAX_BASE64) return true;
  for (let i = first; i < tokens.count; i++) {
    if (tokens.bytes[tokens.startOf(i)] === Flag.base64) return false;
  }
  return true;
}

/** A line is refused for a word that cannot be a flag before anything else. */
function refusal(tokens: Tokens, first: number, failure: Failure): Failure {
  return hasForeignWord(tokens, first) ? failures.badFormat : failure;
}

function setMarks(request: Request, seen: number): void {
  request.wantsCas = (seen & CAS) !== 0;
  request.wantsTimes = (seen & TIMES) !== 0;
  request.quiet = (seen & QUIET) !== 0;
  request.peeks = (seen & NO_UPDATE) !== 0;
  request.empties = (seen & EMPTIES) !== 0;
  request.invalidates = (seen & INVALIDATE) !== 0;
}

/** Reads a flag that is more than its letter. */
function readFlag(
  tokens: Tokens,
  token: number,
  letter: number,
  request: Request,
): Failure | undefined {
  switch (letter) {
    case Flag.opaque:
      return tokens.lengthOf(token) > MAX_OPAQUE ? longOpaque : undefined;
    case Flag.base64:
      return readBase64(tokens, request);
    case Flag.mode:
      mode = tokens.lengthOf(token) > 1 ? tokens.bytes[tokens.startOf(token) + 1] : SPACE;
      return undefined;
    case Flag.setFlags: {
      const flags = tokens.unsigned32(token, 1);
      if (flags < 0) return failures.badFormat;
      request.flags = flags;
      return undefined;
    }
    case Flag.newTtl:
    case Flag.vivify:
    case Flag.recache:
      return readTime(tokens, token, letter, request);
    default:
      return readUnsigned64(tokens, token, letter, request);
  }
}

function readBase64(tokens: Tokens, request: Request): Failure | undefined {
  const key = decodeKey(tokens.bytes, request.keyStart, request.keyEnd);
  if (key === undefined) return badKey;
  if (key.length > MAX_KEY) return failures.badFormat;
  request.decodedKey = key;
  request.binaryKey = true;
  return undefined;
}

function readTime(
  tokens: Tokens,
  token: number,
  letter: number,
  request: Request,
): Failure | undefined {
  const seconds = tokens.signed32(token, 1);
  if (seconds === undefined) return badToken;
  if (letter === Flag.newTtl) {
    request.touches = true;
    request.exptime = seconds;
    request.touchesVivified = request.vivifies;
  } else if (letter === Flag.vivify) {
    request.vivifies = true;
    request.vivifyExptime = seconds;
    request.touchesVivified = false;
  } else {
    request.recaches = true;
    request.recacheTime = seconds;
    request.recachesTouched = request.touches;
  }
  return undefined;
}

function readUnsigned64(
  tokens: Tokens,
  token: number,
  letter: number,
  request: Request,
): Failure | undefined {
  const value = tokens.unsigned64(token, 1);
  if (value === undefined) {
    return letter === Flag.delta ? badDelta : letter === Flag.initial ? badInitial : badToken;
  }
  if (letter === Flag.compare) {
    request.compares = true;
    request.cas = value;
  } else if (letter === Flag.newCas) request.newCas = value;
  else if (letter === Flag.delta) request.delta = value;
  else request.initial = value;
  return undefined;
}
