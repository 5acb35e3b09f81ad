/**
 * Lines, and values between them, out of bytes that come in pieces: what the replies of the text
 * protocol and of the meta commands consist of.
 *
 * @module
 */

import { ByteBuffer } from "../../bytes.ts";
import { ArrivingBytes } from "../arriving_bytes.ts";
import { binaryText } from "../binary_text.ts";
import { LARGEST_VALUE, type Reply, unreadable } from "../client_dialect.ts";

/** A longer line is not memcached's: a key of 250 bytes is 750 in a metadump, all else is short. */
const LONGEST_LINE = 16 * 1024;
/** Of a line that cannot be read, so much is shown, in bytes. */
const SHOWN = 80;

const LF = 0x0a;
const CR = 0x0d;

const NONE = new Uint8Array();

/** Reads one line, or one value, after another. */
export class ReplyLines {
  #bytes: Uint8Array = NONE;
  #at = 0;
  /** The start of a line whose end had not come. */
  readonly #carry = new ByteBuffer(256);

  /** Whether a value is being read; it; and how much of its line end is missing. */
  #inValue = false;
  readonly #value = new ArrivingBytes();
  #missingEnd = 0;

  /** Where the line just read lies, until the next {@linkcode push}, and from where to where. */
  bytes: Uint8Array = NONE;
  start = 0;
  end = 0;

  push(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
  }

  /** Whether there are bytes that nothing has read. */
  get pending(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Finds the next line's end; keeps what has come of it where that is not there. */
  readLine(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    const carry = this.#carry;
    let at = start;
    while (at < bytes.length && bytes[at] !== LF) at++;
    if (at === bytes.length) {
      if (carry.length <= LONGEST_LINE) carry.append(bytes.subarray(start));
      this.#at = at;
      return false;
    }
    this.#at = at + 1;
    if (carry.length === 0) {
      this.bytes = bytes;
      this.start = start;
      this.end = at;
    } else {
      carry.append(bytes.subarray(start, at));
      this.bytes = carry.bytes;
      this.start = 0;
      this.end = carry.length;
      carry.clear();
    }
    if (this.end > this.start && this.bytes[this.end - 1] === CR) this.end--;
    return true;
  }

  /** After {@linkcode readLine} found no end: more must come, or the line is too long to be one. */
  more(): Reply | undefined {
    return this.#carry.length > LONGEST_LINE
      ? unreadable(`a line of more than ${LONGEST_LINE} bytes`)
      : undefined;
  }

  /** Whether the line is this word. */
  is(word: string): boolean {
    const length = word.length;
    if (this.end - this.start !== length) return false;
    for (let i = 0; i < length; i++) {
      if (this.bytes[this.start + i] !== word.charCodeAt(i)) return false;
    }
    return true;
  }

  /** The line as a {@linkcode binaryString}. */
  text(): string {
    return binaryText(this.bytes, this.start, this.end);
  }

  /** The line is an error, or no reply to what was asked. */
  errorOrUnexpected(): Reply {
    const line = this.text();
    return isErrorLine(line) ? { kind: "error", line } : this.unexpected();
  }

  unexpected(): Reply {
    return unexpectedLine(
      binaryText(this.bytes, this.start, Math.min(this.end, this.start + SHOWN)),
    );
  }

  /** A value of so many bytes and a line end follow. Returns a reply where that cannot be. */
  announce(length: number): Reply | undefined {
    if (length > LARGEST_VALUE) return this.unexpected();
    this.#inValue = true;
    this.#value.begin(length);
    this.#missingEnd = 2;
    return undefined;
  }

  /** Whether an announced value is not read to its end. */
  get inValue(): boolean {
    return this.#inValue;
  }

  /** Reads the announced value and its line end, after which {@linkcode inValue} is false. */
  readValue(): Reply | undefined {
    const bytes = this.#bytes;
    this.#at += this.#value.take(bytes, this.#at);
    if (!this.#value.complete) return undefined;
    for (; this.#missingEnd > 0; this.#missingEnd--) {
      if (this.#at === bytes.length) return undefined;
      if (bytes[this.#at++] !== (this.#missingEnd === 2 ? CR : LF)) {
        return unreadable("a value longer than announced");
      }
    }
    this.#inValue = false;
    return undefined;
  }

  /** The value just read. */
  get value(): Uint8Array<ArrayBuffer> {
    return this.#value.bytes;
  }
}

/** A line is no reply to what was asked. */
export function unexpectedLine(line: string): Reply {
  return unreadable(`the line ${JSON.stringify(line.slice(0, SHOWN))}`);
}

/** Whether a line says an error. */
export function isErrorLine(line: string): boolean {
  return /^(ERROR|CLIENT_ERROR|SERVER_ERROR)\b/.test(line);
}
