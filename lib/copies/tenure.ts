/**
 * Who has a destination's head. FORMAT.md, "Who may write".
 *
 * @module
 */

import type { Files } from "../storage/disk/fs/files.ts";
import type { Destination } from "./destination.ts";
import { DestinationError } from "./destination.ts";
import { type CopyClock, PauseEnded } from "./copy_clock.ts";
import { decodeHead, encodeHead, epochsAfter, type Head, type Place, RESTORE_GAP } from "./head.ts";
import { type Identity, identityName, newClaim, readIdentity, writeIdentity } from "./identity.ts";
import { HEAD, MANIFESTS } from "./names.ts";

/** Milliseconds between two replacements of the head, at least: one object takes about one write a second. */
const LEAST_PAUSE = 2000;
/** Looks at a head that another has, in a lease. */
const LOOKS = 6;

/** Another has the destination: this directory may never write there again. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/** What a tenure needs. */
export interface TenureOptions {
  /** Where the head is, which need not be where the pieces are. */
  readonly place: Destination;
  /** Where manifests are. */
  readonly destination: Destination;
  readonly files: Files;
  readonly directory: string;
  readonly clock: CopyClock;
  /** Milliseconds. */
  readonly lease: number;
  /** Milliseconds for which moments are kept; for ever, where it is not there or infinite. */
  readonly retention?: number;
  /** Where this process runs, for a person. */
  readonly by: string;
  /**
   * Why the directory is behind a place, in words for a sentence; nothing where it has it. Asked only of a
   * directory that had the head before.
   */
  readonly behind: (place: Place) => Promise<string | undefined>;
  /** Whether the directory has nothing yet, and gets what is there: it may take the head from anybody. */
  readonly isEmpty?: boolean;
  /** Whether a head whose process lives is an error, and not waited for. */
  readonly isImpatient?: boolean;
  /** Told that another has the head, and is waited for. */
  readonly waits?: (head: Head) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a directory has in its log. */
export interface Own {
  readonly place: Place | undefined;
  readonly sequence: number;
}

/** A head as it was read. */
export interface ReadHead {
  readonly head: Head;
  readonly generation: string;
}

/**
 * Reads a head.
 *
 * @throws {DestinationError} if it is damaged, or of another format
 */
export async function readHead(place: Destination): Promise<ReadHead | undefined> {
  const found = await place.read(HEAD);
  if (found === undefined) return undefined;
  const head = decodeHead(found.bytes);
  if (head === undefined) {
    throw new DestinationError(`'${HEAD}' in ${place.url} is damaged`, false);
  }
  if (!("claim" in head)) {
    throw new DestinationError(
      `the copies in ${place.url} are of format ${head.format}, which this version does not read`,
      false,
    );
  }
  return { head, generation: found.generation };
}

/** The head, as long as it is this process's. */
export class Tenure {
  readonly #options: TenureOptions;
  #head: Head;
  #generation: string;
  /**
   * When the last replacement of the head was sent, by the monotonic clock: whoever waits for a lease may have
   * seen it long before its answer came here.
   */
  #replacedAt: number;
  #hurries = false;
  /** The time of the newest moment that was there when the head was taken, and when that was. */
  readonly #foundTime: number;
  readonly #takenAt: number;
  /** One replacement after another. */
  #settled: Promise<unknown> = Promise.resolve();

  private constructor(options: TenureOptions, head: Head, generation: string, replacedAt: number) {
    this.#options = options;
    this.#head = head;
    this.#generation = generation;
    this.#replacedAt = this.#takenAt = replacedAt;
    this.#foundTime = head.last?.time ?? options.clock.now();
  }

