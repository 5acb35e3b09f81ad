/**
 * What a connection of the text protocol may say before it has logged in: `set <any> <any> <any> <length>`
 * and, as the value, user and password (memcached, `proto_text.c`, `try_read_command_asciiauth`).
 *
 * @module
 */

import { binaryString, type ByteBuffer } from "../../bytes.ts";
import type { Dialect } from "../dialect.ts";
import type { ReceiveBuffer } from "../framing.ts";
import { badRequest, type Failure, failures, type Outcome } from "../outcome.ts";
import type { Request } from "../request.ts";
import { encodeFailure, encodeText } from "./format_reply.ts";
import { isHttp } from "./http.ts";
import { Tokens } from "./tokens.ts";

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** A line may be this long without its end having come, in bytes. */
const MAX_LINE = 2048;
/** A shorter line is nobody's login, without its line feed in bytes. */
const MIN_LINE = 6;
/** The longest login, in bytes. */
const MAX_LOGIN = 16 * 1024;
/** Bytes that are answered, at most and one line more: who logs in needs no more. */
const MAX_SAID = 1024;

const tooLong = badRequest("auth token too long");
const badEnd = badRequest("bad command line termination");
const badToken = badRequest("bad authentication token format");

const tokens = new Tokens();

/** Logins in, lines out. */
export class LoginDialect implements Dialect {
  readonly name = "ascii";
  readonly isLogin = true;
  /** The length of the login that is to come, with its line end, in bytes; 0 for none. */
  #length = 0;
  /** Bytes that were answered. */
  #said = 0;

  next(input: ReceiveBuffer, request: Request): boolean {
    if (this.#said > MAX_SAID) return hangUp(input, request);
    if (this.#length > 0) return this.#takeLogin(input, request);
    if (input.held < 3) return false;
    const end = input.lineEnd();
    if (end < 0) return input.held > MAX_LINE && hangUp(input, request);
    const { bytes, start } = input;
    if (end - start < MIN_LINE) return hangUp(input, request);
    const lineEnd = bytes[end - 1] === CR ? end - 1 : end;
    if (isHttp(bytes, start, lineEnd)) return hangUp(input, request);
    input.start = end + 1;
    tokens.split(bytes, start, lineEnd);
    const length = tokens.count < 5 ? -1 : tokens.unsigned32(4);
    if (length < 0 || !tokens.textOf(0).startsWith("set")) {
      return refuse(request, bytes, failures.unauthenticated);
    }
    if (length > MAX_LOGIN) return refuse(request, bytes, tooLong);
    this.#length = length + 2;
    return this.#takeLogin(input, request);
  }

  encode(request: Request, outcome: Outcome, out: ByteBuffer): void {
    const before = out.length;
    if (!request.noreply) encodeText(request, outcome, out);
    this.#said += out.length - before;
  }

  encodeLines(): never {
    this.beginDump();
  }

  tag(): number {
    return 0;
  }

  fail(_tag: number, failure: Failure, out: ByteBuffer): void {
    encodeFailure(failure, out);
  }

  beginDump(): never {
    throw new Error("nothing is listed before a login");
  }

  encodeDumped(): never {
    this.beginDump();
  }

  endDump(): never {
    this.beginDump();
  }

  #takeLogin(input: ReceiveBuffer, request: Request): boolean {
    const { bytes, start } = input;
    if (input.held < this.#length) return false;
    const end = start + this.#length - 2;
    input.start = end + 2;
    this.#length = 0;
    if (bytes[end] !== CR || bytes[end + 1] !== LF) return refuse(request, bytes, badEnd);
    const space = bytes.subarray(start, end).indexOf(SPACE);
    if (space < 0) return refuse(request, bytes, badToken);
    request.clear("login", bytes);
    request.extend();
    request.words = [
      binaryString(bytes.subarray(start, start + space)),
      binaryString(bytes.subarray(start + space + 1, end)),
    ];
    return true;
  }
}

function hangUp(input: ReceiveBuffer, request: Request): true {
  input.drop();
  request.hangUp(input.bytes);
  return true;
}

function refuse(request: Request, bytes: Uint8Array, failure: Failure): true {
  request.clear("malformed", bytes);
  request.refuse(failure);
  return true;
}
