/**
 * The dialect of a connection that speaks lines: classic commands and meta commands, side by side.
 *
 * @module
 */

import type { ByteBuffer } from "../../bytes.ts";
import type { Dialect, Guard } from "../dialect.ts";
import type { ReceiveBuffer } from "../framing.ts";
import { fits, type Limits } from "../limits.ts";
import { encodeMeta } from "../meta/format_reply.ts";
import { metaRows } from "../meta/parse_request.ts";
import { type DumpFormat, type Entry, type Failure, failures, type Outcome } from "../outcome.ts";
import type { Request } from "../request.ts";
import { isHttp } from "./http.ts";
import { encodeDumped, encodeDumpEnd, encodeDumpStart } from "./format_dump.ts";
import { encodeFailure, encodeLines, encodeText } from "./format_reply.ts";
import { RowTable, type Verdict } from "./grammar.ts";
import { adminRows } from "./parse_admin.ts";
import { found, textRows } from "./parse_request.ts";
import { Tokens } from "./tokens.ts";

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** The least length of a line with its line end, in bytes (memcached, `process_request`). */
const SHORTEST_LINE = 4;
/** A line may be this long without its end having come, in bytes, unless it is a retrieval. */
const MAX_LINE = 2048;
/**
 * A retrieval's line may be this long, in bytes. memcached sets no bound; memory does: the line is held until
 * its end has come, and fits in a receive buffer of 4 MiB.
 */
export const MAX_RETRIEVAL = 4 * 1024 * 1024 - 8 * 1024;
/** Blanks that may stand before a long retrieval. */
const MAX_INDENT = 100;

const rows = new RowTable([...textRows, ...adminRows, ...metaRows]);
const tokens = new Tokens();
const NO_BYTES = new Uint8Array(0);

/** Lines in, lines out. */
export class LineDialect implements Dialect {
  readonly name = "ascii";
  readonly isLogin = false;
  /** Where the next key of a retrieval is looked for, and where its line ends; 0 for no retrieval. */
  #nextKey = 0;
  #keysEnd = 0;
  /** What the retrieval's line says of all its keys. */
  #op: "get" | "getAndChange" = "get";
  #exptime = 0;
  #wantsCas = false;
  /** Bytes that are passed over, and the line that they followed. */
  #skip = 0;
  #skippedFor = NO_BYTES;

  /** Whether what is passed over is not the user's to store. */
  #denied = false;

  readonly #limits: Limits;
  readonly #guard: Guard | undefined;

  constructor(limits: Limits, guard?: Guard) {
    this.#limits = limits;
    this.#guard = guard;
  }

  next(input: ReceiveBuffer, request: Request): boolean {
    if (this.#nextKey !== 0) {
      this.#takeKey(input.bytes, request);
      return true;
    }
    if (this.#skip !== 0) return this.#passOver(input, request);
    if (input.held < input.needed) return false;
    const end = input.lineEnd();
    if (end < 0) return this.#refuseLongLine(input, request);
    const { start, bytes } = input;
    const lineEnd = end > start && bytes[end - 1] === CR ? end - 1 : end;
    if (isHttp(bytes, start, lineEnd)) {
      input.drop();
      request.hangUp(bytes);
      return true;
    }
    const verdict = end + 1 - start < SHORTEST_LINE
      ? malformed(request, bytes, failures.badFormat)
      : parseLine(bytes, start, lineEnd, request);
    if (verdict === "value" && this.#mayStore(request)) {
      return this.#takeValue(input, request, end + 1);
    }
    input.needed = 0;
    input.start = end + 1;
    if (verdict === "ready") return true;
    if (verdict === "keys") {
      this.#op = found.touches ? "getAndChange" : "get";
      this.#exptime = found.exptime;
      this.#wantsCas = found.wantsCas;
      if (found.isOne) {
        this.#fill(bytes, found.start, found.end, request);
        return true;
      }
      this.#nextKey = found.start;
      this.#keysEnd = found.end;
      this.#takeKey(bytes, request);
      return true;
    }
    // The line must outlive its bytes: they make room while the value goes by.
    this.#skippedFor = bytes.slice(start, lineEnd);
    this.#skip = request.number + 2;
    return this.#passOver(input, request);
  }

  encode(request: Request, outcome: Outcome, out: ByteBuffer): void {
    if (request.isMeta) encodeMeta(request, outcome, out);
    else if (!request.noreply) encodeText(request, outcome, out);
  }

  encodeLines(_request: Request, outcome: Outcome, to: number, out: ByteBuffer): void {
    encodeLines(outcome, to, out);
  }

  tag(request: Request): number {
    return request.noreply || request.hasMore ? -1 : 0;
  }

  fail(_tag: number, failure: Failure, out: ByteBuffer): void {
    encodeFailure(failure, out);
  }

  beginDump(_format: DumpFormat, out: ByteBuffer): void {
    encodeDumpStart(out);
  }

  encodeDumped(format: DumpFormat, entries: readonly Entry[], out: ByteBuffer): void {
    encodeDumped(format, entries, out);
  }

  endDump(format: DumpFormat, out: ByteBuffer): void {
    encodeDumpEnd(format, out);
  }

  #mayStore(request: Request): boolean {
    if (this.#guard !== undefined && this.#guard.refusesValue(request)) {
      this.#denied = true;
      return false;
    }
    return fits(request.keyLength, request.number, request.flags, this.#limits);
  }

  /** The value of a storage command, if it is there whole. */
  #takeValue(input: ReceiveBuffer, request: Request, start: number): boolean {
    const { bytes } = input;
    const end = start + request.number;
    if (input.end < end + 2) {
      // The line is read again when the value is there: nothing need be remembered of it.
      input.needed = end + 2 - input.start;
      return false;
    }
    input.needed = 0;
    input.start = end + 2;
    if (bytes[end] !== CR || bytes[end + 1] !== LF) {
      request.refuse(failures.badChunk);
      return true;
    }
    request.valueStart = start;
    request.valueEnd = end;
    return true;
  }

