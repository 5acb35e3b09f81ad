/**
 * Bytes as they arrive to requests as they are complete: framing and limits.
 *
 * The parser owns the memory that a connection reads into. Requests view it, and stay valid until
 * {@linkcode Parser.room} is called for the next read.
 *
 * @module
 */

import { fits, type Limits } from "./limits.ts";
import { type Get, type GetAndTouch, replies, type Request } from "./message.ts";
import { type Header, type Keys, parseLine, type Skip } from "./text.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

/** First memory of a connection, in bytes. It is small so that many connections fit in the cache. */
const FIRST_ROOM = 16 * 1024;
/** A line may be this long without its end having come, in bytes, unless it is a retrieval. */
const MAX_LINE = 2048;
/** A retrieval's line may be this long, in bytes. memcached sets no bound; memory does. */
const MAX_RETRIEVAL = 8 * 1024 * 1024;
/** The incremental parser of one connection. */
export class Parser {
  private bytes = new Uint8Array(FIRST_ROOM);
  /** What has arrived and was not parsed stands from `start` to `end`. */
  private start = 0;
  private end = 0;
  /** No line end stands from `start` to here. */
  private searched = 0;
  /** A storage command whose value has not arrived whole, and where its line ended. */
  private header: Header | undefined;
  private valueStart = 0;
  /** A retrieval with keys left, and where the next one is looked for. */
  private keys: Keys | undefined;
  private nextKey = 0;
  /** Bytes that are passed over, and how many of them have been. */
  private skip: Skip | undefined;
  private skipped = 0;

  constructor(private readonly limits: Limits) {}

  /** Where the next read may put bytes. What earlier requests view is overwritten. */
  room(): Uint8Array<ArrayBuffer> {
    const held = this.end - this.start;
    if (held === 0) {
      this.start = this.end = this.searched = 0;
      if (this.bytes.length > FIRST_ROOM) this.bytes = new Uint8Array(FIRST_ROOM);
    } else if (this.bytes.length - this.end < FIRST_ROOM / 4) {
      // Grow by what has come, not by what a header promises: promises cost the sender nothing.
      const grown = held > this.bytes.length / 2
        ? new Uint8Array(this.bytes.length * 2)
        : this.bytes;
      grown.set(this.bytes.subarray(this.start, this.end));
      this.bytes = grown;
      this.searched -= this.start;
      this.valueStart -= this.start;
      if (this.header) this.header = moved(this.header, this.start);
      this.end = held;
      this.start = 0;
    }
    return this.bytes.subarray(this.end);
  }

  /** Says that a read has put `count` bytes into the {@linkcode room}. */
  added(count: number): void {
    this.end += count;
  }

  /** The next complete request; `undefined` when more bytes must come first. */
  next(): Request | undefined {
    for (;;) {
      if (this.keys !== undefined) return this.takeKey(this.keys);
      if (this.skip !== undefined) return this.takeSkip(this.skip);
      if (this.header !== undefined) {
        const request = this.takeValue(this.header);
        if (request === undefined && this.skip !== undefined) continue;
        return request;
      }
      const end = this.lineEnd();
      if (end < 0) return this.refuseLongLine();
      const start = this.start;
      this.start = this.searched = end + 1;
      const line = parseLine(
        this.bytes,
        start,
        end > start && this.bytes[end - 1] === CR ? end - 1 : end,
      );
      switch (line.op) {
        case "keys":
          this.keys = line;
          this.nextKey = line.start;
          break;
        case "header":
          this.header = line;
          this.valueStart = this.start;
          // The header's bytes stay until the value is there: the key is among them.
          this.start = start;
          break;
        case "skip":
          this.skip = line;
          break;
        default:
          return line;
      }
    }
  }

  private lineEnd(): number {
    const { bytes, end } = this;
    let i = this.searched;
    // Most lines are short: a loop here is cheaper than a call.
    const near = Math.min(end, i + 64);
    for (; i < near; i++) if (bytes[i] === LF) return i;
    if (i < end) {
      const found = bytes.indexOf(LF, i);
      if (found >= 0 && found < end) return found;
    }
    this.searched = end;
    return -1;
  }

  private refuseLongLine(): Request | undefined {
    const length = this.end - this.start;
    if (length <= MAX_LINE) return undefined;
    if (length <= MAX_RETRIEVAL && this.isRetrieval()) return undefined;
    this.start = this.searched = this.end;
    return { op: "malformed", reply: replies.close, noreply: false };
  }

  /** Whether the unfinished line starts as memcached lets a long one start. */
  private isRetrieval(): boolean {
    let i = this.start;
    while (i - this.start <= 100 && this.bytes[i] === SPACE) i++;
    const word = String.fromCharCode(...this.bytes.subarray(i, i + 5));
    return i - this.start <= 100 && (word.startsWith("get ") || word === "gets ");
  }

  private takeKey(keys: Keys): Get | GetAndTouch {
    const { bytes } = this;
    const end = keys.end;
    let start = this.nextKey;
    while (bytes[start] === SPACE) start++;
    let next = start;
    while (next < end && bytes[next] !== SPACE) next++;
    const key = bytes.subarray(start, next);
    // The line ends with a word, so anything left holds another key.
    const last = next >= end;
    if (last) this.keys = undefined;
    else this.nextKey = next;
    const { unique, exptime } = keys;
    return exptime === undefined
      ? { op: "get", key, unique, last, noreply: false }
      : { op: "gat", key, unique, exptime, last, noreply: false };
  }

  private takeSkip(skip: Skip): Request | undefined {
    const passed = Math.min(skip.length - this.skipped, this.end - this.start);
    this.skipped += passed;
    this.start += passed;
    this.searched = this.start;
    if (this.skipped < skip.length) return undefined;
    this.skip = undefined;
    this.skipped = 0;
    return skip.then;
  }

  private takeValue(header: Header): Request | undefined {
    const { command, keyStart, keyEnd, length, flags, exptime, cas, noreply } = header;
    const { bytes, valueStart } = this;
    if (!fits(keyEnd - keyStart, length, flags, this.limits)) {
      // The key must outlive its bytes: they make room while the value goes by.
      const key = bytes.slice(keyStart, keyEnd);
      this.header = undefined;
      this.start = this.searched = valueStart;
      this.skip = {
        op: "skip",
        length: length + 2,
        then: { op: "too_large", command, key, noreply },
      };
      return undefined;
    }
    const valueEnd = valueStart + length;
    if (this.end < valueEnd + 2) return undefined;
    this.header = undefined;
    this.start = this.searched = valueEnd + 2;
    if (bytes[valueEnd] !== CR || bytes[valueEnd + 1] !== LF) {
      return { op: "malformed", reply: replies.badChunk, noreply };
    }
    const key = bytes.subarray(keyStart, keyEnd);
    const value = bytes.subarray(valueStart, valueEnd);
    return { op: command, key, flags, exptime, cas, value, noreply };
  }
}

function moved(header: Header, by: number): Header {
  return { ...header, keyStart: header.keyStart - by, keyEnd: header.keyEnd - by };
}
