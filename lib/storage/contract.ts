/**
 * The one interface between memcached's semantics and the places where items are kept.
 *
 * Every command is a read, or a swap: put this item in the place of what is there, if what is there
 * is what I expect. A driver knows nothing of commands; commands know nothing of drivers.
 *
 * ## The contract
 *
 * The suite in `tests/storage/contract.ts` holds every store to these points, by their numbers.
 *
 *  1. A key is 1 to 250 bytes, any bytes. A value is 0 bytes up to the limit the server was given,
 *     any bytes. Flags are 32 bits. All come back as they were given.
 *  2. `key`, `next` and `next.value` belong to the caller and stay unchanged until the result is
 *     there; a store that needs them longer (a retry after a timeout, say) copies them.
 *  3. What `read` returns plain belongs to the store: it is valid until the caller next calls the
 *     store or waits, and who keeps it longer copies it. What it returns by a promise is the caller's.
 *  4. A result is a plain value where the store has it at hand, a promise where it must wait. Errors
 *     come as {@linkcode StoreError}, thrown or as a rejection. After an error the item is what it
 *     was before or what it was to become, nothing else; a later read tells which.
 *  5. `swap` is atomic against every other swap on that key, also through other servers on the same
 *     data. Of several swaps that expect the same state one succeeds.
 *  6. An item whose `exptime` has come, and one that was flushed, is absent to `swap`. `read` may
 *     still return an expired item (the caller checks {@linkcode isExpired}), never a flushed one.
 *  7. `next.cas` 0 asks for a new cas unique, one that this key has never had, not before a restart
 *     and not through another server. Any other `next.cas` is taken as it is: a touch keeps the
 *     unique, and meta's `E` flag sets it.
 *  8. `version` changes with every successful swap on the key, also where `cas` does not.
 *  9. Calls on one key take effect in the order in which they were made, if each is made after the
 *     one before has its result. Calls on different keys have no order among them. (Point 15 has
 *     more of those that are not waited for.)
 * 10. Effects are visible to later calls immediately; `commit` says when they may be answered. Every
 *     call names its {@linkcode Batch}, and any number of batches are under way concurrently. What
 *     could not be kept is undone, and fails the batches that depend on it, which changed it or saw
 *     it: also those that have not yet called `commit`. It fails no other.
 * 11. `flush(now)` makes everything stored before absent and nothing stored after it. `flush(later)`
 *     does so at that moment, to all that is stored until then; a new flush replaces a pending one.
 *     Both take the same time for any number of items, and hold over a restart.
 * 12. `scan` lists each item that is there all the while once, and those that come or go meanwhile
 *     once or not at all. It leaves out expired and flushed items and holds up nobody. It shows
 *     nothing that its store could not answer a read with.
 * 13. After `close` everything acknowledged is where the store keeps it, and nothing is open.
 * 14. `update` is a read, a change and a swap in one, made again until the swap succeeds. A store
 *     has it only where it can do better than that loop (a bucket that takes one write a second to
 *     one object puts many changes into one upload); {@linkcode update} of `update.ts` is the loop,
 *     and takes the store's own way where there is one.
 * 15. Where a store is {@linkcode Store.ordered}, its swaps and updates of one key take effect in the
 *     order in which they were made, and have their results in that order, also if none is waited
 *     for; one that fails changes nothing of it. Reads are not among them: a read that must see a
 *     change is made when that has its result, and so is a change that a read must not see. A store
 *     is so only if that lets it do better (put them into one upload), and then has `update`.
 * 16. A read that is no peek is an access: from then on the item is `fetched`, and `accessed` at
 *     {@linkcode Batch.seconds}, in later reads, listings and updates. The read itself shows what was
 *     so before it. An access writes nothing, so a store forgets it at a restart, and may forget it
 *     when it runs out of room to remember it. An item that takes the place of another starts anew,
 *     with the marks that it brings.
 * 17. Where a store has {@linkcode Store.removeExpired}, that finds each item which has expired before it
 *     was called, counts it as reclaimed, and leaves all others as they are.
 * 18. {@linkcode Store.find} is a read in every respect but that it fills a cursor, and
 *     {@linkcode Store.swapAt} a swap in every respect but that its key lies among other bytes. A store has
 *     them only where it has items at hand without an object for each. A value that it shows with a
 *     lender may be sent from where it lies: it stays as it is while there are borrowers, whatever
 *     becomes of its item.
 * 19. A store that answers many calls together may have {@linkcode Store.readLater} and
 *     {@linkcode Store.swapLater} beside `read` and `swap`. They are the same calls, whose results a
 *     {@linkcode Waiter} is told in the place of a promise: once, at times before they have returned.
 *     What point 2 says of a result holds for that, and what the waiter is told is its own, as with a promise.
 *     A waiter that brings a {@linkcode Waiter.cursor} may be told the item by that, filled.
 *
 * 20. A store that would copy a large value into memory of its own may ask the {@linkcode Batch.giver} for the memory
 *     that it has arrived in, if there is one and it {@linkcode Giver.offers} that. It asks in the very call that
 *     brings the item, when nothing can refuse that any more, and answers that plain: from then on the memory is
 *     the store's. The caller reads the request that lies there, up to the value's end, until anybody calls the
 *     store again, so that till then the store writes nothing there but what the giver has left free.
 *
 * @module
 */