  /**
   * Takes the head, when nobody has it.
   *
   * @param own what the directory has in its log, which it must have from now on, and the greatest sequence
   *   number that it has given out; without it the place is the head's
   * @throws {FencedError} if this directory must not
   * @throws {DestinationError} if the destination cannot be reached
   */
  static async take(options: TenureOptions, own: Own | undefined): Promise<Tenure> {
    const { place, files, directory, clock, lease, by, waits, signal } = options;
    const retention = Number.isFinite(options.retention) ? options.retention : undefined;
    const { url } = options.destination;
    /** The generation that was seen last, and since when. */
    let seen: { readonly generation: string; readonly since: number } | undefined;
    for (;;) {
      const found = await readHead(place);
      // Read again: while this one waits, `copy --once` may have had the head for the same directory.
      let identity: Identity = readIdentity(files, directory, url);
      if (found === undefined) await assertNew(options, identity);
      else {
        if (!options.isEmpty) await assertAllowed(options, identity, found.head);
        if (!found.head.released) {
          if (seen?.generation !== found.generation) {
            if (seen !== undefined && options.isImpatient) throw busyError(url, found.head);
            seen = { generation: found.generation, since: clock.monotonic() };
            waits?.(found.head);
          }
          const patience = Math.max(lease, found.head.lease);
          const waited = clock.monotonic() - seen.since;
          if (waited < patience) {
            await clock.sleep(Math.min(patience / LOOKS, patience - waited), signal);
            continue;
          }
        }
      }
      const claim = newClaim();
      identity = { ...identity, claims: [...identity.claims, claim] };
      await writeIdentity(files, directory, url, identity);
      const head = found === undefined
        ? { ...fresh, claim, by, lease, retention, place: own?.place, sequence: own?.sequence ?? 0 }
        : succeeding(found.head, identity, { claim, by, lease, retention, own });
      const began = clock.monotonic();
      const replaced = await place.replace(HEAD, encodeHead(head), found?.generation ?? "");
      // Who was faster is looked at, and waited for or given way to.
      if (replaced === "changed") continue;
      await writeIdentity(files, directory, url, { claims: [claim], had: true });
      return new Tenure(options, head, replaced.generation, began);
    }
  }

  get head(): Head {
    return this.#head;
  }

  /** The number of the newest manifest that counts; 0 for none. */
  get lastNumber(): number {
    return this.#head.last?.number ?? 0;
  }

