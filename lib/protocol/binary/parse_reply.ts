/**
 * What a server answers in the binary protocol.
 *
 * @module
 */

import { ArrivingBytes } from "../arriving_bytes.ts";
import { binaryText } from "../binary_text.ts";
import {
  ENTRY_COST,
  type Expect,
  LARGEST_LIST,
  LARGEST_VALUE,
  LARGEST_VALUES,
  missReply,
  noNumberReply,
  type Reply,
  type ReplyReader,
  type Shape,
  statusReplies,
  unreadable,
  Value,
} from "../client_dialect.ts";
import { GET_REPLY_EXTRAS, HEADER_LENGTH, Magic, Offset, Opcode, Status } from "./frame.ts";
import { uint64 } from "../../uint64.ts";

/** The greatest body of a frame that brings no value, in bytes: a figure, a sentence. */
const LARGEST_SMALL_BODY = 2 ** 20;
/** Extras and key of a frame that brings a value, in bytes, at most. */
const BESIDE_VALUE = 2 ** 16;
/** Of what is no frame, so much is shown, in bytes. */
const SHOWN = 40;

/** The opcodes of the frames that a reply of each shape consists of. */
const OPCODES: Readonly<Partial<Record<Shape, readonly number[]>>> = {
  value: [Opcode.getK, Opcode.gatK],
  values: [Opcode.getKQ, Opcode.gatKQ, Opcode.noop],
  stored: [Opcode.set, Opcode.add, Opcode.replace, Opcode.append, Opcode.prepend],
  deleted: [Opcode.delete],
  touched: [Opcode.touch],
  number: [Opcode.incr, Opcode.decr],
  done: [Opcode.flush, Opcode.noop, Opcode.verbosity],
  version: [Opcode.version],
  stats: [Opcode.stat],
  end: [Opcode.quit],
  mechanisms: [Opcode.saslMechanisms],
  authenticated: [Opcode.saslAuth],
};

/** How the text protocol says what a status says. */
const ERROR_LINES: ReadonlyMap<number, string> = new Map([
  [Status.tooLarge, "SERVER_ERROR object too large for cache"],
  [Status.invalidArguments, "CLIENT_ERROR invalid arguments"],
  [Status.notNumeric, "CLIENT_ERROR cannot increment or decrement non-numeric value"],
  [Status.authFailure, "CLIENT_ERROR authentication failure"],
  [Status.unknownCommand, "ERROR"],
  [Status.outOfMemory, "SERVER_ERROR out of memory storing object"],
]);

const decoder = new TextDecoder();

/** Reads frames. */
export class BinaryReader implements ReplyReader {
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;

  /** A header of which a part has come, and how many of its bytes. */
  readonly #partial = new Uint8Array(HEADER_LENGTH);
  #partialLength = 0;

  /** What the header just read says; its body is being read while `#inBody`. */
  #inBody = false;
  #opcode = 0;
  #keyLength = 0;
  #extrasLength = 0;
  #status = 0;
  #casHigh = 0;
  #casLow = 0;
  readonly #arriving = new ArrivingBytes();

  /** What of a reply of several frames is there, and how much memory it takes. */
  #values: Value[] = [];
  #entries: (readonly [name: string, value: string])[] = [];
  #size = 0;
  /** The first error among them. */
  #error: Reply | undefined;

  push(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
  }

  get pending(): boolean {
    return this.#at < this.#bytes.length;
  }

