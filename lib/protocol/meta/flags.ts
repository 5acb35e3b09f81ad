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
const longOpaque = badRequest("opaque token too long");

/** Which letters the line of the last {@linkcode readFlags} has, by the low bits of the letter. */
let seenLow = 0;
let seenHigh = 0;
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
  seenLow = seenHigh = mode = 0;
  if (count > first) {
    request.flagsStart = at[2 * first];
    request.flagsEnd = tokens.lastEnd;
  }
  if (tokens.lengthOf(1) > MAX_BASE64 || hasForeignWord(tokens, first)) return failures.badFormat;
  if (count > MAX_WORDS) return tooManyFlags;
  let failure: Failure | undefined;
  for (let i = first; i < count; i++) {
    const letter = bytes[at[2 * i]];
    if (isRepeated(letter)) return duplicateFlag;
    const found = readFlag(tokens, i, letter, request);
    if (found === invalidFlag) return invalidFlag;
    // The last one counts, but for one of a flag that has no words of its own.
    failure = found === failures.badFormat ? failure ?? found : found ?? failure;
  }
  if (request.decodedKey.length === 0 && tokens.lengthOf(1) > MAX_KEY) {
    return failure ?? failures.badFormat;
  }
  return failure;
}

function isRepeated(letter: number): boolean {
  if (letter >= 0x7f) return true;
  const bit = 1 << (letter & 31);
  if (letter >= 0x60) {
    if ((seenLow & bit) !== 0) return true;
    seenLow |= bit;
  } else if (letter >= 0x40) {
    if ((seenHigh & bit) !== 0) return true;
    seenHigh |= bit;
  }
  return false;
}

function readFlag(
  tokens: Tokens,
  token: number,
  letter: number,
  request: Request,
): Failure | undefined {
  switch (letter) {
    case Flag.value:
      request.wantsValue = true;
      break;
    case Flag.cas:
      request.wantsCas = true;
      break;
    case Flag.ttl:
    case Flag.lastAccess:
      request.wantsTimes = true;
      break;
    case Flag.key:
    case Flag.size:
    case Flag.clientFlags:
    case Flag.hitBefore:
    case Flag.proxyL:
    case Flag.proxyP:
      break;
    case Flag.quiet:
      request.quiet = true;
      break;
    case Flag.noUpdate:
      request.peeks = true;
      break;
    case Flag.empties:
      request.empties = true;
      break;
    case Flag.invalidate:
      request.invalidates = true;
      break;
    case Flag.opaque:
      return tokens.lengthOf(token) > MAX_OPAQUE ? longOpaque : undefined;
    case Flag.base64:
      return readBase64(tokens, request);
    case Flag.mode:
      mode = tokens.lengthOf(token) > 1 ? tokens.bytes[tokens.startOf(token) + 1] : SPACE;
      break;
    case Flag.setFlags: {
      const flags = tokens.unsigned32(token, 1);
      if (flags < 0) return failures.badFormat;
      request.flags = flags;
      break;
    }
    case Flag.newTtl:
    case Flag.vivify:
    case Flag.recache:
      return readTime(tokens, token, letter, request);
    case Flag.compare:
    case Flag.newCas:
    case Flag.delta:
    case Flag.initial:
      return readUnsigned64(tokens, token, letter, request);
    default:
      return invalidFlag;
  }
  return undefined;
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
  } else if (letter === Flag.vivify) {
    request.vivifies = true;
    request.vivifyExptime = seconds;
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