  #passOver(input: ReceiveBuffer, request: Request): boolean {
    this.#skip = input.pass(this.#skip);
    if (this.#skip > 0) return false;
    const line = this.#skippedFor;
    this.#skippedFor = NO_BYTES;
    // What the line asks for is known now as it was then.
    if (parseLine(line, 0, line.length, request) === "value") {
      if (this.#denied) request.refuse(failures.permissionDenied);
      else request.op = "tooLarge";
    }
    this.#denied = false;
    return true;
  }

  #takeKey(bytes: Uint8Array, request: Request): void {
    const end = this.#keysEnd;
    let start = this.#nextKey;
    while (bytes[start] === SPACE) start++;
    let next = start;
    while (next < end && bytes[next] !== SPACE) next++;
    this.#fill(bytes, start, next, request);
    // The line ends with a word, so anything remaining holds another key.
    request.hasMore = next < end;
    this.#nextKey = request.hasMore ? next : 0;
  }

  #fill(bytes: Uint8Array, start: number, end: number, request: Request): void {
    request.clear(this.#op, bytes);
    request.keyStart = start;
    request.keyEnd = end;
    request.touches = this.#op !== "get";
    request.exptime = this.#exptime;
    request.wantsCas = this.#wantsCas;
  }

  #refuseLongLine(input: ReceiveBuffer, request: Request): boolean {
    const length = input.held;
    if (length <= MAX_LINE) return false;
    if (length <= MAX_RETRIEVAL && isRetrieval(input)) return false;
    input.drop();
    request.hangUp(input.bytes);
    return true;
  }
}

/** Whether the unfinished line starts as memcached lets a long one start. */
function isRetrieval({ bytes, start }: ReceiveBuffer): boolean {
  let i = start;
  while (i - start <= MAX_INDENT && bytes[i] === SPACE) i++;
  const word = String.fromCharCode(...bytes.subarray(i, i + 5));
  return i - start <= MAX_INDENT && (word.startsWith("get ") || word === "gets ");
}

/** Reads one line, from `start` to `end` without its line end. */
function parseLine(bytes: Uint8Array, start: number, end: number, request: Request): Verdict {
  tokens.split(bytes, start, end);
  if (tokens.count === 0) return unknown(bytes, request);
  const wordStart = tokens.startOf(0);
  const row = rows.find(bytes, wordStart, tokens.endOf(0));
  // A few commands are found behind blanks too, in memcached and so here.
  if (row === undefined || wordStart > start && !row.indented) return unknown(bytes, request);
  if (tokens.count < row.words) return malformed(request, bytes, failures.badFormat);
  return row.grammar(tokens, request);
}

function unknown(bytes: Uint8Array, request: Request): Verdict {
  if (namesHttp()) {
    request.hangUp(bytes);
    return "ready";
  }
  malformed(request, bytes, failures.unknownCommand);
  request.noreply = tokens.hasNoreply;
  return "ready";
}

/** What speaks HTTP of any version is not worth an answer: no client of ours says this. */
function namesHttp(): boolean {
  const { bytes, lastStart } = tokens;
  const http = "HTTP/";
  for (let i = 0; i < http.length; i++) {
    if (bytes[lastStart + i] !== http.charCodeAt(i)) return false;
  }
  return tokens.lastEnd - lastStart >= http.length;
}

function malformed(request: Request, bytes: Uint8Array, failure: Failure): "ready" {
  request.clear("malformed", bytes);
  request.refuse(failure);
  return "ready";
}
