/**
 * The commands that read and change one item.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ByteBuffer, bytesOf } from "../../bytes.ts";
import { StoreError } from "../../errors.ts";
import type { Accesses } from "../accesses.ts";
import type { Expected, Item, NewItem, Swapped, Waiter } from "../contract.ts";
import { HEADER, isItem, putCas, putRevision, readItem, revisionOf, writeItem } from "./item.ts";
import {
  type Reply,
  Request,
  writeBytes,
  writeEnd,
  writeKey,
  writeLength,
  writeNumber,
} from "./request.ts";
import { Script, ScriptRequest } from "./script.ts";

/** What a read or a swap must know of the store. */
export interface Scope {
  readonly prefix: Uint8Array;
  /** What is known of accesses. */
  readonly accesses: Accesses;
  /** The bound of the last flush: items with a lower revision are dead. */
  flushed(): number;
  /** Counts a read that found only a flushed item. */
  foundFlushed(): void;
  /** Counts a read that found what kvs did not write. */
  foundForeign(): void;
}

/** The error for a key that holds what kvs did not write. */
export function foreign(): StoreError {
  return new StoreError("Redis holds something else than a kvs item under this key");
}

const GET = bytesOf("*2\r\n$3\r\nGET\r\n");
const SET = bytesOf("*3\r\n$3\r\nSET\r\n");
const SET_EXPIRING = bytesOf("*5\r\n$3\r\nSET\r\n");
const PX = bytesOf("$2\r\nPX\r\n");

/** `GET`: the item, or `undefined`. */
export class Read extends Request {
  readonly name = "get";

  readonly #scope: Scope;
  readonly #seconds: number;
  readonly #waiter: Waiter<Item | undefined>;

  /** @param seconds the time of the access, in seconds since 1970; -1 where the read is none */
  constructor(
    key: Uint8Array,
    deadline: number,
    scope: Scope,
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
    if (reply === null) return this.#waiter.settle(undefined);
    const bytes = reply as Buffer;
    if (!isItem(bytes)) {
      this.#scope.foundForeign();
      return this.refuse(foreign());
    }
    const revision = revisionOf(bytes);
    if (revision < this.#scope.flushed()) {
      this.#scope.foundFlushed();
      return this.#waiter.settle(undefined);
    }
    const { accesses } = this.#scope;
    const key = this.key;
    const seconds = this.#seconds;
    const seen = seconds < 0 ? accesses.of(key, revision) : accesses.note(key, revision, seconds);
    this.#waiter.settle(readItem(bytes, seen));
  }
}

/** The time to live that Redis is given for an exptime, in milliseconds; 0 for none. */
function timeToLive(exptime: number, now: number): number {
  return exptime === 0 ? 0 : Math.max(1, Math.ceil(exptime - now));
}

/** `SET`: the item in the place of whatever is there. */
export class Put extends Request {
  readonly name = "set";

  readonly #scope: Scope;
  readonly #item: NewItem;
  readonly #revision: number;
  readonly #now: number;
  readonly #waiter: Waiter<Swapped>;

  /** @param now the server's clock, in milliseconds since 1970 */
  constructor(
    key: Uint8Array,
    deadline: number,
    scope: Scope,
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
    this.#waiter.settle(this.#item.cas || BigInt(this.#revision));
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
const NOTHING = new Uint8Array(0);

/** The swap that needs a look at what is there. */
export class Swap extends ScriptRequest {
  readonly #flushed: number;

  readonly #scope: Scope;
  readonly #expected: Expected;
  readonly #item: NewItem | null;
  readonly #revision: number;
  readonly #now: number;
  readonly #waiter: Waiter<Swapped>;

  /** @param now the server's clock, in milliseconds since 1970 */
  constructor(
    key: Uint8Array,
    deadline: number,
    scope: Scope,
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
    else this.#waiter.settle(this.#item === null ? 0n : this.#item.cas || BigInt(this.#revision));
  }

  protected override hasChanged(reply: Reply): boolean {
    return reply === 1;
  }
}
