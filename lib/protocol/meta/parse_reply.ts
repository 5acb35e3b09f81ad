/**
 * What a server answers to meta commands.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { binaryString, bytesOf } from "../../bytes.ts";
import { binaryText } from "../binary_text.ts";
import {
  ENTRY_COST,
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
import type { Key } from "../key.ts";
import { isErrorLine, type ReplyLines } from "../text/reply_lines.ts";

/** The shapes of the meta commands. */
export type MetaShape = Extract<Shape, "mg" | "mgs" | "ms" | "md" | "mt" | "ma" | "mn" | "meta">;

const SPACE = 0x20;

type Codes = Readonly<Record<string, StatusName>>;

const CODES: Readonly<Record<"ms" | "md" | "mt" | "mn", Codes>> = {
  ms: { HD: "done", NS: "not stored", EX: "exists", NF: "not found" },
  md: { HD: "done", EX: "exists", NF: "not found" },
  mt: { HD: "done", EN: "not found" },
  mn: { MN: "done" },
};

/** Reads the replies to meta commands. */
export class MetaReplies {
  readonly #lines: ReplyLines;

  /** What the line before a value said. */
  #line = "";
  #key = "";
  #flags = 0;
  #cas = 0n;
  /** Of the key in the request, where it was numbered; else -1. */
  #place = -1;
  /** Of the value, in bytes. */
  #length = 0;

  /** What of a reply of several parts is there, and how much memory it takes. */
  #values: Value[] = [];
  #size = 0;
  /** The first error among them. */
  #error: Reply | undefined;

  constructor(lines: ReplyLines) {
    this.#lines = lines;
  }

  /** `keys` are those of {@linkcode NumberedItems}. */
  next(expect: MetaShape, keys?: readonly Key[]): Reply | undefined {
    switch (expect) {
      case "mg":
        return this.#nextItem();
      case "mgs":
        return this.#nextItems(keys);
      case "ma":
        return this.#nextNumber();
      case "meta":
        return this.#nextAsItIs();
      default:
        return this.#nextStatus(CODES[expect]);
    }
  }

  #nextStatus(codes: Codes): Reply | undefined {
    const lines = this.#lines;
    if (!lines.readLine()) return lines.more();
    const status = codes[this.#code()];
    return status === undefined ? lines.errorOrUnexpected() : statusReplies[status];
  }

  #nextItem(): Reply | undefined {
    const lines = this.#lines;
    if (!lines.inValue) {
      if (!lines.readLine()) return lines.more();
      const code = this.#code();
      if (code === "EN") return missReply;
      if (code !== "VA") return lines.errorOrUnexpected();
      const broken = this.#readHeader();
      if (broken !== undefined) return broken;
    }
    const broken = lines.readValue();
    if (broken !== undefined || lines.inValue) return broken;
    return { kind: "values", values: [this.#item()] };
  }

  /** Items until `MN`. Misses are quiet, an error is told when all has been read. */
  #nextItems(keys: readonly Key[] | undefined): Reply | undefined {
    const lines = this.#lines;
    while (true) {
      if (lines.inValue) {
        const broken = lines.readValue();
        if (broken !== undefined || lines.inValue) return broken;
        this.#values.push(this.#item());
      }
      if (!lines.readLine()) return lines.more();
      const code = this.#code();
      if (code === "VA") {
        const broken = this.#readHeader();
        if (broken !== undefined) return broken;
        if (this.#place >= 0) {
          const key = keys?.[this.#place];
          if (key === undefined) return lines.unexpected();
          this.#key = binaryString(typeof key === "string" ? bytesOf(key) : key);
        }
        this.#size += this.#length + ENTRY_COST;
        if (this.#size > LARGEST_VALUES) {
          return unreadable(`values of more than ${LARGEST_VALUES} bytes`);
        }
      } else if (code === "MN") {
        return this.#takeItems();
      } else {
        const error = lines.errorOrUnexpected();
        if (error.kind !== "error") return error;
        this.#error ??= error;
      }
    }
  }

  #takeItems(): Reply {
    const error = this.#error;
    const values = this.#values;
    this.#error = undefined;
    this.#size = 0;
    if (values.length > 0) this.#values = [];
    return error ?? (values.length === 0 ? missReply : { kind: "values", values });
  }

