/**
 * Bytes of an HTTP/1.1 connection to the answer that they hold (RFC 9112), without I/O.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ByteBuffer } from "../../bytes.ts";

/** An answer with its whole body. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Memory for the head, and for bodies that come with it, in bytes. */
const ROOM = 16 * 1024;
/** A head may be this long, in bytes. */
const MAX_HEAD = 256 * 1024;

/**
 * Reads answers, one after another, into memory of its own. A long body is read to where it stays.
 *
 * What no server of HTTP/1.1 would send is thrown as an error; the connection is of no use then.
 */
export class ResponseReader {
  /** What has come and is in no answer yet stands here up to `end`. */
  #bytes = new Uint8Array(ROOM);
  #end = 0;
  #status = 0;
  #headers: ReadonlyMap<string, string> | undefined;
  /** A body whose length is known, and how much of it is there. */
  #body: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  /** What a chunked body has come to so far. */
  #chunks: ByteBuffer | undefined;
  /** Whether the connection serves another request after the answer that was read last. */
  keepsAlive = true;

  /** Where the next read may put bytes. */
  room(): Uint8Array<ArrayBuffer> {
    if (this.#body !== undefined) return this.#body.subarray(this.#filled);
    if (this.#end === this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return this.#bytes.subarray(this.#end);
  }

  /** Says that a read has put `count` bytes into the {@linkcode room}; gives the answer once it is whole. */
  added(count: number): Answer | undefined {
    if (this.#body !== undefined) this.#filled += count;
    else this.#end += count;
    for (;;) {
      if (this.#headers === undefined && !this.#readHead()) return undefined;
      if (this.#body !== undefined) {
        return this.#filled === this.#body.length ? this.#answer(this.#body) : undefined;
      }
      if (this.#status >= 200) return this.#chunks && this.#readChunks(this.#chunks);
      // 1xx: the answer itself follows.
      this.#headers = undefined;
    }
  }

  /** Says that no more will come: the answer, if only its end was missing. */
  ended(): Answer | undefined {
    const isWhole = this.#headers !== undefined && this.#body === undefined &&
      this.#chunks === undefined;
    return isWhole ? this.#answer(this.#bytes.slice(0, this.#end)) : undefined;
  }

  #readHead(): boolean {
    const received = Buffer.from(this.#bytes.buffer, 0, this.#end);
    const length = received.indexOf("\r\n\r\n");
    if (length < 0) {
      if (this.#end > MAX_HEAD) throw new Error("the answer's head has no end");
      return false;
    }
    const head = received.toString("latin1", 0, length);
    const [, version, status] = /^HTTP\/1\.([01]) (\d{3})/.exec(head) ?? [];
    if (status === undefined) throw new Error("the answer is not HTTP/1.1");
    const headers = headersIn(head);
    this.#status = Number(status);
    this.#headers = headers;
    this.keepsAlive = version === "1" && !/\bclose\b/i.test(headers.get("connection") ?? "");
    this.#bytes.copyWithin(0, length + 4, this.#end);
    this.#end -= length + 4;
    if (this.#status >= 200) this.#beginBody(headers);
    return true;
  }

  /** RFC 9112, section 6.3: how long the body is. */
  #beginBody(headers: ReadonlyMap<string, string>): void {
    const encoding = headers.get("transfer-encoding");
    if (encoding !== undefined) {
      if (encoding.toLowerCase() !== "chunked") throw new Error(`the answer is ${encoding}`);
      this.#chunks = new ByteBuffer();
      return;
    }
    const bodiless = this.#status === 204 || this.#status === 304;
    const length = bodiless ? "0" : headers.get("content-length");
    if (length === undefined) {
      // It ends with the connection.
      this.keepsAlive = false;
      return;
    }
    if (!/^\d{1,15}$/.test(length)) throw new Error(`the answer's length is ${length}`);
    this.#body = new Uint8Array(Number(length));
    this.#filled = Math.min(this.#end, this.#body.length);
    this.#body.set(this.#bytes.subarray(0, this.#filled));
    this.#take(this.#filled);
  }

  /** RFC 9112, section 7.1. */
  #readChunks(chunks: ByteBuffer): Answer | undefined {
    for (;;) {
      const received = Buffer.from(this.#bytes.buffer, 0, this.#end);
      const line = received.indexOf("\r\n");
      if (line < 0) return undefined;
      const [digits] = /^[0-9a-f]{1,12}(?=;|\s*$)/i.exec(received.toString("latin1", 0, line)) ??
        [];
      if (digits === undefined) throw new Error("the answer's chunks have no length");
      const size = parseInt(digits, 16);
      const start = line + 2;
      if (size === 0) {
        // Trailers, which nobody needs, end with an empty line.
        const end = received.indexOf("\r\n\r\n", line);
        if (end < 0) return undefined;
        this.#take(end + 4);
        return this.#answer(chunks.view());
      }
      if (this.#end < start + size + 2) return undefined;
      chunks.append(this.#bytes.subarray(start, start + size));
      this.#take(start + size + 2);
    }
  }

  #take(count: number): void {
    this.#bytes.copyWithin(0, count, this.#end);
    this.#end -= count;
  }

  #answer(body: Uint8Array<ArrayBuffer>): Answer {
    const answer = { status: this.#status, headers: this.#headers!, body };
    // What came behind the answer was not asked for.
    if (this.#end > 0) this.keepsAlive = false;
    this.#end = this.#filled = 0;
    this.#headers = this.#body = this.#chunks = undefined;
    if (this.#bytes.length > ROOM) this.#bytes = new Uint8Array(ROOM);
    return answer;
  }
}

function headersIn(head: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (let at = head.indexOf("\r\n"); at >= 0;) {
    const next = head.indexOf("\r\n", at + 2);
    const line = next < 0 ? head.slice(at + 2) : head.slice(at + 2, next);
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    at = next;
  }
  return headers;
}
