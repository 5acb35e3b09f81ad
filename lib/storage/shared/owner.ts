/**
 * The thread that has the store: it runs what workers ask, commits it, and answers.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { KeyHash } from "../../key_hash.ts";
import {
  type Awaitable,
  Batch,
  type Item,
  type Listed,
  type Store,
  type Swapped,
} from "../contract.ts";
import type { Bell } from "./bell.ts";
import { Changes } from "./changes.ts";
import type { Channel } from "./channel.ts";
import {
  answerError,
  answerItem,
  answerSwap,
  Ask,
  copyPart,
  expectedOf,
  newItemOf,
  READ_HEADER,
  SWAP_HEADER,
} from "./frames.ts";
import { Frame } from "./ring.ts";
import type { Shelf } from "./shelf.ts";
import { NEVER } from "./shelf_memory.ts";

/** Frames of one worker that are taken before those of another. */
const FRAMES_A_TURN = 256;
/** A set of no more bytes is put on the shelf; a larger one when it is read. */
const SMALL = 4096;
/** Bytes of key and value that a call has room for, at first; and calls that are kept for the next ones. */
const ROOM = 512;
const MOST_SPARE = 1024;

/** What an owner needs. */
export interface OwnerOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** The owner's own bell. */
  readonly bell: Bell;
  readonly shelf: Shelf | undefined;
  /** A step of the owner failed that must not: nothing can be trusted from here on. */
  readonly broken: (error: unknown) => void;
}

/** A call that is under way. They are used again and again. */
class Call {
  readonly batch = new Batch();
  channel!: Channel;
  number = 0;
  a = 0;
  b = 0;
  /** What {@linkcode Changes.stamp} was when the state was read, or after the change. */
  stamp = 0;
  /** The key, and behind it the value, as long as the store may need them. */
  bytes = new Uint8Array(ROOM);
  keyLength = 0;
  isSwap = false;
  /** When the read was an access, in seconds since 1970; -1 for a peek. */
  accessed = 0;
}

/** The owner of a store. */
export class Owner {
  /** Calls that were run, and wake-ups that brought them. */
  calls = 0;
  readonly #options: OwnerOptions;
  readonly #channels: Channel[] = [];
  readonly #changes = new Changes();
  readonly #hash: KeyHash | undefined;
  readonly #spare: Call[] = [];
  /** The moment of a flush to come, in milliseconds since 1970; 0 for none. */
  #flushAt = 0;
  #isClosing = false;
  #isDirty = false;
  #running: Promise<void> | undefined;

  constructor(options: OwnerOptions) {
    this.#options = options;
    const { shelf } = options;
    this.#hash = shelf && new KeyHash(shelf.hashKey);
    this.#noteFlush();
  }

  /** Wake-ups so far. */
  get wakeUps(): number {
    return this.#options.bell.sleeps;
  }

  /** Answers what comes by a channel from now on. */
  attach(channel: Channel): void {
    this.#channels.push(channel);
    this.#running ??= this.#run().catch(this.#options.broken);
  }

  /** A frame that came as a message. */
  take(channel: Channel, buffer: ArrayBuffer): void {
    this.#serve(channel, new Frame(buffer));
  }

  /** Answers nothing more. The store stays open. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#options.bell.ring();
    await this.#running;
  }

  /** {@linkcode Store.flush}, committed. */
  async flush(at: number): Promise<void> {
    const { store, shelf } = this.#options;
    const batch = new Batch();
    this.#changes.beginAll();
    shelf?.clear();
    // Its moment may come before it is committed.
    this.#noteFlush(at);
    try {
      await store.flush(at, batch);
      await store.commit(batch);
    } catch (error) {
      this.#noteFlush();
      throw error;
    } finally {
      this.#changes.endAll();
    }
  }