import type { Giver } from "../bytes.ts";
import type { Say } from "../log_level.ts";
import type { Clock } from "../clock.ts";
import type { StoreError } from "../errors.ts";
import type { CauseOf, Exchanged } from "./exchanges.ts";
import type { ItemCursor } from "./item_cursor.ts";
import type { Moment } from "./moment.ts";

/** A value, or the promise of one where the store must wait. */
export type Awaitable<T> = T | Promise<T>;

/** What tells one state of a key from every other, to its store alone. */
export type Version = number | bigint | string;

/**
 * What one connection has in hand: the requests that it read in one go, up to their commit.
 *
 * The connection owns the object, names it in each call, and uses it again for its next requests. The
 * store writes into it what the replies depend on. {@linkcode Store.commit} may be called several
 * times: each covers what was done with the batch until then.
 */
export class Batch {
  /**
   * The position in the store's log that must be kept before the replies leave; 0 where they depend
   * on nothing. The store's alone.
   */
  position = 0;
  /** Why something that this batch changed or saw is undone. Every commit fails with it. */
  loss: StoreError | undefined;
  /**
   * Bytes of values that were looked through and written anew for its changes, which its owner counts as
   * work and takes away.
   */
  changed = 0;
  /** Who has received the values of its requests: point 20. */
  giver: Giver | undefined = undefined;

  /** @param seconds the time of its accesses, in whole seconds since 1970; coarse, set by the owner */
  constructor(public seconds = 0) {}

  /** Makes the batch ready for the next requests, when all of those before it are answered. */
  clear(): void {
    this.position = 0;
    this.loss = undefined;
  }
}

/** An item's attributes: everything but its value. */
export interface Attributes {
  /** What the client keeps beside the value, 32 bits, unsigned. */
  readonly flags: number;
  /** When the item expires, in milliseconds since 1970; 0 for never. */
  readonly exptime: number;
  /** The cas unique, 64 bits, unsigned. In a swap 0 asks the store for a new one. */
  readonly cas: bigint;
  /** Meta protocol: the value is out of date, and may be served until somebody renews it. */
  readonly stale: boolean;
  /** Meta protocol: a client has been told to renew the value (the win token is out). */
  readonly won: boolean;
  /** Whether the item was read since it was stored, where that is known. */
  readonly fetched: boolean;
  /** When it was last stored, touched or read, in seconds since 1970: point 16. */
  readonly accessed: number;
  /** Meta protocol: the item was stored under a key in base64, and shows its key so. */
  readonly binaryKey: boolean;
}

/** The attributes of an item that has nothing special: it never expires, and no client asked for more. */
export const plain: Attributes = {
  flags: 0,
  exptime: 0,
  cas: 0n,
  stale: false,
  won: false,
  fetched: false,
  accessed: 0,
  binaryKey: false,
};

/**
 * An item to be stored. It may make its value when it is asked for it, as an `ArrivedItem` does, so that whoever
 * makes another item of it names the value.
 */
