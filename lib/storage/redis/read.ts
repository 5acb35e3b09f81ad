/**
 * The commands that read items.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { ByteBuffer, bytesOf } from "../../bytes.ts";
import { assert, StoreError } from "../../errors.ts";
import type { Item, Waiter } from "../contract.ts";
import type { Gathering } from "./gathering.ts";
import { isItem, readItem, revisionHigh, revisionLow, revisionOf, showItem } from "./item.ts";
import type { LastReads } from "./last_reads.ts";
import { Gathered, type Reply, Request, writeEnd, writeKey, writeLength } from "./request.ts";

/** What a read must know of the store. */
export interface ReadScope {
  readonly prefix: Uint8Array;
  /** What is known of accesses. */
  readonly lastReads: LastReads;
  readonly readGathering: Gathering;
  /** The bound of the last flush: items with a lower revision are dead. */
  flushed(): number;
  /** Counts a read that found only a flushed item. */
  foundFlushed(): void;
  /** Counts a read that found what kvs did not write. */
  foundForeign(): void;
}

const GET = bytesOf("*2\r\n$3\r\nGET\r\n");
const MGET = bytesOf("$4\r\nMGET\r\n");

/** The error for a key that holds what kvs did not write. */
function foreign(): StoreError {
  return new StoreError("Redis holds something else than a kvs item under this key");
}

/** Tells a waiter what Redis has under a key. */
function tell(
  scope: ReadScope,
  seconds: number,
  waiter: Waiter<Item | undefined>,
  bytes: Buffer | null,
): void {
  if (bytes === null) return waiter.settle(undefined);
  if (!isItem(bytes)) {
    scope.foundForeign();
    return waiter.fail(foreign());
  }
  if (revisionOf(bytes) < scope.flushed()) {
    scope.foundFlushed();
    return waiter.settle(undefined);
  }
  const { lastReads } = scope;
  const high = revisionHigh(bytes);
  const low = revisionLow(bytes);
  const seen = seconds < 0 ? lastReads.of(high, low) : lastReads.note(high, low, seconds);
  const { cursor } = waiter;
  waiter.settle(cursor === undefined ? readItem(bytes, seen) : showItem(bytes, seen, cursor));
}

/** `GET`: the item, or `undefined`. */
export class Read extends Request {
  readonly name = "get";

  readonly #scope: ReadScope;
  readonly #seconds: number;
  readonly #waiter: Waiter<Item | undefined>;

  /** @param seconds the time of the access, in seconds since 1970; -1 where the read is none */
  constructor(
    key: Uint8Array,
    deadline: number,
    scope: ReadScope,
    seconds: number,
    waiter: Waiter<Item | undefined>,
  ) {
    super(key, deadline);
    this.#scope = scope;
    this.#seconds = seconds;
    this.#waiter = waiter;
  }

  encode(out: ByteBuffer): void {
    out.append(GET);
    writeKey(out, this.#scope.prefix, this.key);
  }

  protected refuse(error: Error): void {
    this.#waiter.fail(error);
  }

  protected answer(reply: Reply): void {
    const bytes = reply as Buffer | null;
    this.#scope.readGathering.note(1, bytes?.length ?? 0, bytes === null ? 1 : 0);
    tell(this.#scope, this.#seconds, this.#waiter, bytes);
  }
}

/**
 * `MGET`: reads that came together.
 *
 * Redis answers it with nil both for a key that is not there and for one that holds no string. So what it
 * says is not there is asked for by `GET`, which tells the two apart.
 */
export class Reads extends Gathered {
  readonly name = "mget";
  /** How many it may be. */
  readonly #most: number;
  /** The keys as they are sent, and where each ends. */
  readonly #keys = new ByteBuffer();
  readonly #ends: number[] = [];
  readonly #seconds: number[] = [];
  readonly #waiters: Waiter<Item | undefined>[] = [];

  readonly #scope: ReadScope;

  constructor(deadline: number, scope: ReadScope) {
    super(deadline);
    this.#scope = scope;
    this.#most = scope.readGathering.most;
  }

  /**
   * Adds a read of the key that lies in `bytes` from `start` to `end`; `seconds` is that of {@linkcode Read}.
   *
   * @returns whether there is room for another
   */
  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    seconds: number,
    waiter: Waiter<Item | undefined>,
  ): boolean {
    const keys = this.#keys;
    const { prefix } = this.#scope;
    writeLength(keys, prefix.length + end - start);
    keys.append(prefix);
    keys.appendPart(bytes, start, end);
    this.#ends.push(keys.length);
    writeEnd(keys);
    this.#seconds.push(seconds);
    return this.#waiters.push(waiter) < this.#most;
  }

  override get count(): number {
    return this.#waiters.length;
  }

  /** What is to be sent for them: one alone needs no list. */
  get request(): Request {
    return this.#ends.length === 1 ? this.#one(0) : this;
  }

  encode(out: ByteBuffer): void {
    out.byte(42);
    out.decimal(1 + this.#ends.length);
    writeEnd(out);
    out.append(MGET);
    out.append(this.#keys.view());
  }

  /** Where Redis does not permit the command to the user, or has none of that name. */
  override again(kind: string): readonly Request[] {
    return !this.#scope.readGathering.isRefusal(kind) ? [] : this.#ends.map((_, i) => this.#one(i));
  }

  protected refuse(error: Error): void {
    for (const waiter of this.#waiters) waiter.fail(error);
  }

  protected answer(reply: Reply): void {
    const all = reply as (Buffer | null)[];
    const count = this.#ends.length;
    assert(all.length === count, "Redis answers each key");
    const scope = this.#scope;
    let size = 0;
    let missing = 0;
    for (let i = 0; i < count; i++) {
      const bytes = all[i]!;
      if (bytes === null) {
        missing++;
        this.link!.enqueue(this.#one(i));
        continue;
      }
      size += bytes.length;
      tell(scope, this.#seconds[i]!, this.#waiters[i]!, bytes);
    }
    scope.readGathering.note(count, size, missing);
  }

  #one(i: number): Read {
    const end = this.#ends[i]!;
    const before = i === 0 ? 0 : this.#ends[i - 1]! + 2;
    const { prefix } = this.#scope;
    let start = before;
    while (this.#keys.bytes[start++] !== 10);
    const key = this.#keys.bytes.subarray(start + prefix.length, end);
    return new Read(key, this.deadline, this.#scope, this.#seconds[i]!, this.#waiters[i]!);
  }
}