  /** {@linkcode Store.scan}, with the accesses that only the shelf knows. */
  async *scan(): AsyncGenerator<readonly Listed[]> {
    const { store, shelf } = this.#options;
    for await (const group of store.scan()) {
      yield shelf === undefined ? group : group.map((item) => this.#merged(item));
    }
  }

  /** An item was thrown out. */
  evicted({ key }: { readonly key: Uint8Array }): void {
    const { shelf } = this.#options;
    if (shelf === undefined) return;
    const hash = this.#hash!;
    hash.of(key);
    this.#changes.changed(hash.a);
    shelf.remove(hash.a, hash.b);
  }

  /** When a key was accessed that the store was not told of; told once. Seconds since 1970, 0 for never. */
  accessed(key: Uint8Array): number {
    const { shelf } = this.#options;
    if (shelf === undefined) return 0;
    const hash = this.#hash!;
    hash.of(key);
    return shelf.takeAccess(hash.a, hash.b);
  }

  async #run(): Promise<void> {
    const { bell } = this.#options;
    while (!this.#isClosing) {
      if (this.#serveAll()) {
        // Timers, files and other clients of this thread have their turn, and workers ask on meanwhile.
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const sleeping = bell.sleep(this.#hasMore);
      if (sleeping !== undefined) await sleeping;
    }
  }

  readonly #hasMore = (): boolean =>
    this.#isClosing || this.#channels.some(({ incoming }) => incoming.hasMore);

  /** Takes what has come; whether there was any. */
  #serveAll(): boolean {
    let some = false;
    for (const channel of this.#channels) {
      const { incoming } = channel;
      for (let i = 0; i < FRAMES_A_TURN; i++) {
        const frame = incoming.take();
        if (frame === undefined) break;
        some = true;
        this.#serve(channel, frame);
        incoming.release();
      }
    }
    return some;
  }

  #serve(channel: Channel, frame: Frame): void {
    const { words, bytes, at } = frame;
    const w = at >>> 2;
    const call = this.#spare.pop() ?? new Call();
    const head = words[w + 2];
    const kind = head & 0xff;
    call.channel = channel;
    call.number = words[w + 1];
    call.a = words[w + 4];
    call.b = words[w + 5];
    call.batch.clear();
    call.batch.seconds = words[w + 3];
    call.keyLength = head >>> 8 & 0xff;
    call.isSwap = kind === Ask.put || kind === Ask.delete;
    this.calls++;
    const from = at + (call.isSwap ? SWAP_HEADER : READ_HEADER);
    // The store may keep key and value until it answers: longer than the frame is there.
    const length = call.keyLength + (call.isSwap ? words[w + 16] : 0);
    if (call.bytes.length < length) call.bytes = new Uint8Array(length);
    copyPart(bytes, from, length, call.bytes, 0);
    if (this.#flushAt !== 0) this.#flushIfDue();
    if (call.isSwap) this.#swap(call, frame, kind === Ask.delete, length);
    else this.#read(call, kind === Ask.peek);
  }

  #read(call: Call, peek: boolean): void {
    const { store, shelf } = this.#options;
    const key = call.bytes.subarray(0, call.keyLength);
    call.accessed = peek ? -1 : call.batch.seconds;
    call.stamp = this.#changes.stamp(call.a);
    const isCurrent = shelf !== undefined && this.#changes.isCurrent(call.a, call.stamp);
    let found: Awaitable<Item | undefined>;
    try {
      found = store.read(key, call.batch, peek);
    } catch (error) {
      return this.#fail(call, error);
    }
    if (found instanceof Promise) {
      found.then((item) => this.#commitRead(call, key, this.#mergedOf(call, item), isCurrent))
        .catch((error) => this.#fail(call, error));
      return;
    }
    this.#commitRead(call, key, this.#mergedOf(call, found), isCurrent);
  }

  #commitRead(call: Call, key: Uint8Array, item: Item | undefined, isCurrent: boolean): void {
    const committing = this.#commit(call);
    if (committing === undefined) return this.#answerRead(call, key, item, isCurrent);
    if (committing === null) return;
    // What a read has returned is valid until the next call.
    const kept = item && { ...item, value: item.value.slice() };
    committing.then(
      () => this.#answerRead(call, key, kept, isCurrent),
      (error) => this.#fail(call, error),
    );
  }

  #answerRead(call: Call, key: Uint8Array, item: Item | undefined, isCurrent: boolean): void {
    const { shelf } = this.#options;
    answerItem(call.channel, call.number, item);
    if (shelf !== undefined && item !== undefined && isCurrent) {
      if (this.#changes.isCurrent(call.a, call.stamp)) {
        shelf.put(call.a, call.b, key, item, call.accessed);
      }
    }
    this.#done(call);
  }

  #swap(call: Call, frame: Frame, deletes: boolean, length: number): void {
    const { store, shelf } = this.#options;
    const { bytes, keyLength, a, b, batch } = call;
    const key = bytes.subarray(0, keyLength);
    const next = deletes ? null : newItemOf(frame, bytes.subarray(keyLength, length));
    const expected = expectedOf(frame);
    this.#changes.begin(a);
    call.stamp = this.#changes.stamp(a);
    const accessed = shelf === undefined ? -1 : shelf.remove(a, b);
    let swapped: Awaitable<Swapped>;
    try {
      swapped = store.swap(key, expected, next, batch);
    } catch (error) {
      return this.#fail(call, error);
    }
    if (swapped instanceof Promise) {
      swapped.then((swapped) => this.#commitSwap(call, swapped, undefined))
        .catch((error) => this.#fail(call, error));
      return;
    }
    if (typeof swapped !== "bigint") {
      // What is there stays, and so does what is known of it.
      if (accessed > 0) this.#access(key, accessed);
      return this.#commitSwap(call, swapped, undefined);
    }
    // What nobody has read since it was stored last may be stored many times before anybody does.
    const isShown = accessed >= 0 && next !== null && length <= SMALL;
    this.#commitSwap(call, swapped, isShown ? key : undefined);
  }

  #commitSwap(call: Call, swapped: Swapped, shown: Uint8Array | undefined): void {
    const committing = this.#commit(call);
    if (committing === undefined) return this.#answerSwap(call, swapped, shown);
    if (committing === null) return;
    committing.then(
      () => this.#answerSwap(call, swapped, shown),
      (error) => this.#fail(call, error),
    );
  }

