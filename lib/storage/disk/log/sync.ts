/**
 * Syncs in log order: one at a time, and each serves all that wait.
 *
 * A sync begins with the write of what is pending. While it is under way requests are served and append to
 * the log; the next write and the next sync carry what all of them have appended. Where replies wait for syncs, and
 * the medium is so fast that there is no time for that, the thread waits instead.
 *
 * @module
 */

import { assert, messageOf, StoreError } from "../../../errors.ts";
import type { Files } from "../fs/files.ts";
import type { Log } from "./log.ts";
import type { Segment } from "./segment.ts";
import { SyncPace } from "./sync_pace.ts";

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

/** What the store wants to know of syncs. */
export interface SyncEvents {
  /** A sync begins that covers everything up to `target`. */
  readonly begins: (target: number) => void;
  /** Everything up to `target` is on the medium. */
  readonly ends: (target: number) => void;
  /** These were sealed, and are synced now. */
  readonly sealed: (segments: readonly Segment[]) => void;
  /** A sync failed; there will be no other. */
  readonly fails: (error: StoreError) => void;
}

/** Brings the log to the medium. Positions are the log's. */
export class Syncer {
  /** The position up to which the log is on the medium. */
  synced: number;
  /**
   * Where the last sync that succeeded has ended, and when it began, in milliseconds since 1970: at first, what
   * was there when the log was opened.
   */
  reached: number;
  reachedAt = Date.now();
  /** Syncs so far, and how long the last one took, in milliseconds. */
  count = 0;
  lastMilliseconds = 0;
  /** When the last one ended, in milliseconds since 1970; 0 for never. */
  lastEnd = 0;
  /** Told of each sync how many milliseconds it took. */
  onSynced: ((milliseconds: number) => void) | undefined;
  /** Why there will be no more syncs. */
  failure: StoreError | undefined;

  #wanted = 0;
  #forced = false;
  /** Whether something was cut off since the sync under way began. */
  #isCut = false;
  #running: Promise<void> | undefined;
  #waiters: Waiter[] = [];
  /** Where replies wait for syncs: whether the thread does too. */
  readonly pace: SyncPace | undefined;

  readonly #files: Files;
  readonly #directory: string;
  readonly #log: Log;
  readonly #events: SyncEvents;

  /** @param isAwaited whether replies wait for syncs: what nobody waits for holds up nobody */
  constructor(
    files: Files,
    directory: string,
    log: Log,
    events: SyncEvents,
    isAwaited: boolean,
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#log = log;
    this.#events = events;
    this.pace = isAwaited ? new SyncPace() : undefined;

    this.synced = this.reached = log.written;
  }

  /** Whether a sync is under way. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when the sync under way, if there is one, has ended and had its effects. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** Resolves when the log is on the medium up to a position, which may be that of pending bytes. */
  until(position: number): Promise<void> {
    if (position <= this.synced) return Promise.resolve();
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ position, resolve, reject });
      this.request(position);
    });
  }

  /** Sees to it that the log gets to the medium up to a position. */
  request(position: number): void {
    if (position > this.#wanted) this.#wanted = position;
    if (this.#log.hints.size > 0) this.#forced = true;
    if (this.#running === undefined && this.failure === undefined) {
      this.#running = this.#run();
    }
  }

  /** What was pending beyond `written` is lost: waits for it fail, and what was cut off is synced. */
  lost(written: number, error: StoreError): void {
    this.synced = Math.min(this.synced, written - 1);
    this.#isCut = true;
    this.#wanted = Math.min(this.#wanted, written);
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.position <= written) return true;
      waiter.reject(error);
      return false;
    });
  }

  /** Brings everything that is written to the medium, sealed segments too. */
  async all(): Promise<void> {
    if (this.failure === undefined && this.#log.unsynced.length > 0) {
      this.#forced = true;
      this.request(this.#log.written);
      await this.#running;
    }
    if (this.failure !== undefined) throw this.failure;
  }

  async #run(): Promise<void> {
    try {
      // Connections whose requests came with the same turn of the loop share the sync.
      await new Promise((resolve) => setImmediate(resolve));
      while ((this.#forced || this.#wanted > this.synced) && this.failure === undefined) {
        const log = this.#log;
        this.#forced = false;
        this.#write();
        const target = log.written;
        const segments = log.unsynced.slice();
        const sealed = segments.filter((segment) => segment.sealed);
        this.#isCut = false;
        this.#events.begins(target);
        const isWaitedFor = this.pace?.next() === true;
        const began = performance.now();
        const beganAt = Date.now();
        try {
          if (log.namesUnsynced) {
            log.namesUnsynced = false;
            await this.#files.syncDirectory(this.#directory);
          }
          for (const segment of segments) {
            segment.pin();
            try {
              if (isWaitedFor && segment.file.syncNow !== undefined) segment.file.syncNow();
              else await segment.file.sync();
            } finally {
              segment.unpin();
            }
          }
        } catch (error) {
          this.#fail(
            new StoreError(
              `Writes are refused since a sync of '${this.#directory}' failed: ${messageOf(error)}`
                .replaceAll(/\s+/g, " "),
            ),
          );
          return;
        }
        log.unsynced.splice(0, sealed.length);
        assert(target >= this.synced, "what is on the medium stays there");
        this.reached = target;
        // What was cut off meanwhile may yet be there: who sees what it had changed waits for another sync.
        this.synced = this.#isCut ? target - 1 : target;
        this.reachedAt = beganAt;
        this.count++;
        this.lastMilliseconds = performance.now() - began;
        this.pace?.took(this.lastMilliseconds, isWaitedFor);
        this.lastEnd = Date.now();
        this.onSynced?.(this.lastMilliseconds);
        this.#events.ends(target);
        if (sealed.length > 0) this.#events.sealed(sealed);
        this.#waiters = this.#waiters.filter((waiter) => {
          if (waiter.position > target) return true;
          waiter.resolve();
          return false;
        });
      }
    } finally {
      // Together with the last look at what is wanted: no request comes between the two.
      this.#running = undefined;
    }
  }

  /** Writes what is pending; where that fails, what waits for it was told by {@linkcode lost}. */
  #write(): void {
    try {
      this.#log.writeOut();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  #fail(error: StoreError): void {
    this.failure = error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters = [];
    this.#events.fails(error);
  }
}