export interface NewItem extends Attributes {
  readonly value: Uint8Array;
  /** The length of the value in bytes, of an item that makes a view of its value when it is asked for one. */
  readonly size?: number;
  /** Copies the value of such an item to a place in memory that `bytes` and `view` are all of. */
  copyTo?(bytes: Uint8Array, view: DataView, at: number): void;
}

/** The length of an item's value in bytes; no view of the value is made for that. */
export function valueLengthOf(item: NewItem): number {
  return item.size ?? item.value.length;
}

/** An item as it was read. */
export interface Item extends NewItem {
  readonly version: Version;
}

/**
 * What a swap finds there, or does nothing.
 *
 * - `"any"`: whatever is there, or nothing.
 * - `"absent"`: nothing (or something expired or flushed).
 * - `{ cas }`: an item with this cas unique.
 * - an {@linkcode Item} as it was read: exactly that state, also if cas was kept by what changed it.
 *   Where `next.value` is its very value, the same object, only attributes change, and a store need
 *   not write the value again.
 */
export type Expected =
  | "any"
  | "absent"
  | { readonly cas: bigint; readonly version?: Version; readonly value?: Uint8Array };

/**
 * What came of a swap: the cas unique of the item that is there now (0 after a delete); or, with
 * nothing changed, `"exists"` where another state than the expected is there, and `"absent"` where
 * there is nothing: nothing to delete, or nothing with the expected unique.
 */
export type Swapped = bigint | "exists" | "absent";

/** What a {@linkcode Change} makes of an item. */
export interface Changed<R> {
  /** The item to put there, `null` to delete what is there, `undefined` to leave all as it is. */
  readonly next: NewItem | null | undefined;
  /** What came of the command. Shares no memory with the item. */
  readonly result: R;
}

/**
 * What an update makes of the item that is there (`undefined` where there is nothing, or something
 * expired or flushed).
 *
 * It may be called several times, each time with a newer state; only the last call counts, and it is
 * made before the result is there. So it does nothing but compute. The item is valid during the call
 * only; `next` may share its value.
 */
export type Change<R> = (item: Item | undefined) => Changed<R>;

/** What came of an update. */
export interface Updated<R> {
  /** The cas unique of what was stored, 0 where the change deleted or left all as it was. */
  readonly cas: bigint;
  /** The result of the change that counts. */
  readonly result: R;
}

/** Is told what came of a call, in the place of a promise: point 19. It throws nothing. */
export interface Waiter<T> {
  /** Where a read may show what it has found, without an object for it. */
  readonly cursor?: ItemCursor;
  settle(result: T): void;
  fail(error: unknown): void;
}

/** An item without its value, as a listing shows it. */
export interface Listed extends Attributes {
  readonly key: Uint8Array;
  /** The length of the value in bytes. */
  readonly size: number;
}

/** What a store can tell of itself. Figures that it does not have are left out, never made up. */
export interface StoreInfo {
  /** Items that are there; expired ones may count until they are met or swept. */
  readonly items: number;
  /** Bytes of keys, values and the store's own overhead for them. */
  readonly bytes: number;
  /** The size the store is allowed, in bytes; 0 for no limit. */
  readonly limit: number;
  /** Items evicted to make room for others. */
  readonly evictions: number;
  /** Expired items whose room was given back. */
  readonly reclaimed: number;
  /** Reads that found only a flushed item. */
  readonly flushedReads: number;
  /** The index in memory: for how many keys it has places, and its bytes. */
  readonly index?: { readonly places: number; readonly bytes: number };
  /** Figures of this kind of store, for `stats <store>`: name without spaces, value. */
  readonly own: ReadonlyArray<readonly [name: string, value: string | number]>;
}

/** Where items are kept. The module's text is the contract. */
export interface Store {
  /**
   * The item, `undefined` where there is none.
   *
   * @param peek whether the read is no access: point 16
   */
  read(key: Uint8Array, batch: Batch, peek?: boolean): Awaitable<Item | undefined>;

  /**
   * {@linkcode read} of an item that is at hand, without an object for it. The key lies in `bytes` from
   * `start` to `end`.
   *
   * @returns whether there is an item, which `into` shows from then on; `undefined` where it is not at
   * hand and {@linkcode read} must be called, as nothing was read yet
   */
  find?(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    into: ItemCursor,
  ): boolean | undefined;

