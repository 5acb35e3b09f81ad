/**
 * What must have happened before a reply may leave: its bytes are written, and with `--fsync always`
 * on the medium, and so is everything that it shows.
 *
 * @module
 */

import type { StoreError } from "../../../errors.ts";
import { nameOf } from "../../../key_hash.ts";
import type { Awaitable, Batch } from "../../contract.ts";
import type { Files } from "../fs/files.ts";
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
  /** Without `always`: a sync has been under way for so long that writers must wait. */
  behind = false;

  readonly #options: CommitOptions;
  /** Whether a reply waits for the medium. */
  readonly #always: boolean;
  /** What the sync under way covers. */
  #syncTarget = 0;
  /** The position that was written when a tick last asked for a sync. */
  #due = 0;
  /** Whether the sync under way was so at the last tick, or is the one that this tick has asked for. */
  #isOld = false;
  /** The write that serves all batches which came with the same turn of the loop. */
  #writing: Promise<void> | undefined;
  /** Bytes that were written before the batches' own write, since the last. */
  #early = 0;
  /** With `always`: the position up to which commits have owed others a wait for pending bytes. */
  #owed = 0;
  /** The batches that depend on bytes which are not yet written; some may be there twice. */
  readonly #dependents: Batch[] = [];
  #dependentCount = 0;
  /** Names of the keys of which a tombstone is not yet written. */
  readonly #buried = new Set<number>();
  readonly #unsynced = new Unsynced();
  /** The loss of last. */
  #loss: StoreError | undefined;
  /** How often pending bytes were lost. */
  losses = 0;

  constructor(options: CommitOptions) {
    this.#options = options;
    const { files, directory, log, fsync, sealed, fails } = options;
    this.#always = fsync === "always";
    this.syncer = new Syncer(files, directory, log, {
      begins: (target) => {
        this.#syncTarget = target;
        this.#isOld = this.#due > this.syncer.synced;
        this.#unsynced.begins(target);
      },
      ends: (target) => {
        this.#unsynced.ends();
        this.behind = false;
        if (Math.min(target, log.dataEnd) - log.marked >= WORTH_A_MARKER) log.markerDue = target;
      },
      sealed,
      fails,
    }, this.#always);
  }

  /** The store's `commit`. */
  commit(batch: Batch): Awaitable<void> {
    if (batch.loss !== undefined) throw batch.loss;
    const { log } = this.#options;
    const { position } = batch;
    const { pace } = this.syncer;
    if (position === 0) {
      if (pace !== undefined) pace.free++;
      return;
    }
    if (pace === undefined) {
      if (position > log.written) return this.#writing ??= this.#writeTogether();
      if (this.behind) return this.syncer.until(this.#syncTarget);
      return this.#early === 0 ? undefined : this.#options.heldUp(this.#takeEarly());
    }
    // The sync writes first what all have appended until it begins: one write for all that wait for it.
    if (position > this.syncer.synced) {
      pace.waiting++;
      const bytes = Math.max(0, log.position - Math.max(log.written, this.#owed));
      this.#owed = log.position;
      const held = this.#options.heldUp(bytes + this.#takeEarly());
      const synced = this.syncer.until(position);
      return held === undefined ? synced : bothOf(synced, held);
    }
    pace.free++;
  }

  /**
   * Writes what all batches of this turn of the loop have appended, with one call. All of them depend
   * on it, and so all of them fail with it.
   */
  async #writeTogether(): Promise<void> {
    const losses = this.losses;
    const { log, heldUp } = this.#options;
    await undefined;
    // Something was lost meanwhile, and with it everything that the batches had appended.
    if (this.losses !== losses) throw this.#loss;
    this.#writing = undefined;
    const bytes = log.pending.length + this.#takeEarly();
    log.writeOut();
    if (this.behind) await this.syncer.until(this.#syncTarget);
    const held = bytes === 0 ? undefined : heldUp(bytes);
    if (held !== undefined) await held;
  }

  #takeEarly(): number {
    const bytes = this.#early;
    this.#early = 0;
    return bytes;
  }

  /** Notes that so many bytes of a batch were written before its commit, which owes others a wait for them. */
  wroteEarly(bytes: number): void {
    this.#early += bytes;
  }

  /** Notes that a batch has changed a key by the record that was appended last. */
  changed(batch: Batch, a: number, b: number, buried: boolean): void {
    this.#dependOnPending(batch);
    if (buried) this.#buried.add(nameOf(a, b));
    else if (this.#buried.size > 0) this.#buried.delete(nameOf(a, b));
    if (this.#always) this.#unsynced.changed(a, b);
  }

  /** Notes that all keys have changed, by what is written. */
  allChanged(batch?: Batch): void {
    const { written } = this.#options.log;
    if (batch !== undefined && batch.position < written) batch.position = written;
    if (this.#always) this.#unsynced.allChanged();
  }

  /**
   * Notes that a batch has seen a key's item.
   *
   * @param sequence the item's sequence number
   * @throws {StoreError} as {@linkcode sawAbsence} does
   */
  saw(batch: Batch, a: number, b: number, sequence: number): void {
    const { log } = this.#options;
    if (log.pending.length !== 0 && sequence > log.writtenSequence) this.#dependOnPending(batch);
    else if (this.#always) this.#dependOnWritten(batch, a, b);
  }

  /**
   * Notes that a batch has seen that a key has no item.
   *
   * @throws {StoreError} after a failed sync: nobody can say before the next start whether the state
   *   is on the medium
   */
  sawAbsence(batch: Batch, a: number, b: number): void {
    if (this.#buried.size !== 0 && this.#buried.has(nameOf(a, b))) this.#dependOnPending(batch);
    else if (this.#always) this.#dependOnWritten(batch, a, b);
  }

  #dependOnPending(batch: Batch): void {
    const { log } = this.#options;
    // Beyond what is written is only who is noted already.
    if (batch.position <= log.written) this.#dependents[this.#dependentCount++] = batch;
    batch.position = log.position;
  }

  #dependOnWritten(batch: Batch, a: number, b: number): void {
    const position = this.#unsynced.positionOf(a, b, this.#options.log.written);
    if (position === 0) return;
    if (this.syncer.failure !== undefined) throw this.syncer.failure;
    if (position > batch.position) batch.position = position;
  }

  /** Notes that everything that was pending is written. */
  wrote(): void {
    this.#dependentCount = 0;
    // Emptying a set makes a new table, also of one that is empty.
    if (this.#buried.size > 0) this.#buried.clear();
  }

  /** Notes that a key is again what it was before what is lost. */
  undone(a: number, b: number): void {
    // Until it is cut off on the medium too, what was refused may come back.
    if (this.#always) this.#unsynced.changed(a, b);
  }

  /** Notes that what was pending is lost: those that depend on it fail. */
  lost(error: StoreError): void {
    const { log } = this.#options;
    this.#loss = error;
    this.losses++;
    this.#writing = undefined;
    this.#owed = 0;
    this.#due = Math.min(this.#due, log.written);
    for (let i = 0; i < this.#dependentCount; i++) {
      const batch = this.#dependents[i];
      // One that was cleared since depends on nothing.
      if (batch.position > log.written) batch.loss ??= error;
    }
    this.#dependentCount = 0;
    this.#buried.clear();
    this.syncer.lost(log.written, error);
  }

  /** Asks for the syncs that are due by time. */
  tick(): void {
    const { syncer } = this;
    const { log, fsync } = this.#options;
    // What nobody has committed: its connection is gone.
    log.writeOut();
    if (fsync !== "no") {
      // One that a seal or compaction has asked for since the last tick is not late yet.
      if (!this.#always && syncer.busy) {
        this.behind ||= this.#isOld;
        this.#isOld = true;
      }
      // What was synced is marked even when nobody writes any more: up to a whole record, as a sync has ended there.
      if (log.active !== undefined && Math.min(syncer.reached, log.dataEnd) > log.marked) {
        log.markerDue = syncer.reached;
        log.mark();
        log.writeOut();
      }
      if (log.written > syncer.synced) {
        this.#due = log.written;
        syncer.request(log.written);
      }
    }
    if (log.hints.size > 0) syncer.request(0);
  }
}

async function bothOf(synced: Promise<void>, held: Promise<void>): Promise<void> {
  await synced;
  await held;
}
