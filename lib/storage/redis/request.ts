/**
 * One command on its way to Redis and back.
 *
 * ioredis keeps the connection, and which reply is which command's. Its own `Command` costs a
 * promise, several closures and a string or buffer an argument. What it really needs of a command
 * is little (a name, `resolve` and `reject`), and that is what a {@linkcode Request} passes it; the
 * bytes go into the batch of its link, one socket write for all that came in the same turn.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { ByteBuffer, bytesOf, digitsOf } from "../../bytes.ts";
import { StoreError } from "../../errors.ts";
import type { Batch } from "./batch.ts";
import type { Link } from "./link.ts";

/** A reply of Redis; bulk strings are bytes. Errors come another way. */
export type Reply = null | number | Buffer | Reply[];

/** An argument of a command: bytes, or text of ASCII characters. */
export type Argument = Uint8Array | string;

const LINE_END = bytesOf("\r\n");
const NO_ARGUMENTS: never[] = [];
const NO_KEY = new Uint8Array(0);
const NOTHING_MORE: readonly Request[] = [];

/** Writes one argument of a command: its length and its bytes. */
export function writeBytes(out: ByteBuffer, bytes: Uint8Array): void {
  writeLength(out, bytes.length);
  out.append(bytes);
  out.append(LINE_END);
}

/** Writes an argument that is the prefix and the key. */
export function writeKey(out: ByteBuffer, prefix: Uint8Array, key: Uint8Array): void {
  writeLength(out, prefix.length + key.length);
  out.append(prefix);
  out.append(key);
  out.append(LINE_END);
}

/** Writes an unsigned integer up to 2^53 as an argument. */
export function writeNumber(out: ByteBuffer, value: number): void {
  writeLength(out, digitsOf(value));
  out.decimal(value);
  out.append(LINE_END);
}

/** Writes what stands before an argument of `length` bytes. */
export function writeLength(out: ByteBuffer, length: number): void {
  out.byte(36);
  out.decimal(length);
  out.append(LINE_END);
}

/** Writes what stands after an argument. */
export function writeEnd(out: ByteBuffer): void {
  out.append(LINE_END);
}

/** One command. What is written `for ioredis` has the names that ioredis calls. */
export abstract class Request {
  /** For ioredis: the command's name in lower case. */
  abstract readonly name: string;
  /** For ioredis: nothing that it need know. These are no fields, which each request would have to fill. */
  get args(): readonly never[] {
    return NO_ARGUMENTS;
  }
  /** For ioredis: no promise, and so nothing to trace. */
  get promise(): undefined {
    return undefined;
  }
  get isTraced(): boolean {
    return true;
  }

  /** The link that has it, and the batch there. */
  link: Link | undefined;
  batch: Batch | undefined;
  /** In whose names it is, where it is many and somebody follows that. */
  get causes(): ReadonlySet<object> | undefined {
    return undefined;
  }
  /** Whether it may change an item or what is flushed. */
  get changes(): boolean {
    return false;
  }

  /** Whether it belongs to its connection, and must go by no other. */
  get isBound(): boolean {
    return false;
  }

  /** How many keys it is about. */
  get count(): number {
    return 1;
  }

  /** How often it was sent to another place than the first. */
  redirections = 0;
  /** Whether the caller has the result; a reply that comes later is nobody's. */
  settled = false;

  /**
   * @param key the memcached key (no bytes: the ledger), which tells the place in a cluster
   * @param deadline when it is given up, by `performance.now()`
   */
  constructor(readonly key: Uint8Array, readonly deadline: number) {}

  /** Writes the command. It may be called again until the result is there. */
  abstract encode(out: ByteBuffer): void;
  /** Passes the reply to the caller. */
  protected abstract answer(reply: Reply): void;
  /** Tells the caller that there is no reply. */
  protected abstract refuse(error: Error): void;

  /** Whether this reply to a request that {@linkcode changes} says that something was changed. */
  protected hasChanged(_reply: Reply): boolean {
    return this.changes;
  }

  /** What is to be sent in its place where Redis's error of this kind only means that; else nothing. */
  again(_kind: string): readonly Request[] {
    return NOTHING_MORE;
  }

  /** For ioredis, which would write this: nothing, for the bytes are in the batch. */
  toWritable(): undefined {}