  next(expect: Expect, opaque: number): Reply | undefined {
    const opcodes = typeof expect === "string" ? OPCODES[expect] : undefined;
    if (typeof expect !== "string" || opcodes === undefined) {
      return unreadable(`a frame where ${JSON.stringify(expect)} is expected`);
    }
    while (true) {
      if (!this.#inBody) {
        const broken = this.#readHeader(expect, opcodes, opaque);
        if (broken !== undefined) return broken;
        if (!this.#inBody) return undefined;
      }
      this.#at += this.#arriving.take(this.#bytes, this.#at);
      if (!this.#arriving.complete) return undefined;
      this.#inBody = false;
      const reply = this.#reply(expect);
      if (reply !== undefined) return reply;
    }
  }

  /** Reads a header if all of it is there, which begins a body, be it an empty one. */
  #readHeader(expect: Shape, opcodes: readonly number[], opaque: number): Reply | undefined {
    let header = this.#bytes;
    let start = this.#at;
    if (this.#partialLength > 0 || header.length - start < HEADER_LENGTH) {
      const missing = HEADER_LENGTH - this.#partialLength;
      const part = header.subarray(start, start + missing);
      this.#partial.set(part, this.#partialLength);
      this.#partialLength += part.length;
      this.#at += part.length;
      header = this.#partial;
      start = 0;
      if (this.#partialLength > 0 && header[0] !== Magic.reply) return this.#noFrame();
      if (this.#partialLength < HEADER_LENGTH) return undefined;
      this.#partialLength = 0;
    } else {
      if (header[start] !== Magic.reply) return this.#noFrame();
      this.#at += HEADER_LENGTH;
    }
    this.#opcode = header[start + Offset.opcode]!;
    this.#keyLength = uint16(header, start + Offset.keyLength);
    this.#extrasLength = header[start + Offset.extrasLength]!;
    this.#status = uint16(header, start + Offset.status);
    this.#casHigh = uint32(header, start + Offset.cas);
    this.#casLow = uint32(header, start + Offset.cas + 4);
    const received = uint32(header, start + Offset.opaque);
    if (received !== opaque) {
      return unreadable(`opaque ${received} where ${opaque} is expected`);
    }
    if (!opcodes.includes(this.#opcode)) {
      return unreadable(`opcode ${this.#opcode} in the reply to another`);
    }
    return this.#beginBody(expect, uint32(header, start + Offset.bodyLength));
  }

  #beginBody(expect: Shape, length: number): Reply | undefined {
    const ofItems = expect === "value" || expect === "values";
    const valued = ofItems && this.#status === Status.ok && this.#opcode !== Opcode.noop;
    const least = valued ? GET_REPLY_EXTRAS : 0;
    const beside = this.#extrasLength + this.#keyLength;
    const most = valued ? LARGEST_VALUE + BESIDE_VALUE : LARGEST_SMALL_BODY;
    if (this.#extrasLength < least || length < beside || length > most) {
      return unreadable(
        `a body of ${length} bytes with ${this.#extrasLength} of extras and ${this.#keyLength} of key`,
      );
    }
    this.#size += length + ENTRY_COST;
    const limit = ofItems ? LARGEST_VALUES : LARGEST_LIST;
    if (this.#size > limit) return unreadable(`a reply of more than ${limit} bytes`);
    this.#inBody = true;
    this.#arriving.begin(length);
    return undefined;
  }

  /** The other side says something else; what it says may tell a person why. */
  #noFrame(): Reply {
    const partial = this.#partial.subarray(0, this.#partialLength);
    const rest = this.#bytes.subarray(this.#at, this.#at + SHOWN - partial.length);
    const shown = String.fromCharCode(...partial, ...rest);
    return unreadable(`${JSON.stringify(shown)} where a frame begins`);
  }

  /** The reply, when the frame just read is its last one. */
  #reply(expect: Shape): Reply | undefined {
    switch (expect) {
      case "values":
        return this.#gathered();
      case "stats":
        return this.#figures();
      case "end":
        return undefined;
    }
    this.#size = 0;
    const body = this.#arriving.bytes;
    if (this.#status !== Status.ok) return this.#failed(expect);
    switch (expect) {
      case "value":
        return { kind: "values", values: [this.#item()] };
      case "number":
        return body.length === 8
          ? { kind: "number", number: uint64(uint32(body, 4), uint32(body, 0)) }
          : unreadable(`a number of ${body.length} bytes`);
      case "version":
      case "mechanisms":
        return { kind: "text", text: decoder.decode(body) };
      default:
        return statusReplies.done;
    }
  }

  /** What a status other than `ok` means to who asked. */
  #failed(expect: Shape): Reply {
    const opcode = this.#opcode;
    switch (this.#status) {
      case Status.notFound:
        if (expect === "value") return missReply;
        if (expect === "number") return noNumberReply;
        if (expect !== "stored" && expect !== "deleted" && expect !== "touched") break;
        return statusReplies[opcode === Opcode.replace ? "not stored" : "not found"];
      case Status.exists:
        if (expect !== "stored" && expect !== "deleted") break;
        return statusReplies[opcode === Opcode.add ? "not stored" : "exists"];
      case Status.notStored:
        if (expect !== "stored") break;
        return statusReplies["not stored"];
    }
    return this.#errorReply();
  }

  #errorReply(): Reply {
    const line = ERROR_LINES.get(this.#status);
    if (line !== undefined) return { kind: "error", line };
    const sentence = decoder.decode(this.#arriving.bytes).replace(/^SERVER_ERROR /, "");
    return { kind: "error", line: `SERVER_ERROR ${sentence || `status ${this.#status}`}` };
  }

  #gathered(): Reply | undefined {
    if (this.#status !== Status.ok) {
      // Misses are quiet; a server that tells of one means no harm.
      if (this.#status !== Status.notFound) this.#error ??= this.#errorReply();
      if (this.#opcode !== Opcode.noop) return undefined;
    } else if (this.#opcode !== Opcode.noop) {
      this.#values.push(this.#item());
      return undefined;
    }
    const error = this.#error;
    const values = this.#values;
    this.#error = undefined;
    this.#size = 0;
    if (values.length > 0) this.#values = [];
    return error ?? (values.length === 0 ? missReply : { kind: "values", values });
  }

  /** The figures end with a frame that has no key. */
  #figures(): Reply | undefined {
    const body = this.#arriving.bytes;
    if (this.#status === Status.ok && this.#keyLength > 0) {
      const keyAt = this.#extrasLength;
      const valueAt = keyAt + this.#keyLength;
      const name = decoder.decode(body.subarray(keyAt, valueAt));
      this.#entries.push([name, decoder.decode(body.subarray(valueAt))]);
      return undefined;
    }
    const entries = this.#entries;
    this.#entries = [];
    this.#size = 0;
    if (this.#status === Status.ok) return { kind: "stats", entries };
    // Figures of that name there are none; the text protocol does not know the command then.
    return this.#status === Status.notFound ? { kind: "error", line: "ERROR" } : this.#errorReply();
  }

  #item(): Value {
    const body = this.#arriving.bytes;
    const keyAt = this.#extrasLength;
    const valueAt = keyAt + this.#keyLength;
    return new Value(
      binaryText(body, keyAt, valueAt),
      uint32(body, 0),
      body.subarray(valueAt),
      uint64(this.#casLow, this.#casHigh),
    );
  }
}

function uint16(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}
