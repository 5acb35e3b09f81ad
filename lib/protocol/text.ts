/**
 * The classic text protocol: one line of bytes to a request.
 *
 * Pure: it reads the bytes it is given and makes requests that view them. Which line gets which
 * words of refusal follows the current memcached (1.6.45, `proto_text.c`, `doc/protocol.txt`).
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";
import { MAX_KEY, replies, type Reply, type Request, type StorageOp } from "./message.ts";

/** Lines other than retrievals have few words; memcached reads no more than 24. */
const MAX_TOKENS = 24;
const SPACE = 0x20;
const INT32_MAX = 0x7fffffff;

/**
 * What a line amounts to: a request; a storage command whose value follows; a retrieval whose keys
 * are yet to be read; or bytes to skip before a refusal.
 */
export type Line = Request | Header | Keys | Skip;

/** The line of a storage command. */
export interface Header {
  readonly op: "header";
  readonly command: StorageOp;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly flags: number;
  readonly exptime: number;
  readonly cas: bigint;
  /** The length of the value, in bytes, without the line end after it. */
  readonly length: number;
  readonly noreply: boolean;
}

/** The line of a retrieval: keys stand from `start` to the end of the line. */
export interface Keys {
  readonly op: "keys";
  readonly start: number;
  readonly end: number;
  readonly unique: boolean;
  /** The exptime of a `gat`; `undefined` for a `get`. */
  readonly exptime: number | undefined;
}

/** Bytes to pass over, and the request that stands when they have gone by. */
export interface Skip {
  readonly op: "skip";
  readonly length: number;
  readonly then: Request;
}

/** The words of a line: where the first ones start and end, and what the whole line was. */
interface Tokens {
  readonly bytes: Uint8Array;
  /** Start and end of token i at 2i and 2i + 1. */
  readonly at: Int32Array;
  count: number;
  /** Where the line's last word starts and ends, beyond the ones kept in `at` too. */
  lastStart: number;
  lastEnd: number;
}

type Grammar = (tokens: Tokens) => Line;

const noreplyWord = bytesOf("noreply");

/** One row a command: its name, how many words it needs, how its line is read. */
const commands: ReadonlyArray<readonly [name: string, words: number, grammar: Grammar]> = [
  ["get", 2, (tokens) => retrieval(tokens, false, false)],
  ["gets", 2, (tokens) => retrieval(tokens, true, false)],
  ["gat", 3, (tokens) => retrieval(tokens, false, true)],
  ["gats", 3, (tokens) => retrieval(tokens, true, true)],
  ["set", 5, (tokens) => storage(tokens, "set")],
  ["add", 5, (tokens) => storage(tokens, "add")],
  ["replace", 5, (tokens) => storage(tokens, "replace")],
  ["append", 5, (tokens) => storage(tokens, "append")],
  ["prepend", 5, (tokens) => storage(tokens, "prepend")],
  ["cas", 5, (tokens) => storage(tokens, "cas")],
  ["incr", 3, (tokens) => arithmetic(tokens, "incr")],
  ["decr", 3, (tokens) => arithmetic(tokens, "decr")],
  ["delete", 2, remove],
  ["touch", 3, touch],
  ["flush_all", 1, flushAll],
  ["version", 1, () => ({ op: "version", noreply: false })],
  ["verbosity", 2, verbosity],
  ["stats", 1, stats],
  ["quit", 1, () => ({ op: "quit", noreply: true })],
  ["shutdown", 1, shutdown],
  ["lru_crawler", 2, crawler],
];

interface Row {
  readonly name: Uint8Array;
  readonly words: number;
  readonly grammar: Grammar;
}

/** The rows by the length of the name: few enough each to compare them in turn. */
const byLength: readonly (readonly Row[])[] = Array.from(
  { length: 12 },
  (_, length) =>
    commands.filter(([name]) => name.length === length)
      .map(([name, words, grammar]) => ({ name: bytesOf(name), words, grammar })),
);

const tokens: { -readonly [Field in keyof Tokens]: Tokens[Field] } = {
  bytes: new Uint8Array(0),
  at: new Int32Array(2 * MAX_TOKENS),
  count: 0,
  lastStart: 0,
  lastEnd: 0,
};

/**
 * Reads one line, from `start` to `end` without its line end.
 *
 * @return what the line amounts to; what is wrong with it comes as the reply that it gets.
 */
export function parseLine(bytes: Uint8Array, start: number, end: number): Line {
  if (end - start < 2) return malformed(replies.badFormat);
  let wordEnd = start;
  while (wordEnd < end && bytes[wordEnd] !== SPACE) wordEnd++;
  const row = rowOf(bytes, start, wordEnd);
  if (row === undefined) {
    split(bytes, start, end);
    return malformed(isHttp() ? replies.close : replies.unknown);
  }
  split(bytes, start, end);
  if (tokens.count < row.words) return malformed(replies.badFormat);
  return row.grammar(tokens);
}

