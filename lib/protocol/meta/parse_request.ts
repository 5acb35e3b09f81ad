/**
 * The meta commands: one line of bytes to a request (memcached, `doc/protocol.txt`, "Meta Commands", and
 * `proto_parser.c`).
 *
 * @module
 */

import { badRequest, type Failure, failures } from "../outcome.ts";
import { MAX_KEY, type Op, type Request } from "../request.ts";
import { refuse, type Row, row, type Verdict } from "../text/grammar.ts";
import type { Tokens } from "../text/tokens.ts";
import { decodeKey } from "./base64.ts";
import { Flag, hasForeignWord, lastMode, longOpaque, readFlags } from "./flags.ts";

const INT32_MAX = 0x7fffffff;

const badStoreMode = badRequest("invalid mode for ms M token");
const badArithmeticMode = badRequest("invalid mode for ma M token");
/** What `ma` says of all that is wrong with its flags, but for an opaque that is too long. */
const badArithmeticFlag = badRequest("invalid or duplicate flag");

/** The rows of the meta commands. */
export const metaRows: readonly Row[] = [
  row("mg", 2, get),
  row("ms", 3, store),
  row("md", 2, remove),
  row("ma", 2, arithmetic),
  row("me", 2, describe),
  row("mn", 1, (tokens, request) => {
    request.clear("noop", tokens.bytes);
    request.extend();
    request.isMeta = true;
    return "ready";
  }),
];

function begin(op: Op, tokens: Tokens, request: Request): void {
  request.clear(op, tokens.bytes);
  request.extend();
  request.isMeta = true;
  request.wantsValue = false;
  request.competes = true;
  request.keyStart = tokens.startOf(1);
  request.keyEnd = tokens.endOf(1);
}

function get(tokens: Tokens, request: Request): Verdict {
  begin("get", tokens, request);
  const failure = readFlags(tokens, 2, request);
  if (failure !== undefined) return refuse(request, failure);
  if (request.touches || request.vivifies || request.recaches) request.op = "getAndChange";
  return "ready";
}

function store(tokens: Tokens, request: Request): Verdict {
  begin("store", tokens, request);
  const length = tokens.signed32(2);
  // Without a length nobody knows where the value ends: what follows is read as commands.
  if (
    length === undefined || length < 0 || length > INT32_MAX - 2 || hasForeignWord(tokens, 3)
  ) {
    return refuse(request, failures.badFormat);
  }
  const flagFailure = readFlags(tokens, 3, request);
  const failure = flagFailure === undefined || flagFailure === longOpaque
    ? storeMode(request) ?? flagFailure
    : flagFailure;
  request.number = length;
  request.dropsOld = true;
  if (failure !== undefined) {
    request.refuse(failure);
    return "skip";
  }
  return "value";
}

function storeMode(request: Request): Failure | undefined {
  switch (lastMode()) {
    case 0:
    case 0x53: // S
      break;
    case 0x45: // E
      request.mode = "add";
      request.compares = false;
      break;
    case 0x41: // A
      request.mode = "append";
      break;
    case 0x50: // P
      request.mode = "prepend";
      break;
    case 0x52: // R
      request.mode = "replace";
      break;
    default:
      return badStoreMode;
  }
  if (request.mode !== "append" && request.mode !== "prepend") request.vivifies = false;
  return undefined;
}

function remove(tokens: Tokens, request: Request): Verdict {
  begin("delete", tokens, request);
  const failure = readFlags(tokens, 2, request);
  return failure === undefined ? "ready" : refuse(request, failure);
}

function arithmetic(tokens: Tokens, request: Request): Verdict {
  begin("arithmetic", tokens, request);
  if (hasForeignWord(tokens, 2)) return refuse(request, failures.badFormat);
  const failure = readFlags(tokens, 2, request);
  if (failure !== undefined && failure !== longOpaque) return refuse(request, badArithmeticFlag);
  switch (lastMode()) {
    case 0:
    case 0x49: // I
    case 0x2b: // +
      break;
    case 0x44: // D
    case 0x2d: // -
      request.decrements = true;
      break;
    default:
      return refuse(request, badArithmeticMode);
  }
  if (failure !== undefined) return refuse(request, failure);
  // A cas unique of 0 is no condition here.
  if (request.cas === 0n) request.compares = false;
  return "ready";
}

/** `me key [b]`: the key in base64 only where another word follows, as in memcached. */
function describe(tokens: Tokens, request: Request): Verdict {
  begin("describe", tokens, request);
  if (hasForeignWord(tokens, 2)) return refuse(request, failures.badFormat);
  const isBase64 = tokens.count >= 4 && tokens.lengthOf(2) === 1 &&
    tokens.bytes[tokens.startOf(2)] === Flag.base64;
  if (!isBase64) {
    return tokens.lengthOf(1) > MAX_KEY ? refuse(request, failures.badFormat) : "ready";
  }
  const key = decodeKey(tokens.bytes, request.keyStart, request.keyEnd);
  if (key === undefined || key.length > MAX_KEY) return refuse(request, failures.badFormat);
  request.decodedKey = key;
  request.binaryKey = true;
  return "ready";
}
