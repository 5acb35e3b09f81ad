/**
 * The commands that change one item.
 *
 * @module
 */

import { type ByteBuffer, bytesOf } from "../../bytes.ts";
import type { Expected, NewItem, Swapped, Waiter } from "../contract.ts";
import { type Gathering, MOST_BYTES } from "./gathering.ts";
import { HEADER, putCas, putRevision, writeItem } from "./item.ts";
import {
  Gathered,
  type Reply,
  Request,
  writeBytes,
  writeEnd,
  writeKey,
  writeLength,
  writeNumber,
} from "./request.ts";
import { Script, ScriptRequest } from "./script.ts";
import { uint64Of } from "../../uint64.ts";

/** What a change must know of the store. */
export interface ChangeScope {
  readonly prefix: Uint8Array;
  readonly putGathering: Gathering;
  /** The bound of the last flush: items with a lower revision are dead. */
  flushed(): number;
}

const NOTHING = new Uint8Array(0);
const MSET = bytesOf("$4\r\nMSET\r\n");
const SET = bytesOf("*3\r\n$3\r\nSET\r\n");
const SET_EXPIRING = bytesOf("*5\r\n$3\r\nSET\r\n");
const PX = bytesOf("$2\r\nPX\r\n");

/** The time to live that Redis is given for an exptime, in milliseconds; 0 for none. */
function timeToLive(exptime: number, now: number): number {
  return exptime === 0 ? 0 : Math.max(1, Math.ceil(exptime - now));
}

/** `SET`: the item in the place of whatever is there. */
export class Put extends Request {
  readonly name = "set";

  readonly #scope: ChangeScope;
  readonly #item: NewItem;
  readonly #revision: number;
  readonly #now: number;
  readonly #waiter: Waiter<Swapped>;

  /** @param now the server's clock, in milliseconds since 1970 */
  constructor(
    key: Uint8Array,
    deadline: number,
    scope: ChangeScope,
    item: NewItem,
    revision: number,
    now: number,
    waiter: Waiter<Swapped>,
  ) {
    super(key, deadline);
    this.#scope = scope;
    this.#item = item;
    this.#revision = revision;
    this.#now = now;
    this.#waiter = waiter;
  }

  override get changes(): boolean {
    return true;
  }