function rowOf(bytes: Uint8Array, start: number, end: number): Row | undefined {
  const length = end - start;
  if (length >= byLength.length) return undefined;
  const rows = byLength[length];
  next: for (let i = 0; i < rows.length; i++) {
    const name = rows[i].name;
    for (let j = 0; j < length; j++) if (name[j] !== bytes[start + j]) continue next;
    return rows[i];
  }
  return undefined;
}

function split(bytes: Uint8Array, start: number, end: number): void {
  const at = tokens.at;
  let count = 0;
  let i = start;
  tokens.bytes = bytes;
  tokens.lastStart = tokens.lastEnd = start;
  while (i < end) {
    if (bytes[i] === SPACE) {
      i++;
      continue;
    }
    const word = i;
    do i++; while (i < end && bytes[i] !== SPACE);
    if (count < MAX_TOKENS) {
      at[2 * count] = word;
      at[2 * count + 1] = i;
      count++;
    } else {
      // Only the last of many words is of interest; the keys of a retrieval are read on their own.
      i = end;
      let tail = end;
      while (bytes[tail - 1] === SPACE) tail--;
      tokens.lastEnd = tail;
      while (bytes[tail - 1] !== SPACE) tail--;
      tokens.lastStart = tail;
      tokens.count = count;
      return;
    }
  }
  tokens.count = count;
  if (count > 0) {
    tokens.lastStart = at[2 * count - 2];
    tokens.lastEnd = at[2 * count - 1];
  }
}

/** A browser or proxy that speaks HTTP is not worth an answer: no client of ours says this. */
function isHttp(): boolean {
  const { bytes, lastStart } = tokens;
  const http = "HTTP/";
  for (let i = 0; i < http.length; i++) {
    if (bytes[lastStart + i] !== http.charCodeAt(i)) return false;
  }
  return tokens.lastEnd - lastStart >= http.length;
}

function malformed(reply: Reply, noreply = false): Request {
  return { op: "malformed", reply, noreply };
}

function hasNoreply(): boolean {
  const { bytes, lastStart, lastEnd } = tokens;
  if (lastEnd - lastStart !== noreplyWord.length) return false;
  for (let i = 0; i < noreplyWord.length; i++) {
    if (bytes[lastStart + i] !== noreplyWord[i]) return false;
  }
  return true;
}

function keyLength(token: number): number {
  return tokens.at[2 * token + 1] - tokens.at[2 * token];
}

function keyOf(token: number): Uint8Array {
  return tokens.bytes.subarray(tokens.at[2 * token], tokens.at[2 * token + 1]);
}

