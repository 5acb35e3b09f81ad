/**
 * The thread that has the store: it runs what workers ask, commits it, and answers.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { assert } from "../../errors.ts";
import { KeyHash } from "../../key_hash.ts";
import {
  type Awaitable,
  Batch,
  type Expected,
  type Item,
  type Listed,
  type NewItem,
  type Store,
  type Swapped,
} from "../contract.ts";
import { ItemCursor } from "../item_cursor.ts";
import type { Bell } from "./bell.ts";
import { Call, ROOM } from "./call.ts";
import { Changes } from "./changes.ts";
import type { Channel } from "./channel.ts";
import {
  answerError,
  answerItem,
  answerSwap,
  Ask,
  copyPart,
  expectedOf,
  itemWith,
  lengthOf,
  READ_HEADER,
  SWAP_HEADER,
} from "./frames.ts";
import { Frame, type Ring } from "./ring.ts";
import type { Shelf } from "./shelf.ts";
import { NEVER } from "./shelf_memory.ts";

/** Frames of one worker that are taken before those of another. */
const FRAMES_A_TURN = 256;
const LARGE_FRAMES_A_TURN = 16;
/** A set of no more bytes is put on the shelf; a larger one when it is read. */
const SMALL = 4096;
/** Up to so many bytes a loop over words copies faster than a call. */
const FEW = 256;
const NO_BYTES = new Uint8Array(0);
/** Calls that are kept for the next ones. */
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
  /** The commit that calls wait for, and those calls. */
  #committing: Promise<void> | undefined;
  #committed: Call[] = [];
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
    try {
      this.#serve(channel, new Frame(buffer), true);
    } catch (error) {
      this.#options.broken(error);
    }
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
      this.#serveAll();
      // Timers, files and other clients of this thread have their turn, whether it sleeps or not.
      await (bell.sleep(this.#hasMore) ?? new Promise((resolve) => setImmediate(resolve)));
    }
  }

  readonly #hasMore = (): boolean =>
    this.#isClosing || this.#channels.some((channel) => channel.hasMore);

  /** Takes what has come. */
  #serveAll(): void {
    for (const channel of this.#channels) {
      const { incoming, incomingLarge } = channel;
      for (let i = 0; i < FRAMES_A_TURN; i++) {
        const frame = incoming.take();
        if (frame === undefined) break;
        this.#serve(channel, frame, false);
      }
      incoming.release();
      for (let i = 0; i < LARGE_FRAMES_A_TURN; i++) {
        const frame = incomingLarge.take();
        if (frame === undefined) break;
        this.#serve(channel, frame, true, incomingLarge);
      }
      incomingLarge.release();
    }
  }

  /**
   * Runs the call of a frame.
   *
   * @param inPlace whether its value is used where it lies
   * @param ring the one that it lies in, where that must hold it for as long as the store needs it
   */
  #serve(channel: Channel, frame: Frame, inPlace: boolean, ring?: Ring): void {
    const { words, at } = frame;
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
    call.isSwap = kind >= Ask.put;
    this.calls++;
    const from = at + (call.isSwap ? SWAP_HEADER : READ_HEADER);
    // The store may keep key and value until it answers: longer than the frame is there.
    const size = call.keyLength + (call.isSwap ? lengthOf(frame) : 0);
    const copied = inPlace ? call.keyLength : size;
    if (call.bytes.length < copied) call.grow(copied);
    copyFrame(frame, from, copied, call);
    if (this.#flushAt !== 0) this.#flushIfDue();
    if (call.isSwap) {
      call.size = size;
      const value = inPlace
        ? frame.bytes.subarray(from + call.keyLength, from + size)
        : call.valueTo(size);
      this.#swap(call, frame, kind, value, ring);
    } else this.#read(call, kind === Ask.peek);
  }

  #read(call: Call, peek: boolean): void {
    const { store, shelf } = this.#options;
    const { key } = call;
    call.accessed = peek ? -1 : call.batch.seconds;
    call.stamp = this.#changes.stamp(call.a);
    call.isCurrent = shelf !== undefined && this.#changes.isCurrent(call.a, call.stamp);
    let found: Awaitable<Item | undefined>;
    try {
      found = store.read(key, call.batch, peek);
    } catch (error) {
      return this.#fail(call, error);
    }
    if (found instanceof Promise) {
      found.then((item) => this.#commitRead(call, item)).catch((error) => this.#fail(call, error))
        .catch(this.#options.broken);
      return;
    }
    this.#commitRead(call, found);
  }

  #commitRead(call: Call, found: Item | undefined): void {
    call.item = this.#mergedOf(call, found);
    const committing = this.#commit(call);
    if (committing === undefined) return this.#answerRead(call);
    if (committing === null) return;
    // What a read has returned is valid until the next call.
    call.item &&= { ...call.item, value: call.item.value.slice() };
    this.#answerAfter(committing, call);
  }

  #answerRead(call: Call): void {
    const { shelf } = this.#options;
    const { item } = call;
    try {
      answerItem(call.channel, call.number, item);
    } catch (error) {
      // There was no memory for the value, say: that is this call's, and others have their answers.
      return this.#fail(call, error);
    }
    if (shelf !== undefined && item !== undefined && call.isCurrent) {
      if (this.#changes.isCurrent(call.a, call.stamp)) {
        shelf.put(call.a, call.b, call.key, item, call.accessed);
      }
    }
    call.item = undefined;
    this.#done(call);
  }

  #swap(call: Call, frame: Frame, kind: number, value: Uint8Array, ring: Ring | undefined): void {
    const { store, shelf } = this.#options;
    const { bytes, keyLength, a, b, batch } = call;
    const next = kind === Ask.delete ? null : itemWith(frame, value);
    const expected = expectedOf(frame);
    this.#changes.begin(a);
    call.stamp = this.#changes.stamp(a);
    const accessed = shelf === undefined ? -1 : shelf.remove(a, b);
    call.accessed = accessed;
    let swapped: Awaitable<Swapped>;
    try {
      swapped = kind === Ask.amend
        ? this.#amend(call, expected, next!)
        : store.swapAt === undefined
        ? store.swap(call.key, expected, next, batch)
        : store.swapAt(bytes, 0, keyLength, expected, next, batch);
    } catch (error) {
      return this.#fail(call, error);
    }
    if (swapped instanceof Promise) {
      call.isShown = false;
      ring?.hold();
      swapped.finally(() => ring?.letGo())
        .then((swapped) => this.#commitSwap(call, swapped))
        .catch((error) => this.#fail(call, error)).catch(this.#options.broken);
      return;
    }
    if (typeof swapped !== "bigint") {
      // What is there stays, and so does what is known of it.
      if (accessed > 0) this.#access(call.key, accessed);
      call.accessed = 0;
      call.isShown = false;
    } else {
      // What nobody has read since it was stored last may be stored many times before anybody does.
      call.isShown = accessed >= 0 && next !== null && call.size <= SMALL;
    }
    this.#commitSwap(call, swapped);
  }

  /** Gives an item other attributes. The store is to see that the value is the one that it has. */
  #amend(call: Call, expected: Expected, next: NewItem): Awaitable<Swapped> {
    assert(typeof expected === "object", "an amendment expects an item");
    const { store } = this.#options;
    const { key, batch } = call;
    const swap = (item: Item | undefined) => {
      // Where it is another item, or none, the store refuses.
      const value = item === undefined ? NO_BYTES : item.value;
      call.size = key.length + value.length;
      return store.swap(key, { ...expected, value }, { ...next, value }, batch);
    };
    const found = store.read(key, batch, true);
    return found instanceof Promise ? found.then(swap) : swap(found);
  }

  #commitSwap(call: Call, swapped: Swapped): void {
    call.swapped = swapped;
    const committing = this.#commit(call);
    if (committing === undefined) this.#answerSwap(call);
    else if (committing !== null) this.#answerAfter(committing, call);
  }

  #answerSwap(call: Call): void {
    answerSwap(call.channel, call.number, call.swapped);
    this.#changes.end(call.a);
    if (typeof call.swapped !== "bigint") this.#keepAccess(call);
    if (call.isShown && this.#changes.isCurrent(call.a, call.stamp)) this.#show(call);
    this.#done(call);
  }

  /** Answers a call when it is committed, together with all others that wait for the same. */
  #answerAfter(committing: Promise<void>, call: Call): void {
    if (this.#committing === committing) return void this.#committed.push(call);
    const calls = [call];
    this.#committing = committing;
    this.#committed = calls;
    const over = () => {
      if (this.#committing === committing) this.#committing = undefined;
    };
    committing.then(() => {
      over();
      for (const one of calls) {
        if (one.isSwap) this.#answerSwap(one);
        else this.#answerRead(one);
      }
    }, (error) => {
      over();
      for (const one of calls) this.#fail(one, error);
    }).catch(this.#options.broken);
  }

  /** Puts on the shelf what a swap has stored, if the store has it at hand and nothing is to be waited for. */
  #show(call: Call): void {
    const { store, shelf } = this.#options;
    const { key } = call;
    const batch = this.#showing;
    batch.clear();
    try {
      const item = store.read(key, batch, true);
      // Nothing of this key has changed since its commit: the read depends on nothing that is not committed.
      if (item === undefined) return;
      if (item instanceof Promise) return void item.catch(() => {});
      const committing = store.commit(batch);
      if (committing === undefined) shelf!.put(call.a, call.b, key, item);
      else committing.catch(() => {});
    } catch {
      // Whoever reads the key is told.
    }
  }
  readonly #showing = new Batch();

  /** A swap that had to wait has left what is there, of which only the shelf knew when it was accessed. */
  #keepAccess({ key, a, stamp, accessed }: Call): void {
    if (accessed > 0 && this.#changes.isCurrent(a, stamp)) this.#access(key, accessed);
  }

  /** Tells the store of an access, if it has the item at hand: of another it remembers none. */
  #access(key: Uint8Array, seconds: number): void {
    const batch = this.#showing;
    batch.clear();
    batch.seconds = seconds;
    try {
      this.#options.store.find?.(key, 0, key.length, batch, false, this.#found);
    } catch {
      // Whoever reads the key is told.
    }
  }
  readonly #found = new ItemCursor();

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
    call.item = undefined;
    if (call.isSwap) {
      this.#changes.end(call.a);
      this.#keepAccess(call);
    }
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

/** Copies what is in a frame from a byte on, which begins a word. */
function copyFrame({ words, bytes }: Frame, from: number, count: number, to: Call): void {
  if (count > FEW) return copyPart(bytes, from, count, to.bytes, 0);
  const target = to.words;
  // A frame is padded to whole words, and so is the room of a call.
  for (let i = 0, word = from >>> 2; i << 2 < count; i++, word++) target[i] = words[word];
}

function accessedAt<T extends { readonly accessed: number }>(item: T, seconds: number): T {
  return { ...item, fetched: true, accessed: Math.max(item.accessed, seconds) };
}
