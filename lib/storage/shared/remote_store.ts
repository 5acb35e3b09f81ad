/**
 * A store that another thread owns: it asks the owner, or finds items on the shelf.
 *
 * What the owner answers is committed, and so is what is on the shelf: so {@linkcode RemoteStore.commit} has
 * nothing to wait for, and an error that a commit would have had is that of the call itself.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { assert, StoreError } from "../../errors.ts";
import { KeyHash } from "../../key_hash.ts";
import {
  type Awaitable,
  type Batch,
  type Change,
  type Expected,
  isExpired,
  type Item,
  type Listed,
  type NewItem,
  type Store,
  type StoreInfo,
  type Swapped,
  type Updated,
  type Waiter,
} from "../contract.ts";
import type { ItemCursor } from "../item_cursor.ts";
import type { Bell } from "./bell.ts";
import type { Channel } from "./channel.ts";
import {
  Answer,
  askRead,
  askSwap,
  errorOf,
  itemOf,
  lengthOf,
  showItem,
  swappedOf,
} from "./frames.ts";
import { LEAST_LENT } from "./lent.ts";
import { Frame, type Ring } from "./ring.ts";
import { ShelfReader } from "./shelf_reader.ts";

/** What is asked of the whole store. It is rare, and goes another way than single items. */
export interface Whole {
  flush(at: number): Awaitable<void>;
  scan(): AsyncIterable<readonly Listed[]>;
  limitMemory?(bytes: number): boolean;
  removeExpired?(): Promise<number>;
  info(): StoreInfo;
}

/** How a remote store reaches its owner. */
export interface RemoteOptions {
  readonly clock: Clock;
  readonly channel: Channel;
  /** This thread's own bell. */
  readonly bell: Bell;
  /** The key by which keys are hashed, of 16 bytes. */
  readonly hashKey: Uint8Array;
  /** What this thread reads without asking, where there is such a thing. */
  readonly shelf: ShelfReader | undefined;
  readonly whole: Whole;
}

/** A call that waits for its answer: a read or a swap. */
type Waiting = Waiter<Item | undefined> | Waiter<Swapped>;

