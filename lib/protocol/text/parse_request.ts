/**
 * The classic text protocol: one line of bytes to a request.
 *
 * Which line gets which words of refusal follows the current memcached (1.6.45, `proto_parser.c`,
 * `proto_text.c`, `doc/protocol.txt`).
 *
 * @module
 */

import { badRequest, type Failure, failures, refused } from "../outcome.ts";
import { MAX_KEY, type Op, type Request, type StoreMode } from "../request.ts";
import { type Grammar, type Row, row, type Verdict } from "./grammar.ts";
import type { Tokens } from "./tokens.ts";

const SPACE = 0x20;
const INT32_MAX = 0x7fffffff;
/** memcached has slab classes up to this one. */
const MAX_SLAB_CLASS = 63;

/** The rows of the classic commands. */
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
  row("stats", 1, (tokens, request) => withWords("stats", tokens, request)),
  row("watch", 1, (tokens, request) => withWords("watch", tokens, request)),
  row("quit", 1, quit),
  row("flush_all", 1, flushAll, true),
  row("verbosity", 1, verbosity, true),
  row("shutdown", 1, (tokens, request) => withWords("shutdown", tokens, request), true),
  row("cache_memlimit", 1, memoryLimit, true),
  row("lru_crawler", 1, crawler, true),
  row("lru", 1, lru, true),
  row("slabs", 1, slabs, true),
  row("extstore", 1, extstore, true),
  row("refresh_certs", 1, simple("refreshCertificates"), true),
  row("debugtime", 1, (tokens, request) => withWords("moveClock", tokens, request), true),
];

function simple(op: Op): Grammar {
  return (tokens, request) => {
    request.clear(op, tokens.bytes);
    return "ready";
  };
}

function withWords(op: Op, tokens: Tokens, request: Request): Verdict {
  request.clear(op, tokens.bytes);
  request.words = tokens.textsFrom(1);
  request.extend();
  return "ready";
}

function refuse(request: Request, failure: Failure): Verdict {
  request.refuse(failure);
  return "ready";
}

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
}

/** The retrieval that was read last. */
export const found: Retrieval = { touches: false, exptime: 0, wantsCas: false, start: 0, end: 0 };

function retrieval(tokens: Tokens, request: Request, unique: boolean, touches: boolean): Verdict {
  const { bytes } = tokens;
  found.exptime = 0;
  if (touches) {
    const exptime = tokens.signed32(1);
    if (exptime === undefined) return refuseLine(bytes, request, failures.badExptime);
    found.exptime = exptime;
  }
  const start = tokens.startOf(touches ? 2 : 1);
  const end = tokens.lastEnd;
  // One key too long spoils the line: no key of it may have been answered by then.
  let word = start;
  for (let i = start; i <= end; i++) {
    if (i < end && bytes[i] !== SPACE) continue;
    if (i - word > MAX_KEY) return refuseLine(bytes, request, failures.badFormat);
    word = i + 1;
  }
  found.touches = touches;
  found.wantsCas = unique;
  found.start = start;
  found.end = end;
  return "keys";
}

function refuseLine(bytes: Uint8Array, request: Request, failure: Failure): Verdict {
  request.clear("malformed", bytes);
  return refuse(request, failure);
}