  /**
   * Milliseconds since 1970, as far as a clock that is ahead cannot tell more: at most the time of the newest moment
   * that was there when the head was taken, and what has passed since by the monotonic clock; nor what the clock of
   * who keeps the head says.
   */
  get sureTime(): number {
    const { clock, place } = this.#options;
    const passed = clock.monotonic() - this.#takenAt;
    return Math.min(clock.now(), this.#foundTime + passed, place.time ?? Infinity);
  }

  /** Milliseconds since the head was replaced, at least. */
  get age(): number {
    return this.#options.clock.monotonic() - this.#replacedAt;
  }

  /** The process ends: the last replacements do not wait until there is time for them. */
  hurry(): void {
    this.#hurries = true;
  }

  /** Leaves epochs out of the next heads whose manifests are all before a number: they are gone. */
  forgetBefore(number: number): void {
    const epochs = this.#head.epochs.filter(([, , last]) => last >= number);
    if (epochs.length < this.#head.epochs.length) this.#head = { ...this.#head, epochs };
  }

  /** Says that this process lives, if it is time to. @throws as {@linkcode replace} does */
  async beat(): Promise<void> {
    if (this.age >= this.#options.lease / 3) await this.replace({});
  }

  /**
   * Says so again and again until a signal comes. What goes wrong is found out by whoever replaces the head
   * next; `failed` is told of it.
   */
  async keep(signal: AbortSignal, failed: (error: unknown) => void = () => {}): Promise<void> {
    const { clock, lease } = this.#options;
    const period = lease / 3;
    let isFailed = false;
    while (!signal.aborted) {
      try {
        // From the last replacement on, whoever it was made by: none comes later than it is due.
        await clock.sleep(isFailed ? period : Math.max(1, period - this.age), signal);
      } catch {
        return;
      }
      try {
        await this.beat();
        isFailed = false;
      } catch (error) {
        isFailed = true;
        failed(error);
        // It never comes back.
        if (error instanceof FencedError) return;
      }
    }
  }

  /** Says that nobody need wait. @throws as {@linkcode replace} does */
  async release(): Promise<void> {
    await this.replace({ released: true });
  }

  /**
   * Replaces the head by one that is changed so.
   *
   * @throws {FencedError} if another has it now
   * @throws {DestinationError} if the destination cannot be reached
   */
  replace(change: Partial<Head>): Promise<void> {
    const replaced = this.#settled.then(() => this.#replace(change));
    this.#settled = replaced.catch(() => {});
    return replaced;
  }

  async #replace(change: Partial<Head>): Promise<void> {
    const { place, destination, clock, signal } = this.#options;
    const early = LEAST_PAUSE - this.age;
    if (early > 0 && !this.#hurries) {
      await clock.sleep(early, signal).catch((error) => {
        // A process that ends does not wait, and writes all the same.
        if (!(error instanceof PauseEnded)) throw error;
      });
    }
    for (;;) {
      const head = {
        ...this.#head,
        released: false,
        ...change,
        beat: this.#head.beat + 1,
      };
      const began = clock.monotonic();
      const replaced = await place.replace(HEAD, encodeHead(head), this.#generation);
      if (replaced !== "changed") {
        this.#head = head;
        this.#generation = replaced.generation;
        this.#replacedAt = began;
        return;
      }
      const found = await readHead(place);
      if (found?.head.claim !== head.claim) throw fencedBy(destination.url, found?.head);
      // A replacement of this process whose answer never came.
      this.#head = { ...head, beat: found.head.beat };
      this.#generation = found.generation;
    }
  }
}

const fresh = { epoch: 1, released: false, beat: 1, first: 1, epochs: [] } as const;

/** The head that follows another, in an epoch of its own. */
function succeeding(
  head: Head,
  { restored }: Identity,
  mine: {
    readonly claim: string;
    readonly by: string;
    readonly lease: number;
    readonly retention: number | undefined;
    readonly own: Own | undefined;
  },
): Head {
  const { claim, by, lease, retention, own } = mine;
  return {
    epoch: head.epoch + 1,
    ...{ claim, by, lease, retention },
    released: false,
    beat: head.beat + 1,
    ...head.last && { last: head.last },
    place: own === undefined ? head.place : own.place,
    // What is restored into an empty directory goes on beyond all that the one before may have given out.
    sequence: own === undefined
      ? head.sequence + RESTORE_GAP
      : Math.max(head.sequence, own.sequence),
    base: restored?.base ?? ((head.last?.number ?? 0) < head.first ? head.base : undefined),
    first: (head.last?.number ?? 0) + 1,
    epochs: epochsAfter(head),
  };
}

/**
 * @throws {FencedError} if there are manifests without a head
 * @throws {DestinationError} if the directory has copies there: perhaps the disk is not mounted
 */
async function assertNew(
  { destination, directory }: TenureOptions,
  identity: Identity,
): Promise<void> {
  if (identity.had === true) {
    throw new DestinationError(
      `${destination.url} has nothing, and had copies of this directory; if they were removed on purpose, ` +
        `remove '${directory}/${identityName(destination.url)}' too`,
      true,
    );
  }
  for await (const { name } of destination.list(MANIFESTS)) {
    throw new FencedError(
      `${destination.url} has '${name}' and no '${HEAD}': another prefix takes copies, or --copy-head ` +
        "names where its head is",
    );
  }
}

/** @throws {FencedError} unless the directory may take the head from whoever has it */
async function assertAllowed(
  options: TenureOptions,
  { claims, restored }: Identity,
  head: Head,
): Promise<void> {
  const { destination, directory, behind } = options;
  const { url } = destination;
  if (claims.includes(head.claim)) {
    const why = head.place && await behind(head.place);
    if (why === undefined) return;
    throw new FencedError(
      `'${directory}' has not all that was copied to ${url} (${why}), as after a --repair or on a disk that ` +
        `was set back: restore the copies into an empty directory (kvs-server restore --from ${url} ` +
        "--data-dir NEW) and serve that, or copy this one to another prefix (--copy-to)",
    );
  }
  if (restored?.claim === head.claim && restored.number === (head.last?.number ?? 0)) return;
  throw fencedBy(url, head);
}

function busyError(url: string, { by }: Head): DestinationError {
  return new DestinationError(`${url} is written by ${by}, which lives`, true);
}

function fencedBy(url: string, head: Head | undefined): FencedError {
  const who = head === undefined ? "the head is gone" : `${head.by} has it, in epoch ${head.epoch}`;
  return new FencedError(
    `${url} takes no copies of this directory: ${who}; restore it into an empty directory, or copy to ` +
      "another prefix",
  );
}