  encode(out: ByteBuffer): void {
    const item = this.#item;
    const ttl = timeToLive(item.exptime, this.#now);
    out.append(ttl === 0 ? SET : SET_EXPIRING);
    writeKey(out, this.#scope.prefix, this.key);
    writeLength(out, HEADER + item.value.length);
    writeItem(out, item, this.#revision);
    writeEnd(out);
    if (ttl === 0) return;
    out.append(PX);
    writeNumber(out, ttl);
  }

  protected refuse(error: Error): void {
    this.#waiter.fail(error);
  }

  protected answer(): void {
    this.#waiter.settle(this.#item.cas || uint64Of(this.#revision));
  }
}

/** `MSET`: items that never expire and came together, in the place of whatever is there. */
export class Puts extends Gathered {
  readonly name = "mset";
  readonly #most: number;
  readonly #keys: Uint8Array[] = [];
  readonly #items: NewItem[] = [];
  readonly #revisions: number[] = [];
  readonly #waiters: Waiter<Swapped>[] = [];
  #bytes = 0;

  readonly #scope: ChangeScope;

  constructor(deadline: number, scope: ChangeScope) {
    super(deadline);
    this.#scope = scope;
    this.#most = scope.putGathering.most;
  }

  override get changes(): boolean {
    return true;
  }

  /** Adds an item; whether there is room for another. */
  add(key: Uint8Array, item: NewItem, revision: number, waiter: Waiter<Swapped>): boolean {
    this.#keys.push(key);
    this.#items.push(item);
    this.#revisions.push(revision);
    this.#bytes += item.value.length;
    return this.#waiters.push(waiter) < this.#most && this.#bytes < MOST_BYTES;
  }

  override get count(): number {
    return this.#waiters.length;
  }

  /** What is to be sent for them: one alone needs no list. */
  get request(): Request {
    return this.#keys.length === 1 ? this.#one(0) : this;
  }

  encode(out: ByteBuffer): void {
    const keys = this.#keys;
    const { prefix } = this.#scope;
    out.byte(42);
    out.decimal(1 + 2 * keys.length);
    writeEnd(out);
    out.append(MSET);
    for (let i = 0; i < keys.length; i++) {
      const item = this.#items[i]!;
      writeKey(out, prefix, keys[i]!);
      writeLength(out, HEADER + item.value.length);
      writeItem(out, item, this.#revisions[i]!);
      writeEnd(out);
    }
  }

  /** Where Redis refuses the command it has done nothing. */
  override again(kind: string): readonly Request[] {
    return !this.#scope.putGathering.isRefusal(kind) ? [] : this.#keys.map((_, i) => this.#one(i));
  }

  protected refuse(error: Error): void {
    for (const waiter of this.#waiters) waiter.fail(error);
  }

  protected answer(): void {
    const waiters = this.#waiters;
    for (let i = 0; i < waiters.length; i++) {
      waiters[i]!.settle(this.#items[i]!.cas || uint64Of(this.#revisions[i]!));
    }
  }

  #one(i: number): Put {
    const revision = this.#revisions[i]!;
    const waiter = this.#waiters[i]!;
    return new Put(
      ...[
        this.#keys[i]!,
        this.deadline,
        this.#scope,
        this.#items[i]!,
        revision,
        0,
        waiter,
      ] as const,
    );
  }
}

// 1 swapped, 0 nothing there, 2 something else there. Without an item it deletes. What is dead is
// deleted wherever it stands in the way of nothing, so that a sweep is a swap of nothing for nothing.
const SWAP = new Script(`
local key, expected, unique, item = KEYS[1], ARGV[1], ARGV[2], ARGV[6]
local head = redis.call('GETRANGE', key, 0, ${HEADER - 1})
local function number(from, to)
  local value = 0
  for at = from, to do value = value * 256 + string.byte(head, at) end
  return value
end
local there = false
if #head > 0 then
  if #head < ${HEADER} or string.byte(head, 1) ~= 1 then
    return redis.error_reply('FOREIGN not written by kvs')
  end
  local exptime = number(3, 8)
  there = number(25, 32) >= tonumber(ARGV[4]) and (exptime == 0 or exptime > tonumber(ARGV[3]))
end
if expected == 'absent' then
  if there then return 2 end
elseif expected ~= 'any' then
  if not there then return 0 end
  local found = expected == 'cas' and string.sub(head, 17, 24) or string.sub(head, 25, 32)
  if found ~= unique then return 2 end
end
if item == '' then
  redis.call('DEL', key)
  return there and 1 or 0
end
if ARGV[5] == '0' then
  redis.call('SET', key, item)
else
  redis.call('SET', key, item, 'PX', ARGV[5])
end
return 1
`);

const ABSENT = bytesOf("absent");
const ANY = bytesOf("any");
const CAS = bytesOf("cas");
const REVISION = bytesOf("revision");

/** The swap that needs a look at what is there. */
export class Swap extends ScriptRequest {
  readonly #flushed: number;

  readonly #scope: ChangeScope;
  readonly #expected: Expected;
  readonly #item: NewItem | null;
  readonly #revision: number;
  readonly #now: number;
  readonly #waiter: Waiter<Swapped>;

  /** @param now the server's clock, in milliseconds since 1970 */
  constructor(
    key: Uint8Array,
    deadline: number,
    scope: ChangeScope,
    expected: Expected,
    item: NewItem | null,
    revision: number,
    now: number,
    waiter: Waiter<Swapped>,
  ) {
    super(key, deadline);
    this.#scope = scope;
    this.#expected = expected;
    this.#item = item;
    this.#revision = revision;
    this.#now = now;
    this.#waiter = waiter;

    // As it was when the revision was taken, however often this is sent: the two belong together.
    this.#flushed = scope.flushed();
  }

  override get changes(): boolean {
    return true;
  }

  encode(out: ByteBuffer): void {
    const expected = this.#expected;
    const item = this.#item;
    const now = this.#now;
    SWAP.encode(out, this.inFull, this.#scope.prefix, this.key, 6);
    if (expected === "any" || expected === "absent") {
      writeBytes(out, expected === "any" ? ANY : ABSENT);
      writeBytes(out, NOTHING);
    } else {
      // A revision is one state of one key: it says all that the cas unique says, and more.
      const unique = new Uint8Array(8);
      if (expected.version === undefined) putCas(unique, 0, expected.cas);
      else putRevision(unique, 0, expected.version as number);
      writeBytes(out, expected.version === undefined ? CAS : REVISION);
      writeBytes(out, unique);
    }
    writeNumber(out, Math.floor(now));
    writeNumber(out, this.#flushed);
    writeNumber(out, item === null ? 0 : timeToLive(item.exptime, now));
    if (item === null) return writeBytes(out, NOTHING);
    writeLength(out, HEADER + item.value.length);
    writeItem(out, item, this.#revision);
    writeEnd(out);
  }

  protected refuse(error: Error): void {
    this.#waiter.fail(error);
  }

  protected answer(reply: Reply): void {
    if (reply === 0) this.#waiter.settle("absent");
    else if (reply === 2) this.#waiter.settle("exists");
    else this.#waiter.settle(this.#item === null ? 0n : this.#item.cas || uint64Of(this.#revision));
  }

  protected override hasChanged(reply: Reply): boolean {
    return reply === 1;
  }
}