function storage(tokens: Tokens, request: Request, mode: StoreMode): Verdict {
  const length = tokens.unsigned(4);
  // Without a length nobody knows where the value ends: what follows is read as commands.
  if (length < 0 || length >= INT32_MAX - 1) {
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

function verbosity(tokens: Tokens, request: Request): Verdict {
  request.clear("verbosity", tokens.bytes);
  request.noreply = tokens.hasNoreply;
  const level = tokens.count < 2 ? -1 : tokens.unsigned32(1);
  if (level < 0) return refuse(request, failures.badFormat);
  request.number = level;
  return "ready";
}

function memoryLimit(tokens: Tokens, request: Request): Verdict {
  request.clear("memoryLimit", tokens.bytes);
  request.noreply = tokens.hasNoreply;
  const megabytes = tokens.count < 2 ? -1 : tokens.unsigned32(1);
  if (megabytes < 0) return refuse(request, failures.unknownCommand);
  request.number = megabytes;
  return "ready";
}

const crawlerCommands = [
  ["enable", 2],
  ["disable", 2],
  ["crawl", 3],
  ["metadump", 3],
  ["mgdump", 3],
  ["tocrawl", 3],
  ["sleep", 3],
] as const;

/** What the LRU crawler does in memcached: here only its listings have work to do. */
function crawler(tokens: Tokens, request: Request): Verdict {
  request.clear("crawl", tokens.bytes);
  request.noreply = tokens.hasNoreply;
  const word = tokens.count > 1 ? tokens.textOf(1) : "";
  const name = crawlerCommands.find(([name, words]) =>
    words === tokens.count && isStart(word, name)
  )?.[0];
  if (name === undefined) return refuse(request, failures.unknownCommand);
  request.words = [name, ...tokens.textsFrom(2)];
  request.extend();
  if (name === "metadump" || name === "mgdump") request.op = "dump";
  if (name !== "tocrawl" && name !== "sleep") return "ready";
  const argument = tokens.unsigned32(2);
  if (argument < 0) return refuse(request, failures.badFormat);
  return name === "sleep" && argument > 1_000_000
    ? refuse(request, badRequest("sleep must be one second or less"))
    : "ready";
}

function lru(tokens: Tokens, request: Request): Verdict {
  request.clear("tune", tokens.bytes);
  request.noreply = tokens.hasNoreply;
  const command = tokens.count > 1 ? tokens.textOf(1) : "";
  if (isStart(command, "tune") && tokens.count >= 6) return tune(tokens, request);
  if (isStart(command, "mode") && tokens.count >= 3) {
    return isStart(tokens.textOf(2), "flat", "segmented")
      ? "ready"
      : refuse(request, failures.unknownCommand);
  }
  if (isStart(command, "temp_ttl") && tokens.count >= 3 && tokens.signed32(2) !== undefined) {
    return "ready";
  }
  return refuse(request, failures.unknownCommand);
}

function tune(tokens: Tokens, request: Request): Verdict {
  const hot = tokens.unsigned32(2);
  const warm = tokens.unsigned32(3);
  const factors = [decimalOf(tokens, 4), decimalOf(tokens, 5)];
  if (hot < 0 || warm < 0 || factors.some(Number.isNaN)) {
    return refuse(request, failures.unknownCommand);
  }
  if (hot + warm > 80) return refuse(request, refused("hot and warm pcts must not exceed 80"));
  if (factors.some((factor) => factor <= 0)) {
    return refuse(request, refused("hot/warm age factors must be greater than 0"));
  }
  return "ready";
}

function slabs(tokens: Tokens, request: Request): Verdict {
  request.clear("tune", tokens.bytes);
  request.noreply = tokens.hasNoreply;
  const command = tokens.count > 1 ? tokens.textOf(1) : "";
  if (tokens.count === 4 && isStart(command, "reassign")) {
    return refuse(request, reassign(tokens.signed32(2), tokens.signed32(3)));
  }
  if (tokens.count >= 3 && isStart(command, "automove")) return automove(tokens, request);
  return refuse(request, failures.unknownCommand);
}

/** Why no page of memory goes from one slab class to another: there are no pages. */
function reassign(from: number | undefined, to: number | undefined): Failure {
  if (from === undefined || to === undefined) return failures.badFormat;
  if (from === to) return failures.sameClass;
  const isClass = (id: number) => id >= 1 && id <= MAX_SLAB_CLASS;
  return (from === -1 || isClass(from)) && isClass(to) ? failures.noSpare : failures.badClasses;
}

function automove(tokens: Tokens, request: Request): Verdict {
  const what = tokens.textOf(2);
  if (isStart(what, "ratio", "freeratio")) {
    return tokens.count < 4 || Number.isNaN(decimalOf(tokens, 3))
      ? refuse(request, failures.unknownCommand)
      : "ready";
  }
  if (isStart(what, "window")) {
    const window = tokens.count < 4 ? -1 : tokens.unsigned32(3);
    if (window < 0) return refuse(request, failures.badFormat);
    return window < 3 || window > 1800
      ? refuse(request, badRequest("automove window too low or too high"))
      : "ready";
  }
  const level = tokens.unsigned32(2);
  if (level < 0) return refuse(request, failures.badFormat);
  return level > 2 ? refuse(request, failures.unknownCommand) : "ready";
}

const extstoreNumbers = [
  "item_size",
  "item_age",
  "low_ttl",
  "recache_rate",
  "compact_under",
  "drop_under",
  "max_sleep",
  "drop_unread",
] as const;

function extstore(tokens: Tokens, request: Request): Verdict {
  request.clear("tune", tokens.bytes);
  request.noreply = tokens.hasNoreply;
  const command = tokens.count > 2 ? tokens.textOf(1) : "";
  const isKnown = isStart(command, ...extstoreNumbers)
    ? tokens.unsigned32(2) >= 0
    : isStart(command, "max_frag")
    ? !Number.isNaN(decimalOf(tokens, 2))
    : isStart(command, "free_memchunks") && tokens.count > 3 && tokens.unsigned32(2) >= 0 &&
      tokens.unsigned32(2) < 64 && tokens.unsigned32(3) >= 0;
  return isKnown ? "ready" : refuse(request, failures.unknownCommand);
}

/** Whether a word is one of the names, or the start of one: memcached compares no further. */
function isStart(word: string, ...names: readonly string[]): boolean {
  return word !== "" && names.some((name) => name.startsWith(word));
}

function decimalOf(tokens: Tokens, token: number): number {
  const text = tokens.textOf(token);
  return /^[-+]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
}
