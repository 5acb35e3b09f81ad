/**
 * What must have happened before a reply may leave: its bytes are written, and with `--fsync always`
 * on the medium, and so is everything that it shows.
 *
 * @module
 */

import type { StoreError } from "../../errors.ts";
import type { Awaitable } from "../store.ts";
import type { Files } from "./files.ts";
import type { Log } from "./log.ts";
import type { Segment } from "./segment.ts";
import { Syncer } from "./sync.ts";
import { Unsynced } from "./unsynced.ts";

/** When what was written is brought to the medium. */
export type Fsync = "always" | "everysec" | "no";

/** A sync marker is worth its bytes when so many others were synced since the last one. */
const WORTH_A_MARKER = 4096;

/** What commits depend on. */
export interface CommitOptions {
  readonly files: Files;
  readonly directory: string;
  readonly log: Log;
  readonly fsync: Fsync;
  /** The wait that who has written so many bytes owes to others, if any. */
  readonly heldUp: (bytes: number) => Promise<void> | undefined;
  /** These segments were sealed, and are synced now. */
  readonly sealed: (segments: readonly Segment[]) => void;
  /** A sync failed; there will be no other. */
  readonly fails: (error: StoreError) => void;
}

/** The durability of one directory's log. */
export class Commits {
  readonly syncer: Syncer;
  /** The error by which uncommitted effects were undone last. */
  lastLoss: StoreError | undefined;
  /** Without `always`: a sync has been under way for so long that writers must wait. */
  behind = false;

  /** Whether a reply waits for the medium. */
  private readonly always: boolean;
  /** The loss before the last one. */
  private lossBefore: StoreError | undefined;
  /** What the sync under way covers. */
  private syncTarget = 0;
  /** The write that serves all batches which came with the same turn of the loop. */
  private writing: Promise<void> | undefined;
  private readonly unsynced = new Unsynced();

  constructor(private readonly options: CommitOptions) {
    const { files, directory, log, fsync, sealed, fails } = options;
    this.always = fsync === "always";
    this.syncer = new Syncer(files, directory, log, {
      begins: (target) => {
        this.syncTarget = target;
        this.unsynced.begins(target);
      },
      ends: (target) => {
        this.unsynced.ends();
        this.behind = false;
        if (Math.min(target, log.dataEnd) - log.marked >= WORTH_A_MARKER) log.markerDue = target;
      },
      sealed,
      fails,
    });
  }

  /** The store's `commit`. */
  commit(): Awaitable<void> {
    const { log } = this.options;
    if (!this.always) {
      if (log.pending.length !== 0) return this.writing ??= this.writeTogether();
      return this.behind ? this.syncer.until(this.syncTarget) : undefined;
    }
    const bytes = log.pending.length;
    log.writeOut();
    const position = this.unsynced.due();
    if (position > this.syncer.synced) return this.syncer.until(position);
    if (bytes !== 0) return this.options.heldUp(bytes);
  }

  /** Writes what all batches of this turn of the loop have appended, with one call. */
  private async writeTogether(): Promise<void> {
    const { lastLoss } = this;
    const { log, heldUp } = this.options;
    await undefined;
    this.writing = undefined;
    if (this.lastLoss !== lastLoss) throw this.lastLoss;
    const bytes = log.pending.length;
    log.writeOut();
    if (this.behind) await this.syncer.until(this.syncTarget);
    if (bytes !== 0) await heldUp(bytes);
  }

  /** Notes that a key has changed by the record that was appended last. */
  changed(a: number, b: number): void {
    if (this.always) this.unsynced.changed(a, b, this.options.log.position);
  }

  /** Notes that all keys have changed, by what is written. */
  allChanged(): void {
    if (this.always) this.unsynced.allChanged(this.options.log.written);
  }

  /**
   * Notes that a reply shows this key's state.
   *
   * @throws {StoreError} after a failed sync: nobody can say before the next start whether the state
   *   is on the medium
   */
  saw(a: number, b: number): void {
    if (!this.always || !this.unsynced.saw(a, b, this.options.log.position)) return;
    if (this.syncer.failure !== undefined) throw this.syncer.failure;
  }

  /** Notes that what was not committed is undone. */
  lost(error: StoreError): void {
    this.lossBefore = this.lastLoss;
    this.lastLoss = error;
    // Until it is cut off on the medium too, what was refused may come back.
    this.syncer.synced = Math.min(this.syncer.synced, this.options.log.written - 1);
    this.allChanged();
  }

  /** The loss of just now was nobody's. */
  pardon(): void {
    this.lastLoss = this.lossBefore;
  }

  /**
   * The same promise, for a caller that waits in the middle of a batch: what is pending is written
   * before, and its next commit waits for what the batch has shown or changed so far.
   */
  async waiting<T>(promise: Promise<T>): Promise<T> {
    const owed = this.unsynced.take();
    try {
      try {
        this.options.log.writeOut();
      } catch (error) {
        promise.catch(() => {});
        throw error;
      }
      if (owed > this.syncer.synced) this.syncer.request(owed);
      return await promise;
    } finally {
      this.unsynced.give(owed);
    }
  }

  /** Asks for the syncs that are due by time. */
  tick(): void {
    const { syncer } = this;
    const { log, fsync } = this.options;
    if (fsync !== "no") {
      if (!this.always && syncer.busy) this.behind = true;
      // What was synced is marked even when nobody writes any more.
      if (log.active !== undefined && Math.min(syncer.synced, log.dataEnd) > log.marked) {
        log.markerDue = syncer.synced;
        log.mark();
        log.writeOut();
      }
      if (log.written > syncer.synced) syncer.request(log.written);
    }
    if (log.hints.size > 0) syncer.request(0);
  }
}
