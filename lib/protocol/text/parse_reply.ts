/**
 * What a server answers to the classic commands of the text protocol.
 *
 * @module
 */

import { binaryText } from "../binary_text.ts";
import {
  ENTRY_COST,
  LARGEST_LIST,
  LARGEST_VALUES,
  missReply,
  noNumberReply,
  type Reply,
  type Shape,
  type StatusName,
  statusReplies,
  unreadable,
  Value,
} from "../client_dialect.ts";
import { isErrorLine, type ReplyLines, unexpectedLine } from "./reply_lines.ts";

/** The shapes of the text protocol. */
export type TextShape = Extract<
  Shape,
  | "value"
  | "values"
  | "stored"
  | "deleted"
  | "touched"
  | "number"
  | "done"
  | "version"
  | "stats"
  | "line"
  | "list"
  | "dump"
>;

const SPACE = 0x20;
const V = 0x56;
/** How long `VALUE ` is. */
const VALUE_WORD = 6;

type Words = readonly (readonly [word: string, status: StatusName])[];

/** The one-line replies of each shape. */
const WORDS: Readonly<Record<"stored" | "deleted" | "touched" | "done", Words>> = {
  stored: [
    ["STORED", "done"],
    ["NOT_STORED", "not stored"],
    ["EXISTS", "exists"],
    ["NOT_FOUND", "not found"],
  ],
  deleted: [["DELETED", "done"], ["NOT_FOUND", "not found"]],
  touched: [["TOUCHED", "done"], ["NOT_FOUND", "not found"]],
  done: [["OK", "done"]],
};

/** Reads the replies to classic commands. */
export class TextReplies {
  readonly #lines: ReplyLines;

  /** What the line before a value said. */
  #key = "";
  #flags = 0;
  #cas = 0n;

  /** What of a reply of several parts is there, and how much memory it takes. */
  #values: Value[] = [];
  #list: string[] = [];
  /** The error that ends a dump of which the last lines were just returned. */
  #endOfDump: string | undefined;
  #size = 0;

  constructor(lines: ReplyLines) {
    this.#lines = lines;
  }

  next(expect: TextShape): Reply | undefined {
    switch (expect) {
      case "value":
      case "values":
        return this.#nextValues();
      case "list":
      case "dump":
        return this.#nextList(expect === "dump");
      case "stats":
        return asStats(this.#nextList(false));
    }
    const lines = this.#lines;
    if (!lines.readLine()) return lines.more();
    switch (expect) {
      case "line": {
        const line = lines.text();
        return isErrorLine(line) ? { kind: "error", line } : { kind: "line", line };
      }
      case "number":
        return this.#number();
      case "version": {
        const version = /^VERSION (.*)$/.exec(lines.text());
        return version === null ? lines.errorOrUnexpected() : { kind: "text", text: version[1]! };
      }
      default:
        for (const [word, status] of WORDS[expect]) {
          if (lines.is(word)) return statusReplies[status];
        }
        return lines.errorOrUnexpected();
    }
  }

  #number(): Reply {
    const lines = this.#lines;
    if (lines.is("NOT_FOUND")) return noNumberReply;
    const line = lines.text();
    // The blanks are those of a number that has become shorter.
    return /^\d{1,20} *$/.test(line)
      ? { kind: "number", number: BigInt(line.trimEnd()) }
      : lines.errorOrUnexpected();
  }

