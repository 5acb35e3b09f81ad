import { type Access, commands } from "../commands/table.ts";
import type { Running } from "../commands/waiting.ts";
import { Outcome } from "../protocol/outcome.ts";
import { Request } from "../protocol/request.ts";
import type { Store } from "../storage/contract.ts";

/** Requests that wait concurrently, at most. */
const MOST = 256;
/** Bytes of values that the requests of one window may hold, or one value if that is larger. */
export const WINDOW_BYTES = 4 * 1024 * 1024;
/** What a value is taken to be as long as nobody knows, in bytes, unless the limit of items is lower. */
const UNKNOWN_SIZE = 1024 * 1024;

/** Keys that there is room for, once there is one. */
const FIRST_NAMES = 16;
const NO_NAMES = new Int32Array(0);
const NO_CHANGES = new Uint8Array(0);

/** What is done to a key. */
const Use = { none: 0, read: 1, changed: 2 } as const;
type Use = typeof Use[keyof typeof Use];

/** A request, its outcome, and what must be waited for until that is there. Used again and again. */
export class Exchange {
  readonly request = new Request();
  readonly outcome = new Outcome();
  running: Running | undefined = undefined;

  /** Lets go of what it refers to, once it is answered. */
  release(): void {
    this.outcome.release();
    this.running = undefined;
  }
}

/**
 * Requests of one connection that were given to the store together and are answered in order.
 *
 * Requests on different keys wait side by side, and so do reads of one key, and changes of one key
 * where the store keeps their order. Any other request on a key that is in hand waits for that; a
 * request on no single key waits for all, and all for it.
 */
export class Window {
  #pending: Exchange[] = [];
  /** Those that were taken and are not yet answered. */
  #taken: Exchange[] = [];
  /**
   * The keys in hand by {@linkcode nameOf}, one for each request on a single key. They are few: to look
   * through them costs less than a table of them.
   */
  #names = NO_NAMES;
  #nameCount = 0;
  /** 1 for each of them whose request changes its item. */
  #changes = NO_CHANGES;
  /** Whether a request on no single key is in hand. */
  #closed = false;
  #retrievals = 0;
  /**
   * Retrievals at a time. Where the store does not know beforehand how large values are, as many as would
   * fit in memory if they were as large as the last ones.
   */
  #mostRetrievals: number;
  /** Bytes of the values in hand, as far as their sizes are known. */
  #bytes = 0;
  readonly #store: Store;
  /** The request that {@linkcode admits} has looked at, if it has, and its key by {@linkcode nameOf}. */
  #named: Request | undefined;
  #name = 0;

  /** @param itemSize the greatest item, in bytes */
  constructor(store: Store, itemSize: number) {
    this.#store = store;
    this.#mostRetrievals = store.sizeOf === undefined
      ? fitting(Math.min(itemSize, UNKNOWN_SIZE))
      : MOST;
  }

  /** Bytes of the values in hand, as far as their sizes are known. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** Whether a request may be started while the others wait. */
  admits(request: Request): boolean {
    this.#named = undefined;
    if (this.isEmpty) return true;
    // A request that waits alone has no name.
    if (this.#pending.length === 1) this.#note(this.#pending[0]!.request);
    const { access } = commands[request.op];
    if (this.#closed || this.#pending.length >= MOST || access === "none") return false;
    if (this.#bytes + this.#sizeOf(request, access) > WINDOW_BYTES) return false;
    if (isRetrieval(request) && this.#retrievals >= this.#mostRetrievals) return false;
    this.#named = request;
    const use = this.#useOf(this.#name = nameOf(request));
    if (use === Use.none) return true;
    return access === "read"
      ? use === Use.read
      : use === Use.changed && this.#store.ordered === true;
  }

  add(exchange: Exchange, running: Running | undefined): void {
    const { request, outcome } = exchange;
    const { access } = commands[request.op];
    if (access === "none") this.#closed = true;
    if (!this.isEmpty) this.#note(request);
    if (running !== undefined) {
      this.#bytes += this.#sizeOf(request, access);
      if (isRetrieval(request)) this.#retrievals++;
    } else if (outcome.code === "value") {
      this.#bytes += outcome.item.value.length;
      keep(outcome);
    }
    exchange.running = running;
    this.#pending.push(exchange);
  }

  /**
   * Empties the window. The caller waits for the outcomes, one after the other, and says then that they are
   * {@linkcode answered}.
   */
  take(): Exchange[] {
    this.#nameCount = 0;
    this.#retrievals = this.#bytes = 0;
    this.#closed = false;
    const taken = this.#pending;
    this.#pending = this.#taken;
    return this.#taken = taken;
  }

  /** Notes a key that is in hand, and whether it is changed. */
  #note(request: Request): void {
    const { access } = commands[request.op];
    if (access === "none") return;
    const name = this.#named === request ? this.#name : nameOf(request);
    if (this.#nameCount === this.#names.length) this.#grow();
    this.#changes[this.#nameCount] = access === "write" ? 1 : 0;
    this.#names[this.#nameCount++] = name;
  }

  /**
   * What was taken is answered.
   *
   * @param bytes what the replies to the `count` retrievals among it came to
   */
  answered(count: number, bytes: number): void {
    this.#taken.length = 0;
    if (count === 0 || this.#store.sizeOf !== undefined) return;
    // Larger values may come again: the window opens by steps and closes immediately.
    this.#mostRetrievals = Math.min(this.#mostRetrievals * 2, fitting(bytes / count));
  }

  /** What the requests in hand do to a key. */
  #useOf(name: number): Use {
    const names = this.#names;
    const count = this.#nameCount;
    let use: Use = Use.none;
    for (let i = 0; i < count; i++) {
      if (names[i] !== name) continue;
      if (this.#changes[i] === 1) return Use.changed;
      use = Use.read;
    }
    return use;
  }

  #grow(): void {
    const room = Math.max(FIRST_NAMES, 2 * this.#names.length);
    const names = new Int32Array(room);
    const changes = new Uint8Array(room);
    names.set(this.#names);
    changes.set(this.#changes);
    this.#names = names;
    this.#changes = changes;
  }

  /** The bytes that a request holds until it is answered, where the store knows; 0 where it does not. */
  #sizeOf(request: Request, access: Access): number {
    if (access === "none" || this.#store.sizeOf === undefined) return 0;
    return this.#store.sizeOf(request.key);
  }
}

/**
 * 32 bits of a request's key. Two keys that have them in common wait for each other, which costs their own
 * connection a turn; so the hash is a fast one, and no secret.
 */
function nameOf({ decodedKey, bytes, keyStart, keyEnd }: Request): number {
  return decodedKey.length > 0
    ? hashOf(decodedKey, 0, decodedKey.length)
    : hashOf(bytes, keyStart, keyEnd);
}

/** Four bytes at a time, each time multiplied by the golden ratio, and its high bits mixed into the low ones. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const word = bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24;
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; i < end; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

/** How many values of that size fit in a window. */
function fitting(size: number): number {
  return Math.max(1, Math.min(MOST, Math.floor(WINDOW_BYTES / Math.max(size, 1))));
}

/** Whether the reply to a request may hold a value. */
export function isRetrieval(request: Request): boolean {
  return request.op === "get" || request.op === "getAndChange";
}

/** Lets an outcome outlive the next call to the store. */
function keep(outcome: Outcome): void {
  const { value, flags, cas, fetched, stale, binaryKey } = outcome.item;
  outcome.item = { value: value.slice(), flags, cas, fetched, stale, binaryKey };
}