  #answerSwap(call: Call, swapped: Swapped, shown: Uint8Array | undefined): void {
    answerSwap(call.channel, call.number, swapped);
    this.#changes.end(call.a);
    if (shown !== undefined && this.#changes.isCurrent(call.a, call.stamp)) this.#show(call, shown);
    this.#done(call);
  }

  /** Puts on the shelf what a swap has stored, if the store has it at hand and nothing is to be waited for. */
  #show(call: Call, key: Uint8Array): void {
    const { store, shelf } = this.#options;
    const batch = this.#showing;
    batch.clear();
    try {
      const item = store.read(key, batch, true);
      // Nothing of this key has changed since its commit: the read depends on nothing that is not committed.
      if (item === undefined || item instanceof Promise) return;
      const committing = store.commit(batch);
      if (committing === undefined) shelf!.put(call.a, call.b, key, item);
      else committing.catch(() => {});
    } catch {
      // Whoever reads the key is told.
    }
  }
  readonly #showing = new Batch();

  /** Tells the store of an access, if it has the item at hand. */
  #access(key: Uint8Array, seconds: number): void {
    const { store } = this.#options;
    if ((store.sizeOf?.(key) ?? 0) !== 0) return;
    const found = store.read(key, new Batch(seconds));
    if (found instanceof Promise) found.catch(() => {});
  }

  /** Commits a call: a promise where that must be waited for, `null` where it has failed. */
  #commit(call: Call): Promise<void> | undefined | null {
    try {
      const committing = this.#options.store.commit(call.batch);
      return committing instanceof Promise ? committing : undefined;
    } catch (error) {
      this.#fail(call, error);
      return null;
    }
  }

  #fail(call: Call, error: unknown): void {
    answerError(call.channel, call.number, error);
    if (call.isSwap) this.#changes.end(call.a);
    this.#done(call);
  }

  /** A call has its answer. */
  #done(call: Call): void {
    this.#dirty();
    if (call.bytes.length <= ROOM && this.#spare.length < MOST_SPARE) this.#spare.push(call);
  }

  /** Wakes the worker when all that is answered in this turn is. */
  #dirty(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    queueMicrotask(this.#flushAll);
  }

  readonly #flushAll = (): void => {
    this.#isDirty = false;
    for (const channel of this.#channels) channel.flush();
  };

  #mergedOf(call: Call, item: Item | undefined): Item | undefined {
    const { shelf } = this.#options;
    if (item === undefined || shelf === undefined) return item;
    const accessed = shelf.accessOf(call.a, call.b);
    return accessed === 0 ? item : accessedAt(item, accessed);
  }

  #merged(item: Listed): Listed {
    const hash = this.#hash!;
    hash.of(item.key);
    const accessed = this.#options.shelf!.accessOf(hash.a, hash.b);
    return accessed === 0 ? item : accessedAt(item, accessed);
  }

  /** Notes the moment of a flush to come. */
  #noteFlush(at = this.#options.store.pendingFlush ?? 0): void {
    const { clock, shelf } = this.#options;
    this.#flushAt = at > clock.now() ? at : 0;
    // The second in which it comes has ended for the shelf when it begins.
    shelf?.endAt(this.#flushAt === 0 ? NEVER : Math.floor(this.#flushAt / 1000));
  }

  /** Empties the shelf where a flush has come: from now on the store shows nothing of before. */
  #flushIfDue(): void {
    const { clock, shelf } = this.#options;
    if (clock.now() < this.#flushAt) return;
    this.#flushAt = 0;
    // Reads under way are of before, or not: none of them is put on the shelf.
    this.#changes.beginAll();
    this.#changes.endAll();
    shelf?.clear();
    shelf?.endAt(NEVER);
  }
}

function accessedAt<T extends { readonly accessed: number }>(item: T, seconds: number): T {
  return { ...item, fetched: true, accessed: Math.max(item.accessed, seconds) };
}