  #nextValues(): Reply | undefined {
    const lines = this.#lines;
    while (true) {
      if (lines.inValue) {
        const broken = lines.readValue();
        if (broken !== undefined || lines.inValue) return broken;
        this.#values.push(new Value(this.#key, this.#flags, lines.value, this.#cas));
      }
      if (!lines.readLine()) return lines.more();
      if (lines.bytes[lines.start] !== V) break;
      const broken = this.#readHeader();
      if (broken !== undefined) return broken;
    }
    const values = this.#values;
    this.#size = 0;
    if (values.length > 0) this.#values = [];
    if (!lines.is("END")) return lines.errorOrUnexpected();
    return values.length === 0 ? missReply : { kind: "values", values };
  }

  /** Takes `VALUE key flags length [cas]` apart. */
  #readHeader(): Reply | undefined {
    const lines = this.#lines;
    const { bytes, end } = lines;
    const keyAt = lines.start + VALUE_WORD;
    let at = keyAt;
    while (at < end && bytes[at] !== SPACE) at++;
    this.#key = binaryText(bytes, keyAt, at);
    let flags = 0;
    let length = 0;
    let digits = true;
    for (at++; at < end && bytes[at] !== SPACE; at++) {
      digits &&= isDigit(bytes[at]!);
      flags = flags * 10 + bytes[at]! - 48;
    }
    const lengthAt = ++at;
    for (; at < end && bytes[at] !== SPACE; at++) {
      digits &&= isDigit(bytes[at]!);
      length = length * 10 + bytes[at]! - 48;
    }
    if (!digits || at === lengthAt || at > end || flags > 0xffffffff) return lines.unexpected();
    this.#cas = 0n;
    if (at < end) {
      const cas = binaryText(bytes, at + 1, end);
      if (!/^\d{1,20}$/.test(cas)) return lines.unexpected();
      this.#cas = BigInt(cas);
    }
    this.#flags = flags;
    const broken = lines.announce(length);
    if (broken !== undefined) return broken;
    this.#size += length + ENTRY_COST;
    return this.#size > LARGEST_VALUES
      ? unreadable(`values of more than ${LARGEST_VALUES} bytes`)
      : undefined;
  }

  /**
   * Lines until the one that ends them. A dump may begin with `OK`, ends with `END` or `EN`, and is
   * returned in parts.
   */
  #nextList(dump: boolean): Reply | undefined {
    const lines = this.#lines;
    const error = this.#endOfDump;
    if (error !== undefined) {
      this.#endOfDump = undefined;
      return { kind: "error", line: error };
    }
    while (lines.readLine()) {
      const line = lines.text();
      if (line === "END" || dump && line === "EN") return this.#takeList(true);
      if (isErrorLine(line) || dump && /^(BUSY|BADCLASS)/.test(line)) {
        const before = this.#takeList(false);
        // What a dump has listed until then counts.
        if (!dump || before.lines.length === 0) return { kind: "error", line };
        this.#endOfDump = line;
        return before;
      }
      if (dump) {
        if (line !== "OK") this.#list.push(line);
      } else if (/^(STAT|ITEM|PREFIX) /.test(line)) {
        this.#list.push(line);
        this.#size += line.length + ENTRY_COST;
        if (this.#size > LARGEST_LIST) {
          return unreadable(`a list of more than ${LARGEST_LIST} bytes`);
        }
      } else if (this.#list.length === 0) {
        return { kind: "line", line };
      } else {
        return lines.unexpected();
      }
    }
    return lines.more() ?? (dump && this.#list.length > 0 ? this.#takeList(false) : undefined);
  }

  #takeList(last: boolean): Extract<Reply, { kind: "lines" }> {
    const reply: Extract<Reply, { kind: "lines" }> = { kind: "lines", lines: this.#list, last };
    this.#list = [];
    this.#size = 0;
    return reply;
  }
}

/** Lines such as `STAT name value` as figures; an only word, `RESET` or `OK`, has no value. */
function asStats(reply: Reply | undefined): Reply | undefined {
  switch (reply?.kind) {
    case "lines":
      return { kind: "stats", entries: reply.lines.map(nameAndValue) };
    case "line":
      return /^[A-Z]+$/.test(reply.line)
        ? { kind: "stats", entries: [[reply.line, ""]] }
        : unexpectedLine(reply.line);
    default:
      return reply;
  }
}

function nameAndValue(line: string): [name: string, value: string] {
  const [, name = line, value = ""] = /^\S+ (\S+) ?(.*)$/.exec(line) ?? [];
  return [name, value];
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}