  /** For ioredis: the reply is there. */
  resolve(reply: Reply): void {
    this.link!.received(this);
    if (this.settled) return;
    const confirmation = this.batch!.confirmation;
    if (confirmation !== undefined && this.hasChanged(reply)) {
      confirmation.push(() => this.#finish(reply), (error) => this.fail(error));
    } else {
      this.#finish(reply);
    }
  }

  #finish(reply: Reply): void {
    if (this.settled) return;
    this.settled = true;
    this.answer(reply);
  }

  /** For ioredis: Redis answered with an error, or the connection is lost. */
  reject(error: Error): void {
    this.link!.refused(this, error);
  }

  /** Ends it with an error. */
  fail(error: Error): void {
    if (this.settled) return;
    this.settled = true;
    this.refuse(error);
  }
}

/** Many of one kind that came together, in one command. */
export abstract class Gathered extends Request {
  #causes: Set<object> | undefined;

  /** @param deadline that of all of them */
  constructor(deadline: number) {
    super(NO_KEY, deadline);
  }

  /** Notes in whose name the next is, where somebody follows that. */
  note(cause: object | undefined): void {
    if (cause !== undefined) (this.#causes ??= new Set()).add(cause);
  }

  override get causes(): ReadonlySet<object> | undefined {
    return this.#causes;
  }
}

/** Any command, with a promise: for all that is not a read or a swap. */
export class Call extends Request {
  readonly name: string;
  readonly reply: Promise<Reply>;
  protected answer!: (reply: Reply) => void;
  protected refuse!: (error: Error) => void;

  readonly #words: readonly Argument[];

  /** @param words the command's name and its arguments */
  constructor(
    words: readonly Argument[],
    deadline: number,
    key: Uint8Array = new Uint8Array(0),
  ) {
    super(key, deadline);
    this.#words = words;

    this.name = (words[0] as string).toLowerCase();
    this.reply = new Promise((resolve, reject) => {
      this.answer = resolve;
      this.refuse = reject;
    });
    // A caller that sends many may look at them one after another.
    this.reply.catch(() => {});
  }

  override get isBound(): boolean {
    return true;
  }

  encode(out: ByteBuffer): void {
    writeWords(out, this.#words);
  }
}

/** A command of the handshake: what Redis answers is not put into words, errors included. */
export class Question extends Call {
  override reject(error: Error): void {
    this.link!.leave(this.batch!);
    this.fail(error);
  }
}

/**
 * `WAIT`, behind the changes of its batch: they are answered when so many replicas have them
 * (redis.io/docs/latest/commands/wait).
 */
export class Confirmation extends Request {
  readonly name = "wait";
  readonly #held: { done: () => void; failed: (error: Error) => void }[] = [];

  readonly #replicas: number;
  readonly #patience: number;

  /** @param patience how long Redis waits for its replicas at most, in milliseconds */
  constructor(
    replicas: number,
    patience: number,
    deadline: number,
  ) {
    super(new Uint8Array(0), deadline);
    this.#replicas = replicas;
    this.#patience = patience;
  }

  override get changes(): boolean {
    return true;
  }

  override get isBound(): boolean {
    return true;
  }

  protected override hasChanged(): boolean {
    return false;
  }

  /** Holds back a change that the master has made. */
  push(done: () => void, failed: (error: Error) => void): void {
    this.#held.push({ done, failed });
  }

  encode(out: ByteBuffer): void {
    writeWords(out, ["WAIT", String(this.#replicas), String(this.#patience)]);
  }

  protected answer(reply: Reply): void {
    if (typeof reply === "number" && reply >= this.#replicas) {
      for (const { done } of this.#held) done();
      return;
    }
    this.refuse(
      new StoreError(
        `${reply} of the ${this.#replicas} replicas that --redis-wait demands have the change within ` +
          `${this.#patience} ms; it was made, and may be lost`,
      ),
    );
  }

  protected refuse(error: Error): void {
    for (const { failed } of this.#held) failed(error);
  }
}

function writeWords(out: ByteBuffer, words: readonly Argument[]): void {
  out.byte(42);
  out.decimal(words.length);
  writeEnd(out);
  for (const word of words) writeBytes(out, typeof word === "string" ? bytesOf(word) : word);
}
