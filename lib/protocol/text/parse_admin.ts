/**
 * The lines of the text protocol that operators use: statistics, watching, and settings of what memcached has
 * and kvs mostly has not (memcached 1.6.45, `proto_text.c`).
 *
 * @module
 */

import { badRequest, type Failure, failures, refused } from "../outcome.ts";
import type { Op, Request } from "../request.ts";
import { type Grammar, refuse, type Row, row, simple, type Verdict } from "./grammar.ts";
import type { Tokens } from "./tokens.ts";

/** memcached has slab classes up to this one. */
const MAX_SLAB_CLASS = 63;

/** The rows of the commands for operators. */
export const adminRows: readonly Row[] = [
  row("stats", 1, withWords("stats")),
  row("watch", 1, withWords("watch")),
  row("verbosity", 1, verbosity, true),
  row("shutdown", 1, shutdown, true),
  row("cache_memlimit", 1, memoryLimit, true),
  row("lru_crawler", 1, crawler, true),
  row("lru", 1, lru, true),
  row("slabs", 1, slabs, true),
  row("extstore", 1, extstore, true),
  row("refresh_certs", 1, simple("refreshCertificates"), true),
  row("debugtime", 1, withWords("moveClock"), true),
];

/** The words behind the command are its arguments. */
function withWords(op: Op): Grammar {
  return (tokens, request) => {
    request.clear(op, tokens.bytes);
    request.words = tokens.textsFrom(1);
    request.extend();
    return "ready";
  };
}

/** Begins a command whose last word may be `noreply`. */
function begin(op: Op, tokens: Tokens, request: Request): void {
  request.clear(op, tokens.bytes);
  request.noreply = tokens.hasNoreply;
}

function shutdown(tokens: Tokens, request: Request): Verdict {
  begin("shutdown", tokens, request);
  request.words = tokens.textsFrom(1);
  request.extend();
  return "ready";
}

function verbosity(tokens: Tokens, request: Request): Verdict {
  begin("verbosity", tokens, request);
  const level = tokens.count < 2 ? -1 : tokens.unsigned32(1);
  if (level < 0) return refuse(request, failures.badFormat);
  request.number = level;
  return "ready";
}

function memoryLimit(tokens: Tokens, request: Request): Verdict {
  begin("memoryLimit", tokens, request);
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
  begin("crawl", tokens, request);
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
  begin("tune", tokens, request);
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
  begin("tune", tokens, request);
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
  begin("tune", tokens, request);
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
