/**
 * What a server answers: bytes to {@linkcode Response}, for the client.
 *
 * A reply does not say which request it belongs to, nor always what shape it has, so whoever reads
 * says what is expected next. Nothing here waits, and no input makes it throw.
 *
 * @module
 */

import { ByteBuffer } from "../bytes.ts";

/** The shape of the reply to a request. Any of them may instead be one line that says an error. */
export type Expect =
  /** One line: `STORED`, `NOT_FOUND`, a number, `VERSION 1.6.45`. */
  | "line"
  /** `VALUE …` blocks and `END`: get, gets, gat, gats. */
  | "values"
  /** `STAT`, `ITEM` or `PREFIX` lines and `END`, or one line such as `RESET`: stats. */
  | "list"
  /** A line with return flags, and after `VA` a value: the meta commands. */
  | "meta"
  /** Lines until `END` or `EN`, given as they come, for they may be millions: metadump, mgdump. */
  | "dump";

/** An item as a get brought it. */
export class Value {
  constructor(
    /** The key's bytes as a {@linkcode binaryString}. */
    readonly key: string,
    /** What the client that stored it kept beside the value, 32 bits. */
    readonly flags: number,
    readonly value: Uint8Array<ArrayBuffer>,
    /** The cas unique; 0 where it was not asked for. */
    readonly cas: bigint,
  ) {}

  /** The value read as UTF-8. */
  get text(): string {
    return decoder.decode(this.value);
  }
}

export type Response =
  | { readonly kind: "line"; readonly line: string }
  | { readonly kind: "values"; readonly values: readonly Value[] }
  /** `last` is false when a dump goes on. */
  | { readonly kind: "lines"; readonly lines: readonly string[]; readonly last: boolean }
  | { readonly kind: "meta"; readonly line: string; readonly value?: Uint8Array<ArrayBuffer> }
  /** The server's error line: `ERROR`, `CLIENT_ERROR …` or `SERVER_ERROR …`. */
  | { readonly kind: "error"; readonly line: string }
  /** What came is no reply to what was asked; nothing after it can be trusted. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** The replies of a shape, where no error is among them. */
export type ResponseOf<E extends Expect> = Extract<Response, {
  kind: { line: "line"; values: "values"; list: "lines" | "line"; meta: "meta"; dump: "lines" }[E];
}>;

const decoder = new TextDecoder();

/** A longer line is not memcached's: a key of 250 bytes is 750 in a metadump, all else is short. */
const LONGEST_LINE = 16 * 1024;
/** memcached's own upper bound of an item, `-I 1g`. */
const LONGEST_VALUE = 2 ** 30;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const V = 0x56;

/** Told from a reply and from `undefined`: a value has been read to its end. */
const DONE = "done";

const NO_VALUE = new Uint8Array();
const MISS: Response = { kind: "values", values: [] };
const WORDS = [
  "STORED",
  "NOT_STORED",
  "EXISTS",
  "NOT_FOUND",
  "DELETED",
  "TOUCHED",
  "OK",
].map((line) => ({ line, response: { kind: "line", line } as const }));

/**
 * Reads replies out of bytes that come in pieces of any size.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { bytesOf } from "../bytes.ts";
 *
 * const parser = new ResponseParser();
 * parser.push(bytesOf("STORED\r\nVALUE k 0 5\r\nhe"));
 * assertEquals(parser.next("line"), { kind: "line", line: "STORED" });
 * assertEquals(parser.next("values"), undefined); // not all of it has come
 * parser.push(bytesOf("llo\r\nEND\r\n"));
 * const reply = parser.next("values");
 * assertEquals(reply?.kind === "values" && reply.values[0]?.text, "hello");
 * ```
 */
export class ResponseParser {
  #bytes: Uint8Array = NO_VALUE;
  #at = 0;
  /** The start of a line whose end had not come. */
  readonly #carry = new ByteBuffer(256);

  /** Where the line just read lies. */
  #line: Uint8Array = NO_VALUE;
  #lineAt = 0;
  #lineEnd = 0;