  #nextNumber(): Reply | undefined {
    const lines = this.#lines;
    if (!lines.inValue) {
      if (!lines.readLine()) return lines.more();
      const code = this.#code();
      if (code === "NF") return noNumberReply;
      if (code !== "VA") return lines.errorOrUnexpected();
      const broken = this.#readHeader();
      if (broken !== undefined) return broken;
    }
    const broken = lines.readValue();
    if (broken !== undefined || lines.inValue) return broken;
    const text = binaryText(lines.value, 0, Math.min(lines.value.length, 40));
    return /^\d{1,20} *$/.test(text)
      ? { kind: "number", number: BigInt(text.trimEnd()) }
      : unreadable(`the number ${JSON.stringify(text)}`);
  }

  #nextAsItIs(): Reply | undefined {
    const lines = this.#lines;
    if (!lines.inValue) {
      if (!lines.readLine()) return lines.more();
      const line = lines.text();
      if (isErrorLine(line)) return { kind: "error", line };
      if (this.#code() !== "VA") return { kind: "meta", line };
      const broken = this.#readHeader();
      if (broken !== undefined) return broken;
      this.#line = line;
    }
    const broken = lines.readValue();
    if (broken !== undefined || lines.inValue) return broken;
    return { kind: "meta", line: this.#line, value: lines.value };
  }

  /** The two letters that a reply begins with; longer words are errors, or no replies. */
  #code(): string {
    const { bytes, start, end } = this.#lines;
    if (end - start < 2 || end - start > 2 && bytes[start + 2] !== SPACE) return "";
    return String.fromCharCode(bytes[start]!, bytes[start + 1]!);
  }

  /** Takes `VA length flags…` apart: `k`, `f`, `c` and `O` are what a get asks for. */
  #readHeader(): Reply | undefined {
    const lines = this.#lines;
    const { bytes, end } = lines;
    let at = lines.start + 3;
    const length = decimalAt(bytes, at, end);
    if (length < 0) return lines.unexpected();
    this.#key = "";
    this.#flags = 0;
    this.#cas = 0n;
    this.#place = -1;
    let base64 = false;
    while ((at = nextWord(bytes, at, end)) < end) {
      switch (bytes[at]) {
        case 0x4f: // O
          this.#place = decimalAt(bytes, at + 1, end);
          if (this.#place < 0) return lines.unexpected();
          break;
        case 0x62: // b
          base64 = true;
          break;
        case 0x63: { // c
          const cas = binaryText(bytes, at + 1, wordEnd(bytes, at, end));
          if (!/^\d{1,20}$/.test(cas)) return lines.unexpected();
          this.#cas = BigInt(cas);
          break;
        }
        case 0x66: // f
          this.#flags = decimalAt(bytes, at + 1, end);
          if (this.#flags < 0 || this.#flags > 0xffffffff) return lines.unexpected();
          break;
        case 0x6b: // k
          this.#key = binaryText(bytes, at + 1, wordEnd(bytes, at, end));
          break;
      }
    }
    if (base64) this.#key = Buffer.from(this.#key, "base64").toString("latin1");
    this.#length = length;
    return lines.announce(length);
  }

  #item(): Value {
    return new Value(this.#key, this.#flags, this.#lines.value, this.#cas);
  }
}

function wordEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== SPACE) at++;
  return at;
}

function nextWord(bytes: Uint8Array, at: number, end: number): number {
  at = wordEnd(bytes, at, end);
  while (at < end && bytes[at] === SPACE) at++;
  return at;
}

/** The unsigned integer of up to ten digits that stands at a place and ends its word; else -1. */
function decimalAt(bytes: Uint8Array, at: number, end: number): number {
  const last = wordEnd(bytes, at, end);
  if (at === last || last - at > 10) return -1;
  let number = 0;
  for (; at < last; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}
