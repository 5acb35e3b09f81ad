/** Stores for tests that show what a connection does with stores unlike the one in memory. */

import { binaryString } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import type {
  Awaitable,
  Batch,
  Change,
  Expected,
  Item,
  Listed,
  NewItem,
  Store,
  StoreInfo,
  Swapped,
  Updated,
  Waiter,
} from "../../lib/storage/contract.ts";
import { update } from "../../lib/storage/update.ts";

/** A store in memory behind another, which a test changes a part of. */
export class WrappedStore implements Store {
  protected readonly memory: Store;

  constructor(protected readonly clock: Clock) {
    this.memory = openMemoryStore({ clock, log: () => {}, limit: 0, evict: true });
  }

  read(key: Uint8Array, batch: Batch, peek?: boolean): Awaitable<Item | undefined> {
    return this.memory.read(key, batch, peek);
  }

  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    return this.memory.swap(key, expected, next, batch);
  }

  commit(batch: Batch): Awaitable<void> {
    return this.memory.commit(batch);
  }

  flush(at: number, batch: Batch): Awaitable<void> {
    return this.memory.flush(at, batch);
  }

  scan(): AsyncIterable<readonly Listed[]> {
    return this.memory.scan();
  }

  info(): StoreInfo {
    return this.memory.info();
  }

  close(): Promise<void> {
    return this.memory.close();
  }
}

/** Takes effect some time after a call, and not in the order of the calls. */
export class SlowStore extends WrappedStore {
  /** Requests that wait. */
  pending = 0;
  mostPending = 0;
  /** Changes of the key k go on when so many requests have waited together: a slow machine makes fewer at a time. */
  least = 0;

  readonly #delay: () => number | undefined;

  /** @param delay how long each call takes, in turns of the event loop; undefined for no promise. */
  constructor(clock: Clock, delay: () => number | undefined) {
    super(clock);
    this.#delay = delay;
  }

  override read(key: Uint8Array, batch: Batch, peek?: boolean): Awaitable<Item | undefined> {
    return this.later(() => copyOf(this.memory.read(key, batch, peek) as Item | undefined));
  }

  override swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    return this.later(() => this.memory.swap(key, expected, next, batch) as Swapped, key);
  }

  override commit(batch: Batch): Awaitable<void> {
    return this.later(() => this.memory.commit(batch) as void);
  }

  override flush(at: number, batch: Batch): Awaitable<void> {
    return this.later(() => this.memory.flush(at, batch) as void);
  }

  /** @param key what is changed, if something is */
  protected later<T>(run: () => T, key?: Uint8Array): Awaitable<T> {
    const turns = this.#delay();
    if (turns === undefined) return run();
    this.mostPending = Math.max(this.mostPending, ++this.pending);
    return (async () => {
      for (let i = 0; i < turns; i++) await turn();
      const isHeld = key !== undefined && binaryString(key) === "k";
      while (isHeld && this.mostPending < this.least) await turn();
      this.pending--;
      return run();
    })();
  }
}

/** A slow store that tells those who wait, at times before the call returns. */
export class TellingStore extends SlowStore {
  /** What a read or a swap fails with, where the test wants it to. */
  failing: (next?: NewItem | null) => Error | undefined = () => undefined;

  readLater(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    waiter: Waiter<Item | undefined>,
  ): undefined {
    const key = bytes.subarray(start, end);
    this.#tell(() => copyOf(this.memory.read(key, batch, peek) as Item | undefined), waiter);
  }

  swapLater(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
    waiter: Waiter<Swapped>,
  ): void {
    this.#tell(() => this.memory.swap(key, expected, next, batch) as Swapped, waiter, next);
  }

  #tell<T>(run: () => T, waiter: Waiter<T>, next?: NewItem | null): void {
    const failure = this.failing(next);
    void this.later(() => {
      if (failure === undefined) waiter.settle(run());
      else waiter.fail(failure);
    });
  }
}

/** A slow store that keeps the order of a key's changes, though it does not wait for their results. */
export class OrderedStore extends SlowStore {
  readonly ordered = true;
  /** What a swap fails with, where the test wants it to. */
  failing: (next: NewItem | null) => Error | undefined = () => undefined;
  readonly #last = new Map<string, Promise<unknown>>();

  override swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    return this.#inTurn(key, () => {
      const failure = this.failing(next);
      if (failure !== undefined) throw failure;
      return this.memory.swap(key, expected, next, batch) as Swapped;
    });
  }

  update<R>(
    key: Uint8Array,
    change: Change<R>,
    batch: Batch,
    counts?: boolean,
  ): Awaitable<Updated<R>> {
    return this.#inTurn(
      key,
      () => update(this.memory, this.clock, key, change, batch, counts) as Updated<R>,
    );
  }

  #inTurn<T>(key: Uint8Array, run: () => T): Promise<T> {
    const text = binaryString(key);
    const before = this.#last.get(text);
    const waited = this.later(() => {}, key);
    const done = (async () => {
      await waited;
      await before;
      return run();
    })();
    this.#last.set(text, done.catch(() => {}));
    return done;
  }
}

/** Shows an item immediately, and spoils what it has shown at the next call, as the contract allows. */
export class ForgetfulStore extends WrappedStore {
  #shown: Uint8Array[] = [];

  override read(key: Uint8Array, batch: Batch, peek?: boolean): Item | undefined {
    this.#spoil();
    const item = copyOf(this.memory.read(key, batch, peek) as Item | undefined);
    if (item !== undefined) this.#shown.push(item.value);
    return item;
  }

  override swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    const swapped = this.memory.swap(key, expected, next, batch);
    this.#spoil();
    return swapped;
  }

  override commit(_batch: Batch): void {
    this.#spoil();
  }

  #spoil(): void {
    for (const value of this.#shown) value.fill(0x21);
    this.#shown = [];
  }
}

/** Fails where the test says so; each failure is thrown, or comes as a rejection. */
export class FailingStore extends WrappedStore {
  /** What reads and swaps of these keys fail with. */
  readonly failures = new Map<string, Error>();
  /** What commits fail with. */
  commitFailure: Error | undefined;
  commits = 0;

  readonly #rejects: boolean;

  constructor(clock: Clock, rejects: boolean) {
    super(clock);
    this.#rejects = rejects;
  }

  override read(key: Uint8Array, batch: Batch, peek?: boolean): Awaitable<Item | undefined> {
    return this.#failing(this.failures.get(binaryString(key))) ??
      this.memory.read(key, batch, peek);
  }

  override swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Awaitable<Swapped> {
    return this.#failing(this.failures.get(binaryString(key))) ??
      this.memory.swap(key, expected, next, batch);
  }

  override commit(_batch: Batch): Awaitable<void> {
    this.commits++;
    return this.#failing(this.commitFailure);
  }

  #failing(failure: Error | undefined): Promise<never> | undefined {
    if (failure === undefined) return undefined;
    if (this.#rejects) return Promise.reject(failure);
    throw failure;
  }
}

function copyOf(item: Item | undefined): Item | undefined {
  return item && {
    value: item.value.slice(),
    flags: item.flags,
    exptime: item.exptime,
    cas: item.cas,
    stale: item.stale,
    won: item.won,
    fetched: item.fetched,
    accessed: item.accessed,
    binaryKey: item.binaryKey,
    version: item.version,
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