/** The store. */
export class RemoteStore implements Store {
  readonly removeExpired: Store["removeExpired"];
  readonly #options: RemoteOptions;
  readonly #hash: KeyHash;
  /** Calls by the numbers of their frames, and numbers that are free. */
  readonly #waiting: (Waiting | undefined)[] = [];
  readonly #free: number[] = [];
  #inFlight = 0;
  #isHearing = false;
  #flushes = false;
  #isClosed = false;

  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#hash = options.shelf?.hash ?? new KeyHash(options.hashKey);
    const { whole } = options;
    if (whole.removeExpired !== undefined) this.removeExpired = () => whole.removeExpired!();
  }

  /** Calls that wait for their answers. */
  get inFlight(): number {
    return this.#inFlight;
  }

  read(key: Uint8Array, batch: Batch, peek = false): Awaitable<Item | undefined> {
    this.#assertOpen();
    this.#hash.of(key);
    const item = this.#options.shelf?.read(key, batch.seconds, peek);
    return item ?? this.#ask(key, batch, peek);
  }

  find(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    into: ItemCursor,
  ): true | undefined {
    this.#assertOpen();
    const { shelf } = this.#options;
    if (shelf === undefined) return undefined;
    shelf.hash.of(bytes, start, end - start);
    return shelf.find(bytes, start, end - start, batch.seconds, peek, into) || undefined;
  }

  /** Asks the owner: what the shelf has {@linkcode find} has shown. */
  readLater(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    waiter: Waiter<Item | undefined>,
  ): undefined {
    this.#assertOpen();
    const key = bytes.subarray(start, end);
    this.#hash.of(key);
    this.#askFor(key, batch, peek, waiter);
  }

  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Promise<Swapped> {
    return new Promise((settle, fail) =>
      this.swapLater(key, expected, next, batch, { settle, fail })
    );
  }

  swapLater(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
    waiter: Waiter<Swapped>,
  ): void {
    this.#assertOpen();
    const hash = this.#hash;
    hash.of(key);
    const { channel } = this.#options;
    const number = this.#wait(waiter);
    try {
      askSwap(channel, number, key, hash.a, hash.b, batch.seconds, expected, next);
    } catch (error) {
      // There was no memory for the frame, say: nobody answers what was not asked.
      this.#end(number);
      throw error;
    }
  }

  /** As `update` of `update.ts`, which begins with what the shelf has and goes on with what the owner has. */
  update<R>(
    key: Uint8Array,
    change: Change<R>,
    batch: Batch,
    counts = false,
  ): Awaitable<Updated<R>> {
    this.#assertOpen();
    this.#hash.of(key);
    const found = this.#options.shelf?.read(key, batch.seconds, !counts);
    if (found === undefined) return this.#updateLater(key, change, batch, counts);
    const item = this.#living(found);
    const { next, result } = change(item);
    if (next === undefined || (next === null && item === undefined)) return { cas: 0n, result };
    // The item is valid until the next call, which this is: what it shares with `next` is copied in it.
    return this.swap(key, item ?? "absent", next, batch).then((swapped) =>
      typeof swapped === "bigint"
        ? { cas: swapped, result }
        : this.#updateLater(key, change, batch, counts)
    );
  }

  commit(_batch: Batch): void {}

  flush(at: number, _batch: Batch): Awaitable<void> {
    this.#assertOpen();
    return this.#options.whole.flush(at);
  }

  scan(): AsyncIterable<readonly Listed[]> {
    this.#assertOpen();
    return this.#options.whole.scan();
  }

  limitMemory(bytes: number): boolean {
    return this.#options.whole.limitMemory?.(bytes) ?? false;
  }

  info(): StoreInfo {
    return this.#options.whole.info();
  }

  /** The owner closes what it owns. */
  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  /** An answer that came as a message. */
  take(frame: ArrayBuffer): void {
    this.#settle(new Frame(frame));
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StoreError("The store is closed");
  }

  #living(found: Item | undefined): Item | undefined {
    return found !== undefined && isExpired(found, this.#options.clock.now()) ? undefined : found;
  }

  /** Reads what the owner has, under the hash of the key that was hashed last. */
  #ask(key: Uint8Array, batch: Batch, peek: boolean): Promise<Item | undefined> {
    return new Promise((settle, fail) => this.#askFor(key, batch, peek, { settle, fail }));
  }

  #askFor(
    key: Uint8Array,
    batch: Batch,
    peek: boolean,
    waiter: Waiter<Item | undefined>,
  ): void {
    const { a, b } = this.#hash;
    askRead(this.#options.channel, this.#wait(waiter), key, a, b, batch.seconds, peek);
  }

  async #updateLater<R>(
    key: Uint8Array,
    change: Change<R>,
    batch: Batch,
    counts: boolean,
  ): Promise<Updated<R>> {
    for (;;) {
      this.#assertOpen();
      this.#hash.of(key);
      const item = this.#living(await this.#ask(key, batch, !counts));
      const { next, result } = change(item);
      if (next === undefined || (next === null && item === undefined)) return { cas: 0n, result };
      const cas = await this.swap(key, item ?? "absent", next, batch);
      if (typeof cas === "bigint") return { cas, result };
    }
  }

  #wait(waiting: Waiting): number {
    this.#inFlight++;
    if (!this.#flushes) {
      this.#flushes = true;
      // All that became ready in this turn of the loop asks before the owner is woken.
      queueMicrotask(this.#flush);
    }
    const number = this.#free.pop();
    if (number === undefined) return this.#waiting.push(waiting) - 1;
    this.#waiting[number] = waiting;
    return number;
  }

  /** A call waits no more. */
  #end(number: number): void {
    this.#waiting[number] = undefined;
    this.#free.push(number);
    this.#inFlight--;
  }

  readonly #flush = (): void => {
    this.#flushes = false;
    this.#options.channel.flush();
    if (!this.#isHearing) void this.#hear();
  };

  /** Takes answers as long as some are to come. */
  async #hear(): Promise<void> {
    const { channel: { incoming, incomingLarge }, bell } = this.#options;
    this.#isHearing = true;
    while (this.#inFlight > 0) {
      this.#settleAll(incoming);
      this.#settleAll(incomingLarge);
      if (this.#inFlight === 0) break;
      const sleeping = bell.sleep(this.#hasMore);
      if (sleeping !== undefined) await sleeping;
    }
    this.#isHearing = false;
  }

  #settleAll(ring: Ring): void {
    for (;;) {
      const frame = ring.take();
      if (frame === undefined) break;
      this.#settle(frame);
    }
    ring.release();
  }

  readonly #hasMore = (): boolean => this.#options.channel.hasMore;

  #settle(frame: Frame): void {
    const { words, at } = frame;
    const number = words[(at >>> 2) + 1];
    const waiting = this.#waiting[number];
    assert(waiting !== undefined, "an answer has a call that waits for it");
    this.#end(number);
    const kind = words[(at >>> 2) + 2] & 0xff;
    if (kind >= Answer.failed) waiting.fail(errorOf(frame));
    else if (kind === Answer.item) settleItem(frame, waiting as Waiter<Item | undefined>);
    else if (kind === Answer.nothing) (waiting as Waiter<Item | undefined>).settle(undefined);
    else (waiting as Waiter<Swapped>).settle(swappedOf(frame));
  }
}

/** Tells a waiter of an item. */
function settleItem(frame: Frame, waiter: Waiter<Item | undefined>): void {
  let item: Item;
  try {
    item = shownTo(frame, waiter);
  } catch (error) {
    // There was no memory for the value, say: that is this call's, and others have their answers.
    return waiter.fail(error);
  }
  waiter.settle(item);
}

/** The item of an answer: a large value where it can be sent from, if its waiter looks at it there. */
function shownTo(frame: Frame, waiter: Waiter<Item | undefined>): Item {
  const cursor = lengthOf(frame) < LEAST_LENT || !frame.isShared ? undefined : waiter.cursor;
  if (cursor === undefined) return itemOf(frame);
  showItem(frame, cursor);
  return cursor;
}
