/** A dialect that is given bytes, and what it makes of them. */

import { assertEquals } from "@std/assert";
import { binaryString, ByteBuffer, bytesOfBinaryString } from "../../lib/bytes.ts";
import type { Dialect } from "../../lib/protocol/dialect.ts";
import { ReceiveBuffer } from "../../lib/protocol/framing.ts";
import { Outcome } from "../../lib/protocol/outcome.ts";
import { Request } from "../../lib/protocol/request.ts";

/** What a request asks, without what it does not. Bytes are one character each. */
export type Asked = Record<string, unknown>;

/** A dialect and the bytes that it has received. */
export class Receiver {
  readonly input = new ReceiveBuffer();
  readonly request = new Request();
  /** Whether a request has ended the connection, so that nothing behind it is one. */
  #closed = false;

  constructor(readonly dialect: Dialect) {}

  /** Gives bytes, however often room must be asked for; returns the requests that they complete. */
  feed(sent: string): Asked[] {
    let bytes = bytesOfBinaryString(sent);
    const asked: Asked[] = [];
    do {
      const room = this.input.room();
      const part = bytes.subarray(0, room.length);
      room.set(part);
      this.input.added(part.length);
      bytes = bytes.subarray(part.length);
      while (!this.#closed && this.dialect.next(this.input, this.request)) {
        asked.push(askedBy(this.request));
        this.#closed = this.request.closes;
      }
    } while (bytes.length > 0);
    return asked;
  }
}

/** The fields of a request that are not as {@linkcode Request.clear} leaves them. */
function askedBy(request: Request): Asked {
  const { op } = request;
  const asked: Asked = { op };
  if (request.keyLength > 0) asked.key = binaryString(request.key);
  if (op === "store") asked.value = binaryString(request.value);
  const usual = new Request();
  for (const name of names) {
    const value = request[name];
    if (value !== usual[name]) asked[name] = value;
  }
  if (request.failure !== undefined) {
    const { code, sentence } = request.failure;
    asked.failure = sentence === "" ? code : `${code}: ${sentence}`;
  }
  if (request.words.length > 0) asked.words = request.words;
  return asked;
}

const names = [
  "binaryKey",
  "mode",
  "flags",
  "exptime",
  "touches",
  "vivifies",
  "vivifyExptime",
  "recaches",
  "recacheTime",
  "recachesTouched",
  "compares",
  "cas",
  "newCas",
  "invalidates",
  "empties",
  "peeks",
  "decrements",
  "delta",
  "initial",
  "hasMore",
  "noreply",
  "quiet",
  "closes",
  "wantsValue",
  "wantsCas",
  "wantsTimes",
  "opaque",
] as const;

/** The requests that a dialect finds in bytes, which must be the same however they are cut. */
export function requestsIn(dialect: () => Dialect, sent: string): Asked[] {
  const whole = new Receiver(dialect()).feed(sent);
  const byteByByte = new Receiver(dialect());
  const step = Math.ceil(sent.length / 2000);
  const found: Asked[] = [];
  for (let i = 0; i < sent.length; i += step) {
    found.push(...byteByByte.feed(sent.slice(i, i + step)));
  }
  assertEquals(found, whole, "requests depend on how their bytes are cut");
  return whole;
}

/** What a dialect writes of an outcome for the first request in `sent`. */
export function replyTo(dialect: Dialect, sent: string, outcome: Partial<Outcome>): string {
  const receiver = new Receiver(dialect);
  const out = new ByteBuffer(1);
  const room = receiver.input.room();
  room.set(bytesOfBinaryString(sent));
  receiver.input.added(sent.length);
  assertEquals(dialect.next(receiver.input, receiver.request), true, "not a whole request");
  dialect.encode(receiver.request, Object.assign(new Outcome(), outcome), out);
  return binaryString(out.view());
}
