import { type Access, commands } from "../commands/table.ts";
import type { Running } from "../commands/waiting.ts";
import { KeyHash } from "../key_hash.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import type { Store } from "../storage/contract.ts";

/** Requests that wait concurrently, at most. */
const MOST = 256;
/** Bytes of values that the requests of one window may hold, or one value if that is larger. */
export const WINDOW_BYTES = 4 * 1024 * 1024;
/** What a value is taken to be as long as nobody knows, in bytes, unless the limit of items is lower. */
const UNKNOWN_SIZE = 1024 * 1024;

/** A request, its outcome, and what must be waited for until that is there. */
export interface Pending {
  readonly request: Request;
  readonly outcome: Outcome;
  readonly running: Running | undefined;
}

/**
 * Requests of one connection that were given to the store together and are answered in order.
 *
 * Requests on different keys wait side by side, and so do reads of one key, and changes of one key
 * where the store keeps their order. Any other request on a key that is in hand waits for that; a
 * request on no single key waits for all, and all for it.
 */
export class Window {
  #pending: Pending[] = [];
  /** Those that were taken and are not yet answered. */
  #taken: Pending[] = [];
  /** The keys in hand by {@linkcode nameOf}, and whether something changes them. */
  readonly #keys = new Map<number, boolean>();
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
  /** The request whose name is known, and that name. */
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
    this.#name = nameOf(request);
    const changed = this.#keys.get(this.#name);
    if (changed === undefined) return true;
    return access === "read" ? !changed : changed && this.#store.ordered === true;
  }

  add(request: Request, outcome: Outcome, running: Running | undefined): void {
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
    this.#pending.push({ request, outcome, running });
  }

  /** Empties the window. The caller waits for the outcomes, one after the other, and says then that they are {@linkcode answered}. */
  take(): Pending[] {
    if (this.#keys.size > 0) this.#keys.clear();
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
    this.#keys.set(name, access === "write" || this.#keys.get(name) === true);
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

  /** The bytes that a request holds until it is answered, where the store knows; 0 where it does not. */
  #sizeOf(request: Request, access: Access): number {
    if (access === "none" || this.#store.sizeOf === undefined) return 0;
    return this.#store.sizeOf(request.key);
  }
}

/** The hash has a key that nobody knows, so that nobody can choose keys that meet. */
const hash = new KeyHash(crypto.getRandomValues(new Uint8Array(16)));

/** 53 bits of the hash of a request's key. Two keys that have them in common wait for each other. */
function nameOf({ decodedKey, bytes, keyStart, keyEnd }: Request): number {
  if (decodedKey.length > 0) hash.of(decodedKey);
  else hash.of(bytes, keyStart, keyEnd - keyStart);
  return hash.a + (hash.b & 0x1fffff) * 2 ** 32;
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
  outcome.item = { ...outcome.item, value: outcome.item.value.slice() };
}