/** An unsigned decimal number up to 2^53, -1 for anything else. */
function unsigned(token: number): number {
  const { bytes, at } = tokens;
  const end = at[2 * token + 1];
  let value = 0;
  for (let i = at[2 * token]; i < end; i++) {
    const digit = bytes[i] - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** A decimal number of 32 bits, perhaps negative; `undefined` for anything else. */
function signed(token: number): number | undefined {
  const { bytes, at } = tokens;
  let i = at[2 * token];
  const end = at[2 * token + 1];
  const negative = bytes[i] === 0x2d;
  if (negative) i++;
  if (i === end) return undefined;
  let value = 0;
  for (; i < end; i++) {
    const digit = bytes[i] - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
    if (value > INT32_MAX + 1) return undefined;
  }
  if (negative) return -value;
  return value <= INT32_MAX ? value : undefined;
}

/** An unsigned decimal number of 64 bits; `undefined` for anything else. */
function unsigned64(token: number): bigint | undefined {
  const value = unsigned(token);
  if (value >= 0) return BigInt(value);
  const { bytes, at } = tokens;
  const end = at[2 * token + 1];
  let big = 0n;
  for (let i = at[2 * token]; i < end; i++) {
    const digit = bytes[i] - 48;
    if (digit < 0 || digit > 9) return undefined;
    big = big * 10n + BigInt(digit);
    if (big > 0xffffffffffffffffn) return undefined;
  }
  return big;
}

function retrieval({ bytes, at }: Tokens, unique: boolean, touches: boolean): Line {
  let exptime: number | undefined;
  if (touches) {
    exptime = signed(1);
    if (exptime === undefined) return malformed(replies.badExptime);
  }
  const start = at[touches ? 4 : 2];
  const end = tokens.lastEnd;
  // One key too long spoils the line: no key of it may have been answered by then.
  let word = start;
  for (let i = start; i <= end; i++) {
    if (i < end && bytes[i] !== SPACE) continue;
    if (i - word > MAX_KEY) return malformed(replies.badFormat);
    word = i + 1;
  }
  return { op: "keys", start, end, unique, exptime };
}

function storage({ at, count }: Tokens, command: StorageOp): Line {
  const length = unsigned(4);
  // Without a length nobody knows where the value ends: what follows is read as commands.
  if (length < 0 || length >= INT32_MAX - 1) return malformed(replies.badFormat);
  const noreply = hasNoreply();
  const flags = unsigned(2);
  const exptime = signed(3);
  let cas: bigint | undefined = 0n;
  if (command === "cas") cas = count > 5 ? unsigned64(5) : undefined;
  if (keyLength(1) > MAX_KEY || flags < 0 || exptime === undefined || cas === undefined) {
    return { op: "skip", length: length + 2, then: malformed(replies.badFormat, noreply) };
  }
  return {
    op: "header",
    command,
    keyStart: at[2],
    keyEnd: at[3],
    flags: flags >>> 0,
    exptime,
    cas,
    length,
    noreply,
  };
}

function arithmetic(_: Tokens, op: "incr" | "decr"): Request {
  const noreply = hasNoreply();
  if (keyLength(1) > MAX_KEY) return malformed(replies.badFormat, noreply);
  const delta = unsigned64(2);
  if (delta === undefined) return malformed(replies.badDelta, noreply);
  return { op, key: keyOf(1), delta, noreply };
}

const deleteUsage: Reply = {
  kind: "error",
  line: "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]",
};

/**
 * A delete may have a time of 0. Later memcacheds take any words behind the key; libmemcached's
 * `memccapable` wants them refused, as 1.6.18 and those before it did.
 */
function remove({ count }: Tokens): Request {
  const noreply = hasNoreply();
  const words = count - (noreply ? 1 : 0);
  if (words > 3 || (words === 3 && wordOf(2) !== "0")) return malformed(deleteUsage, noreply);
  if (keyLength(1) > MAX_KEY) return malformed(replies.badFormat, noreply);
  return { op: "delete", key: keyOf(1), noreply };
}

function touch(): Request {
  const noreply = hasNoreply();
  if (keyLength(1) > MAX_KEY) return malformed(replies.badFormat, noreply);
  const exptime = signed(2);
  if (exptime === undefined) return malformed(replies.badExptime, noreply);
  return { op: "touch", key: keyOf(1), exptime, noreply };
}

function flushAll({ count }: Tokens): Request {
  const noreply = hasNoreply();
  if (count === (noreply ? 2 : 1)) return { op: "flush_all", delay: 0, noreply };
  const delay = signed(1);
  if (delay === undefined) return malformed(replies.badExptime, noreply);
  return { op: "flush_all", delay, noreply };
}

function verbosity(): Request {
  const noreply = hasNoreply();
  if (unsigned(1) < 0) return malformed(replies.badFormat, noreply);
  return { op: "verbosity", noreply };
}

function stats({ bytes, at, count }: Tokens): Request {
  const words: string[] = [];
  for (let i = 1; i < count; i++) {
    words.push(String.fromCharCode(...bytes.subarray(at[2 * i], at[2 * i + 1])));
  }
  return { op: "stats", words, noreply: false };
}

function shutdown({ count }: Tokens): Request {
  const isMode = count === 1 || (count === 2 && wordOf(1) === "graceful");
  return { op: "shutdown", isMode, noreply: false };
}

function wordOf(token: number): string {
  return String.fromCharCode(...keyOf(token));
}

/** What the LRU crawler does in memcached: here only its listings have work to do. */
function crawler({ count }: Tokens): Request {
  const command = wordOf(1);
  switch (command) {
    case "metadump":
    case "mgdump":
      if (count < 3) return malformed(replies.badFormat);
      if (!isClasses(wordOf(2))) {
        return malformed({ kind: "error", line: "BADCLASS invalid class id" });
      }
      return { op: "dump", format: command, noreply: false };
    case "sleep": {
      const micros = count < 3 ? -1 : unsigned(2);
      if (micros < 0) return malformed(replies.badFormat);
      if (micros > 1_000_000) {
        return malformed({ kind: "error", line: "CLIENT_ERROR sleep must be one second or less" });
      }
      return { op: "crawler", noreply: false };
    }
    case "tocrawl":
      if (count < 3 || unsigned(2) < 0) return malformed(replies.badFormat);
      return { op: "crawler", noreply: false };
    case "crawl":
      if (count < 3) return malformed(replies.badFormat);
      return { op: "crawler", noreply: false };
    case "enable":
    case "disable":
      return { op: "crawler", noreply: false };
    default:
      return malformed(replies.unknown);
  }
}

/** `all`, `hash`, or numbers of slab classes, of which kvs has the one, 1. */
function isClasses(word: string): boolean {
  return word === "all" || word === "hash" || /^\d+(,\d+)*$/.test(word);
}
