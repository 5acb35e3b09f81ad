/**
 * The dialect of a connection that speaks frames.
 *
 * @module
 */

import type { ByteBuffer } from "../../bytes.ts";
import type { Dialect, Guard } from "../dialect.ts";
import type { ReceiveBuffer } from "../framing.ts";
import { fits, type Limits } from "../limits.ts";
import { type Failure, failures, type Outcome } from "../outcome.ts";
import type { Request } from "../request.ts";
import { encodeBinary, encodeFailure, encodeFigures } from "./format_reply.ts";
import { HEADER_LENGTH, Magic } from "./frame.ts";
import { bodyLengthAt, parseFrame, readLogin, readWords } from "./parse_request.ts";

const TWO_32 = 2 ** 32;
const NO_BYTES = new Uint8Array(0);
/** What somebody may send who has not logged in; it is refused, but must have come first. */
const STRANGERS: Limits = { itemSize: 16 * 1024 };

/** Bytes that are answered before a login, at most and one reply more. */
const MAX_SAID = 1024;

/** Frames in, frames out. */
export class BinaryDialect implements Dialect {
  readonly name = "binary";
  readonly isLogin: boolean;
  readonly #limits: Limits;
  /** Bytes that are passed over, and the header, extras and key that they followed. */
  #skip = 0;
  #skippedFor = NO_BYTES;

  /** Whether what is passed over is not the user's to store. */
  #denied = false;
  /** Bytes that were answered before the login. */
  #said = 0;
  readonly #guard: Guard | undefined;

  /**
   * @param isLogin whether the client has yet to log in: then its requests take little memory
   * @param guard who may store what, where not everybody may store everything
   */
  constructor(limits: Limits, isLogin = false, guard?: Guard) {
    this.isLogin = isLogin;
    this.#guard = isLogin ? undefined : guard;
    this.#limits = isLogin ? STRANGERS : limits;
  }

  next(input: ReceiveBuffer, request: Request): boolean {
    if (this.#skip !== 0) return this.#passOver(input, request);
    if (input.held < HEADER_LENGTH || input.held < input.needed) return false;
    const { bytes, start } = input;
    if (bytes[start] !== Magic.request || this.isLogin && this.#said > MAX_SAID) {
      input.drop();
      request.hangUp(bytes);
      return true;
    }
    const length = HEADER_LENGTH + bodyLengthAt(bytes, start);
    const verdict = parseFrame(bytes, start, request);
    if (verdict === "broken") {
      input.drop();
      return true;
    }
    if (verdict === "value" && input.end < request.keyEnd) {
      // Whether the value is too large, and what is to be known of it then, is in what has yet to come.
      input.needed = request.keyEnd - start;
      return false;
    }
    if (verdict === "ready" || (verdict === "value" && this.#mayStore(request))) {
      if (input.held < length) {
        // The header is read again when the body is there: nothing need be remembered of it.
        input.needed = length;
        return false;
      }
      input.needed = 0;
      input.start = start + length;
      if (request.op === "login") readLogin(request);
      else if (request.op === "stats") readWords(request);
      return true;
    }
    return this.#beginToPassOver(input, request, length);
  }

  encode(request: Request, outcome: Outcome, out: ByteBuffer): void {
    const before = out.length;
    if (!request.noreply) encodeBinary(request, outcome, out);
    if (this.isLogin) this.#said += out.length - before;
  }

  encodeLines({ opaque }: Request, outcome: Outcome, to: number, out: ByteBuffer): void {
    encodeFigures(outcome, to, opaque, out);
  }

  tag(request: Request): number {
    return request.noreply ? -1 : request.opcode * TWO_32 + request.opaque;
  }

  fail(tag: number, failure: Failure, out: ByteBuffer): void {
    encodeFailure(Math.floor(tag / TWO_32), tag % TWO_32, failure, out);
  }

  beginDump(): never {
    throw new Error("the binary protocol has no listings");
  }

  encodeDumped(): never {
    this.beginDump();
  }

  endDump(): never {
    this.beginDump();
  }

  #mayStore(request: Request): boolean {
    if (this.#guard !== undefined && this.#guard.refusesValue(request)) {
      this.#denied = true;
      return false;
    }
    return fits(request.keyEnd - request.keyStart, request.number, request.flags, this.#limits);
  }

  #beginToPassOver(input: ReceiveBuffer, request: Request, length: number): boolean {
    // Of a value that is too large the key must be known when it has gone by.
    const kept = request.op === "store" ? request.keyEnd - input.start : HEADER_LENGTH;
    input.needed = 0;
    this.#skippedFor = input.bytes.slice(input.start, input.start + kept);
    this.#skip = length;
    return this.#passOver(input, request);
  }

  #passOver(input: ReceiveBuffer, request: Request): boolean {
    this.#skip = input.pass(this.#skip);
    if (this.#skip > 0) return false;
    const frame = this.#skippedFor;
    this.#skippedFor = NO_BYTES;
    // What the frame asks for is known now as it was then.
    if (parseFrame(frame, 0, request) === "value") {
      if (this.#denied) request.refuse(failures.permissionDenied);
      else request.op = "tooLarge";
    }
    this.#denied = false;
    return true;
  }
}