  /** Whether a value is being read; it, and how much of it and of its line end is missing. */
  #inValue = false;
  #value = NO_VALUE;
  #missing = 0;
  /** What the line before that value said. */
  #key = "";
  #flags = 0;
  #cas = 0n;
  #metaLine = "";

  /** What of a reply of several parts is there. */
  #values: Value[] = [];
  #lines: string[] = [];

  /**
   * Gives it the next bytes. It reads them in {@linkcode next} and needs them unchanged until that
   * gives `undefined`, which says that it has taken them all in.
   */
  push(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
  }

  /** Whether there are bytes that no {@linkcode next} has read. */
  get pending(): boolean {
    return this.#at < this.#bytes.length;
  }

  /**
   * The next reply, or `undefined` when more bytes are needed; ask then again for the same shape.
   * After an `unreadable` one nothing more must be asked.
   */
  next(expect: Expect): Response | undefined {
    switch (expect) {
      case "line":
        return this.#readLine() ? this.#word() ?? this.#single() : this.#more();
      case "values":
        return this.#nextValues();
      case "meta":
        return this.#nextMeta();
      case "list":
        return this.#nextList(false);
      case "dump":
        return this.#nextList(true);
    }
  }

  /** Either not enough has come, or a line that is too long. */
  #more(): Response | undefined {
    return this.#carry.length > LONGEST_LINE
      ? unreadable(`a line of more than ${LONGEST_LINE} bytes`)
      : undefined;
  }

  #nextValues(): Response | undefined {
    while (true) {
      if (this.#inValue) {
        const stopped = this.#readValue();
        if (stopped !== DONE) return stopped;
        this.#values.push(new Value(this.#key, this.#flags, this.#value, this.#cas));
      }
      if (!this.#readLine()) return this.#more();
      if (this.#line[this.#lineAt] !== V) break;
      const broken = this.#readHeader();
      if (broken !== undefined) return broken;
    }
    if (this.#lineIs("END")) {
      if (this.#values.length === 0) return MISS;
      const response: Response = { kind: "values", values: this.#values };
      this.#values = [];
      return response;
    }
    this.#values = [];
    return this.#onlyError();
  }

  /** Takes `VALUE key flags length [cas]` apart. */
  #readHeader(): Response | undefined {
    const line = this.#line;
    const end = this.#lineEnd;
    const keyAt = this.#lineAt + 6;
    let at = keyAt;
    while (at < end && line[at] !== SPACE) at++;
    this.#key = latin1(line, keyAt, at);
    let flags = 0;
    let length = 0;
    let digits = true;
    for (at++; at < end && line[at] !== SPACE; at++) {
      digits &&= isDigit(line[at]!);
      flags = flags * 10 + line[at]! - 48;
    }
    const lengthAt = ++at;
    for (; at < end && line[at] !== SPACE; at++) {
      digits &&= isDigit(line[at]!);
      length = length * 10 + line[at]! - 48;
    }
    if (!digits || at === lengthAt || at > end) return this.#unexpected();
    if (flags > 0xffffffff || length > LONGEST_VALUE) return this.#unexpected();
    this.#cas = 0n;
    if (at < end) {
      const cas = latin1(line, at + 1, end);
      if (!/^\d{1,20}$/.test(cas)) return this.#unexpected();
      this.#cas = BigInt(cas);
    }
    this.#flags = flags;
    this.#announce(length);
    return undefined;
  }

  #announce(length: number): void {
    this.#inValue = true;
    this.#value = NO_VALUE;
    this.#missing = length + 2;
  }

  /** Reads the announced value and its line end. Gives `undefined` when more must come. */
  #readValue(): Response | undefined | typeof DONE {
    const bytes = this.#bytes;
    if (this.#missing > 2) {
      const rest = this.#missing - 2;
      if (this.#value === NO_VALUE && bytes.length - this.#at >= rest) {
        // The usual case: all of it lies in one piece and is copied once.
        this.#value = new Uint8Array(bytes.subarray(this.#at, this.#at + rest));
        this.#at += rest;
        this.#missing = 2;
      } else {
        if (this.#at === bytes.length) return undefined;
        if (this.#value === NO_VALUE) this.#value = new Uint8Array(rest);
        const part = bytes.subarray(this.#at, this.#at + rest);
        this.#value.set(part, this.#value.length - rest);
        this.#at += part.length;
        this.#missing -= part.length;
        if (this.#missing > 2) return undefined;
      }
    }
    for (; this.#missing > 0; this.#missing--) {
      if (this.#at === bytes.length) return undefined;
      if (bytes[this.#at++] !== (this.#missing === 2 ? CR : LF)) {
        return unreadable("a value longer than announced");
      }
    }
    this.#inValue = false;
    return DONE;
  }

  #nextMeta(): Response | undefined {
    if (!this.#inValue) {
      if (!this.#readLine()) return this.#more();
      const line = latin1(this.#line, this.#lineAt, this.#lineEnd);
      const announced = /^VA (\d{1,10})(?: |$)/.exec(line);
      if (announced === null) {
        return isError(line) ? { kind: "error", line } : { kind: "meta", line };
      }
      const length = Number(announced[1]);
      if (length > LONGEST_VALUE) return this.#unexpected();
      this.#metaLine = line;
      this.#announce(length);
    }
    const stopped = this.#readValue();
    return stopped === DONE ? { kind: "meta", line: this.#metaLine, value: this.#value } : stopped;
  }

  /**
   * Lines until the one that ends them. A dump may begin with `OK`, ends with `END` or `EN`, and is
   * given in parts.
   */
  #nextList(dump: boolean): Response | undefined {
    while (this.#readLine()) {
      const line = latin1(this.#line, this.#lineAt, this.#lineEnd);
      if (line === "END" || dump && line === "EN") return this.#takeLines(true);
      if (isError(line)) {
        this.#lines = [];
        return { kind: "error", line };
      }
      if (dump) {
        if (/^(BUSY|BADCLASS)/.test(line)) return { kind: "error", line };
        if (line !== "OK") this.#lines.push(line);
      } else if (/^(STAT|ITEM|PREFIX) /.test(line)) {
        this.#lines.push(line);
      } else if (this.#lines.length === 0) {
        return { kind: "line", line };
      } else {
        return this.#unexpected();
      }
    }
    return this.#more() ?? (dump && this.#lines.length > 0 ? this.#takeLines(false) : undefined);
  }

  #takeLines(last: boolean): Response {
    const response: Response = { kind: "lines", lines: this.#lines, last };
    this.#lines = [];
    return response;
  }

  /** Finds the next line's end; keeps what has come of it where that is not there. */
  #readLine(): boolean {
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
      this.#line = bytes;
      this.#lineAt = start;
      this.#lineEnd = at;
    } else {
      carry.append(bytes.subarray(start, at));
      this.#line = carry.bytes;
      this.#lineAt = 0;
      this.#lineEnd = carry.length;
      carry.clear();
    }
    if (this.#lineEnd > this.#lineAt && this.#line[this.#lineEnd - 1] === CR) this.#lineEnd--;
    return true;
  }

  #lineIs(word: string): boolean {
    const length = word.length;
    if (this.#lineEnd - this.#lineAt !== length) return false;
    for (let i = 0; i < length; i++) {
      if (this.#line[this.#lineAt + i] !== word.charCodeAt(i)) return false;
    }
    return true;
  }

  /** The usual one-line replies, made once. */
  #word(): Response | undefined {
    for (const { line, response } of WORDS) if (this.#lineIs(line)) return response;
    return undefined;
  }

  #single(): Response {
    const line = latin1(this.#line, this.#lineAt, this.#lineEnd);
    return isError(line) ? { kind: "error", line } : { kind: "line", line };
  }

  #onlyError(): Response {
    const response = this.#single();
    return response.kind === "error" ? response : this.#unexpected();
  }

  #unexpected(): Response {
    const line = latin1(this.#line, this.#lineAt, Math.min(this.#lineEnd, this.#lineAt + 80));
    return unreadable(`the line ${JSON.stringify(line)}`);
  }
}

function unreadable(reason: string): Response {
  return { kind: "unreadable", reason };
}

function isError(line: string): boolean {
  return /^(ERROR|CLIENT_ERROR|SERVER_ERROR)\b/.test(line);
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

/** The bytes from `start` to `end` as a binary string; lines are short, a loop is the fastest. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