  /** Puts `next` in the place of what is `expected`; `null` deletes. */
  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped>;

  /** {@linkcode swap} of the key that lies in `bytes` from `start` to `end`: no view of it is made first. */
  swapAt?(
    bytes: Uint8Array,
    start: number,
    end: number,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped>;

  /**
   * {@linkcode read} of the key that lies in `bytes` from `start` to `end`, whose waiter is told where this
   * returns nothing: point 19.
   */
  readLater?(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    waiter: Waiter<Item | undefined>,
  ): Item | undefined;

  /** {@linkcode swap}, whose waiter is told what came of it: point 19. */
  swapLater?(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
    waiter: Waiter<Swapped>,
  ): void;

  /**
   * Reads the item, changes it and swaps it, as often as it takes; the result counts once it is
   * there. Call {@linkcode update} of `update.ts`, which serves all stores.
   *
   * @param counts whether its read is an access: point 16
   */
  update?<R>(
    key: Uint8Array,
    change: Change<R>,
    batch: Batch,
    counts?: boolean,
  ): Awaitable<Updated<R>>;

  /**
   * The bytes that a read or a change of the key holds until it is answered, or some more; 0 where there
   * is no such key. Only a store that knows the size beforehand has this. Never waits.
   */
  sizeOf?(key: Uint8Array): number;

  /** Whether swaps and updates of one key may be made together, and keep their order: point 15. */
  readonly ordered?: boolean;

  /**
   * The one durability point: when it is done, all that the batch has changed so far is as safe as
   * the store's setting promises, and so is everything that its reads have shown. No reply leaves
   * before. Fails with {@linkcode Batch.loss} where something of that is undone.
   */
  commit(batch: Batch): Awaitable<void>;

  /**
   * Makes all items absent that were stored before `at`.
   *
   * @param at milliseconds since 1970; what is not in the future means now.
   */
  flush(at: number, batch: Batch): Awaitable<void>;

  /** When a flush that is to come becomes effective, in milliseconds since 1970; 0 or nothing for none. */
  readonly pendingFlush?: number;

  /** Lists the items in groups of any size, in no order. */
  scan(): AsyncIterable<readonly Listed[]>;

  /**
   * Sets the bytes of memory that items may take; what is over is given up by and by.
   *
   * @returns whether the store can do that
   */
  limitMemory?(bytes: number): boolean;

  /**
   * Looks for all items that have expired, and gives back their room. A store that has no need of it has
   * no such thing.
   *
   * @returns how many it found
   */
  removeExpired?(): Promise<number>;

  /**
   * What is on the medium now, for a copy: only a store that keeps a log on this machine has it.
   *
   * @param whole whether everything that is acknowledged is brought there first
   */
  moment?(whole: boolean): Promise<Moment>;

  /** The {@linkcode Moment.position} that a moment would have now, where a store has moments. */
  readonly momentPosition?: number;

  /** Figures at hand; never a search. */
  info(): StoreInfo;

  /** Commits and ends. Calls after it fail with a {@linkcode StoreError}. */
  close(): Promise<void>;
}

/** What every store is opened with; each adds its own. */
export interface StoreOptions {
  /** The server's clock. */
  readonly clock: Clock;
  /** Says one line to the operator: what happened, and what follows from it. */
  readonly log: Say;
  /** Told of each item that is evicted to make room. The item is valid during the call only. */
  readonly onEvicted?: (item: Listed) => void;
  /**
   * When the key was accessed by somebody who has not told the store, in seconds since 1970; 0 for never, and
   * where it was told before. A store in memory asks before it throws an item out.
   */
  readonly accessedElsewhere?: (key: Uint8Array) => number;
  /** Told of each sync to the medium how many milliseconds it took, where the store syncs. */
  readonly onSynced?: (milliseconds: number) => void;
  /** Told of each exchange with Redis or Cloud Storage that is over. */
  readonly onExchanged?: (exchanged: Exchanged) => void;
  /** Says for whom the store is asked, where somebody follows that. */
  readonly causeOf?: CauseOf | undefined;
}

/** Whether the item's time has come. `now` in milliseconds since 1970. */
export function isExpired(
  item: { readonly exptime: number },
  now: number,
): boolean {
  return item.exptime !== 0 && item.exptime <= now;
}
