/**
 * The classic text protocol: one line of bytes to a request.
 *
 * Which line gets which words of refusal follows the current memcached (1.6.45, `proto_parser.c`,
 * `proto_text.c`, `doc/protocol.txt`).
 *
 * @module
 */

import { badRequest, type Failure, failures } from "../outcome.ts";
import { MAX_KEY, type Op, type Request, type StoreMode } from "../request.ts";
import { refuse, type Row, row, simple, type Verdict } from "./grammar.ts";
import type { Tokens } from "./tokens.ts";

const SPACE = 0x20;
const INT32_MAX = 0x7fffffff;

/** The rows of the commands on items; those for operators are in `parse_admin.ts`. */
export const textRows: readonly Row[] = [
  row("get", 2, (tokens, request) => retrieval(tokens, request, false, false)),
  row("gets", 2, (tokens, request) => retrieval(tokens, request, true, false)),
  row("gat", 3, (tokens, request) => retrieval(tokens, request, false, true)),
  row("gats", 3, (tokens, request) => retrieval(tokens, request, true, true)),
  row("set", 5, (tokens, request) => storage(tokens, request, "set")),
  row("add", 5, (tokens, request) => storage(tokens, request, "add")),
  row("replace", 5, (tokens, request) => storage(tokens, request, "replace")),
  row("append", 5, (tokens, request) => storage(tokens, request, "append")),
  row("prepend", 5, (tokens, request) => storage(tokens, request, "prepend")),
  row("cas", 5, compareAndSwap),
  row("incr", 3, (tokens, request) => arithmetic(tokens, request, false)),
  row("decr", 3, (tokens, request) => arithmetic(tokens, request, true)),
  row("delete", 2, remove),
  row("touch", 3, touch),
  row("version", 1, simple("version")),
  row("quit", 1, quit),
  row("flush_all", 1, flushAll, true),
];

/** Begins a request whose key is the second word. */
function begin(op: Op, tokens: Tokens, request: Request): void {
  request.clear(op, tokens.bytes);
  request.keyStart = tokens.startOf(1);
  request.keyEnd = tokens.endOf(1);
  request.noreply = tokens.hasNoreply;
}

/** What the line of a retrieval says of all its keys, which stand from `start` to `end`. */
export interface Retrieval {
  touches: boolean;
  exptime: number;
  wantsCas: boolean;
  start: number;
  end: number;
  /** Whether it is one key. */
  isOne: boolean;
}

/** The retrieval that was read last. */
export const found: Retrieval = {
  touches: false,
  exptime: 0,
  wantsCas: false,
  start: 0,
  end: 0,
  isOne: false,
};

function retrieval(tokens: Tokens, request: Request, unique: boolean, touches: boolean): Verdict {
  const { bytes } = tokens;
  found.exptime = 0;
  if (touches) {
    const exptime = tokens.signed32(1);
    if (exptime === undefined) return refuseLine(bytes, request, failures.badExptime);
    found.exptime = exptime;
  }
  const first = touches ? 2 : 1;
  const start = tokens.startOf(first);
  const end = tokens.lastEnd;
  found.touches = touches;
  found.wantsCas = unique;
  found.start = start;
  found.end = end;
  found.isOne = tokens.count === first + 1;
  if (found.isOne) {
    return end - start > MAX_KEY ? refuseLine(bytes, request, failures.badFormat) : "keys";
  }
  // One key too long spoils the line: no key of it may have been answered by then.
  let word = start;
  for (let i = start; i <= end; i++) {
    if (i < end && bytes[i] !== SPACE) continue;
    if (i - word > MAX_KEY) return refuseLine(bytes, request, failures.badFormat);
    word = i + 1;
  }
  return "keys";
}

function refuseLine(bytes: Uint8Array, request: Request, failure: Failure): Verdict {
  request.clear("malformed", bytes);
  return refuse(request, failure);
}

function storage(tokens: Tokens, request: Request, mode: StoreMode): Verdict {
  const length = tokens.signed32(4);
  // Without a length nobody knows where the value ends: what follows is read as commands.
  if (length === undefined || length < 0 || length > INT32_MAX - 2) {
    return refuseLine(tokens.bytes, request, failures.badFormat);
  }
  begin("store", tokens, request);
  request.mode = mode;
  request.dropsOld = mode === "set";
  request.number = length;
  const flags = tokens.lowUnsigned32(2);
  const exptime = tokens.truncated32(3);
  if (tokens.lengthOf(1) > MAX_KEY || flags < 0 || exptime === undefined) {
    return skipped(request);
  }
  request.flags = flags;
  request.exptime = exptime;
  return "value";
}

function compareAndSwap(tokens: Tokens, request: Request): Verdict {
  const verdict = storage(tokens, request, "set");
  if (verdict !== "value") return verdict;
  const cas = tokens.count > 5 ? tokens.unsigned64(5) : undefined;
  if (cas === undefined) return skipped(request);
  request.compares = true;
  request.cas = cas;
  request.extend();
  request.dropsOld = false;
  return "value";
}

/** The value of a bad line is swallowed before the refusal. */
function skipped(request: Request): Verdict {
  request.refuse(failures.badFormat);
  return "skip";
}

function arithmetic(tokens: Tokens, request: Request, decrements: boolean): Verdict {
  begin("arithmetic", tokens, request);
  request.decrements = decrements;
  if (tokens.lengthOf(1) > MAX_KEY) return refuse(request, failures.badFormat);
  const delta = tokens.unsigned64(2);
  if (delta === undefined) return refuse(request, failures.badDelta);
  request.delta = delta;
  request.extend();
  return "ready";
}

/**
 * A delete may have a time of 0. Later memcacheds take any words behind the key; libmemcached's
 * `memccapable` wants them refused, as 1.6.18 and those before it did.
 */
function remove(tokens: Tokens, request: Request): Verdict {
  begin("delete", tokens, request);
  const words = tokens.count - (request.noreply ? 1 : 0);
  if (words > 3 || (words === 3 && tokens.textOf(2) !== "0")) return refuse(request, deleteUsage);
  return tokens.lengthOf(1) > MAX_KEY ? refuse(request, failures.badFormat) : "ready";
}

const deleteUsage = badRequest("bad command line format.  Usage: delete <key> [noreply]");

function touch(tokens: Tokens, request: Request): Verdict {
  begin("touch", tokens, request);
  if (tokens.lengthOf(1) > MAX_KEY) return refuse(request, failures.badFormat);
  const exptime = tokens.signed32(2);
  if (exptime === undefined) return refuse(request, failures.badExptime);
  request.exptime = exptime;
  return "ready";
}

function quit(tokens: Tokens, request: Request): Verdict {
  request.clear("quit", tokens.bytes);
  request.noreply = request.closes = true;
  return "ready";
}

function flushAll(tokens: Tokens, request: Request): Verdict {
  request.clear("flush", tokens.bytes);
  request.noreply = tokens.hasNoreply;
  if (tokens.count === (request.noreply ? 2 : 1)) return "ready";
  const delay = tokens.signed32(1);
  if (delay === undefined) return refuse(request, failures.badExptime);
  request.exptime = delay;
  return "ready";
}
