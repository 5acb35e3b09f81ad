/**
 * What the clients of one thread send, and what they make of the answers.
 *
 * @module
 */

import { binaryString, ByteBuffer } from "../bytes.ts";
import { TimeoutError, UnreadableError } from "../client/errors.ts";
import type { Expect, Reply, RequestWriter } from "../protocol/client_dialect.ts";
import type { CheckedContent, Content } from "./content.ts";
import type { Picker } from "./distribution.ts";
import type { Ledger, Write } from "./ledger.ts";
import type { Lines } from "./lines.ts";
import type { Random } from "./random.ts";
import type { Command, Tally } from "./tally.ts";

/** One request, from its being chosen to its answer. */
export interface Request {
  command: Command;
  key: number;
  /** What the reply looks like. */
  expect: Expect;
  /** What the reply carries, where the dialect has that. */
  opaque: number;
  /** Of a set that is verified. */
  write: Write | undefined;
  /** Of a get that is verified: the least version that it may bring. */
  least: number;
  /** Of a get that is verified: a set of the same client to the same key, sent but not answered. */
  before: Write | undefined;
}

/** What a workload is made of. */
export interface WorkloadParts {
  readonly keys: Lines;
  /** Which key the next request is about, among all. */
  readonly picker: Picker;
  /** How many of all requests are gets, 0 to 1. */
  readonly getRatio: number;
  readonly random: Random;
  readonly tally: Tally;
  readonly content: Content;
  /** The dialect in which it asks. */
  readonly requests: RequestWriter;
  /** Present where answers are verified; `content` then is what it says. */
  readonly verify?: { readonly ledger: Ledger; readonly content: CheckedContent };
}

/** Chooses requests and judges answers. */
export class Workload {
  readonly #frame = new ByteBuffer();
  #opaque = 0;

  readonly #parts: WorkloadParts;

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
  }

  /** Chooses a key and a command; {@linkcode prepare} must follow. */
  choose(request: Request): void {
    const { random, getRatio, picker } = this.#parts;
    request.command = random.unit() < getRatio ? "get" : "set";
    request.key = picker.pick(random);
  }

  /** The bytes of a key, for the choice of its server. */
  keyOf(request: Request): Uint8Array {
    return this.#parts.keys.at(request.key);
  }

  /** The bytes to send, until the next call; `own` holds the client's own sets in flight. */
  prepare(request: Request, own: Map<number, Write>): Uint8Array {
    const { content, requests, verify } = this.#parts;
    const frame = this.#frame;
    const { key } = request;
    const opaque = this.#opaque = (this.#opaque + 1) >>> 0;
    frame.clear();
    request.opaque = opaque;
    if (request.command === "get") {
      request.write = undefined;
      request.expect = requests.get(frame, opaque, "get", this.keyOf(request), 0);
      if (verify !== undefined) {
        request.least = verify.ledger.least(key);
        request.before = own.get(key);
      }
      return frame.view();
    }
    request.write = verify?.ledger.begin(key);
    if (request.write !== undefined) own.set(key, request.write);
    const value = content.value(key, request.write?.version ?? 0);
    request.expect = requests.store(frame, opaque, "set", this.keyOf(request), value, 0, 0, 0n);
    return frame.view();
  }

  /** An answer has come, so many milliseconds after the request was due. */
  answered(request: Request, reply: Reply, latency: number, own: Map<number, Write>): void {
    const { tally } = this.#parts;
    const counts = tally.commands[request.command];
    counts.requests++;
    counts.latency.record(latency);
    this.#settle(request, own);
    if (reply.kind === "error") {
      const { line } = reply;
      if (line.startsWith("SERVER_ERROR")) tally.error(line);
      else tally.wrongAnswer("refused", () => `${this.#shown(request)} was answered ${line}`);
    } else if (reply.kind === "status") {
      if (reply.status === "done") this.#stored(request);
      else {
        tally.wrongAnswer(
          "not stored",
          () => `${this.#shown(request)} was answered '${reply.status}'`,
        );
      }
    } else if (reply.kind === "values") {
      const [value] = reply.values;
      if (value === undefined) counts.misses++;
      else counts.hits++;
      this.#read(request, value?.key, value?.value);
    }
  }

  /** No answer will come, because of an error or because the run has ended. */
  failed(request: Request, error: Error | undefined, own: Map<number, Write>): void {
    const { tally } = this.#parts;
    tally.commands[request.command].requests++;
    tally.commands[request.command].failed++;
    if (error === undefined) tally.error("no reply by the end of the run");
    else if (error instanceof UnreadableError) tally.wrongAnswer("unreadable", () => error.message);
    else tally.error(error instanceof TimeoutError ? "no reply in time" : "connection lost");
    this.#settle(request, own);
  }

  #settle({ write, key }: Request, own: Map<number, Write>): void {
    if (write !== undefined && own.get(key) === write) own.delete(key);
  }

  #stored({ write }: Request): void {
    if (write !== undefined) this.#parts.verify!.ledger.acknowledge(write);
  }

  #read(request: Request, key: string | undefined, value: Uint8Array | undefined): void {
    const { verify, tally } = this.#parts;
    if (key !== undefined && key !== binaryString(this.keyOf(request))) {
      tally.wrongAnswer("wrong key", () => `${this.#shown(request)} brought key '${key}'`);
    }
    if (verify === undefined) return;
    const { before } = request;
    const least = Math.max(request.least, before?.acknowledged ? before.least : 0);
    if (value === undefined) {
      if (least > 0) {
        tally.wrongAnswer("lost", () => `${this.#shown(request)} found nothing: it had been set`);
      }
      return;
    }
    const found = verify.content.identify(request.key, value);
    if (found === "foreign") {
      // Until the run has set a key, whatever lay there before may be read.
      if (least > 0) {
        tally.wrongAnswer(
          "not written",
          () => `${this.#shown(request)} brought a value that was never written for it`,
        );
      }
    } else if (typeof found === "object") {
      tally.wrongAnswer(
        "damaged",
        () => `${this.#shown(request)} brought a value: ${found.damage}`,
      );
    } else if (found < least) {
      tally.wrongAnswer(
        "stale",
        () =>
          `${
            this.#shown(request)
          } brought version ${found}, which version ${least} or a later one ` +
          "had overwritten",
      );
    } else if (found !== Infinity && found > verify.ledger.issued(request.key)) {
      tally.wrongAnswer(
        "not written",
        () => `${this.#shown(request)} brought version ${found}, which was not written yet`,
      );
    }
  }

  #shown(request: Request): string {
    return `${request.command} ${binaryString(this.keyOf(request))}`;
  }
}
