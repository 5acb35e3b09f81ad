/**
 * A wire format: bytes to requests, outcomes to bytes.
 *
 * A dialect is pure: it has no socket, no clock and waits for nothing. What it must remember between
 * two reads (a value that has not arrived whole) it keeps itself, so that each connection has one of
 * its own.
 *
 * @module
 */

import type { ByteBuffer } from "../bytes.ts";
import type { ReceiveBuffer } from "./framing.ts";
import type { DumpFormat, Entry, Failure, Outcome } from "./outcome.ts";
import type { Request } from "./request.ts";

/** Who may store what, where not everybody may store everything. */
export interface Guard {
  /** Whether the value of a request, whose line or header is read, is not to be received. */
  refusesValue(request: Request): boolean;
}

/** One connection's wire format. */
export interface Dialect {
  /** The protocol's name for people and for `stats`. */
  readonly name: "ascii" | "binary";
  /** Whether it is for who has yet to log in, so that another dialect follows the login. */
  readonly isLogin: boolean;

  /** Fills the next complete request; false where more bytes must come first. */
  next(input: ReceiveBuffer, request: Request): boolean;

  /** Writes what came of a request to the end of `out`; nothing where no answer is due. */
  encode(request: Request, outcome: Outcome, out: ByteBuffer): void;

  /**
   * Writes figures or entries up to one of them, and not yet how they end: {@linkcode encode} goes on
   * behind it.
   */
  encodeLines(request: Request, outcome: Outcome, to: number, out: ByteBuffer): void;

  /**
   * What {@linkcode fail} must know of a request to answer it later, when the request is gone; -1 where
   * no error is owed to it.
   */
  tag(request: Request): number;

  /** Answers a request that was carried out, but could not be made to last. */
  fail(tag: number, failure: Failure, out: ByteBuffer): void;

  /** Writes how a listing of keys begins, some of its items, and how it ends. */
  beginDump(format: DumpFormat, out: ByteBuffer): void;
  encodeDumped(format: DumpFormat, entries: readonly Entry[], out: ByteBuffer): void;
  endDump(format: DumpFormat, out: ByteBuffer): void;
}
