/**
 * What servers on one bucket tell one another between two listings: how many items and bytes each has
 * added, less what it took away. `FORMAT.md` has the objects that they write.
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import type { Bucket } from "./bucket.ts";
import type { Epoch } from "./epoch.ts";
import { newToken } from "./metadata.ts";

/** How often a server writes what it has changed and reads the others', in milliseconds. */
export const usualInterval = 25_000;

/** What is told by nobody for so long is deleted, in milliseconds. */
const forgottenAfter = 24 * 3_600_000;

/** How many servers are listened to. */
const mostServers = 1000;

/** Items and bytes that a server has added since it started, or since the flush of that epoch. */
interface Change {
  readonly epoch: number;
  readonly items: number;
  readonly bytes: number;
}

/** Tells this server's changes, and knows the others'. */
export class Counts {
  readonly #id = newToken();
  readonly #prefix: string;
  #own: Change = { epoch: 0, items: 0, bytes: 0 };
  /** What this server has written, and as which generation. */
  #told: Change | undefined;
  #generation = "0";
  /** What the other servers told last, by the names of their objects. */
  #others: ReadonlyMap<string, Change> = new Map();
  /** What they had told when the listing began that is in force: it has counted that. */
  #counted: ReadonlyMap<string, Change> = new Map();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  /**
   * @param prefix what the objects' names begin with.
   * @param interval milliseconds from one exchange to the next.
   */
  constructor(
    readonly bucket: Bucket,
    prefix: string,
    readonly epoch: Epoch,
    readonly clock: Clock,
    readonly interval: number,
  ) {
    this.#prefix = `${prefix}meta/counts/`;
  }

  /** What the others have changed since the listing in force began. */
  get others(): { readonly items: number; readonly bytes: number } {
    let items = 0;
    let bytes = 0;
    const epoch = this.epoch.current;
    for (const [name, change] of this.#others) {
      if (change.epoch !== epoch) continue;
      const before = this.#counted.get(name);
      const counted = before?.epoch === epoch ? before : undefined;
      items += change.items - (counted?.items ?? 0);
      bytes += change.bytes - (counted?.bytes ?? 0);
    }
    return { items, bytes };
  }

  /** Takes in a change of this server's. */
  note(items: number, bytes: number): void {
    const epoch = this.epoch.current;
    const own = this.#own.epoch === epoch ? this.#own : { items: 0, bytes: 0 };
    this.#own = { epoch, items: own.items + items, bytes: own.bytes + bytes };
  }

  /** A listing begins; the result, once it has come to its end, says that it is in force. */
  async beginListing(): Promise<() => void> {
    await this.#read().catch(() => {});
    const others = this.#others;
    return () => this.#counted = others;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      // Whatever fails, the next exchange comes by itself; the epoch tells the operator.
      this.#running = this.#exchange().catch(() => {}).finally(() => {
        if (!this.#stopped) this.start();
      });
    }, this.interval);
  }

  /** Tells what was not told yet, and ends. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#write().catch(() => {});
  }

  async #exchange(): Promise<void> {
    await this.#write();
    if (!this.#stopped) await this.#read();
  }

  async #write(): Promise<void> {
    const own = this.#own;
    const told = this.#told ?? { epoch: own.epoch, items: 0, bytes: 0 };
    const isTold = own.epoch === told.epoch && own.items === told.items &&
      own.bytes === told.bytes;
    // Where writes are refused this one tells when they are taken again.
    if (isTold && this.bucket.refusal === "") return;
    const token = newToken();
    const name = this.#prefix + this.#id;
    const outcome = await this.bucket.insert(
      name,
      new Uint8Array(0),
      {
        token,
        epoch: String(own.epoch),
        items: String(own.items),
        bytes: String(own.bytes),
        at: String(Math.floor(this.clock.now())),
      },
      undefined,
      this.#generation,
      token,
    ).send(performance.now() + this.bucket.attempt);
    if (outcome.kind === "done") {
      this.#told = own;
      this.#generation = outcome.generation;
    } else if (outcome.kind === "conflict" || outcome.kind === "damaged") {
      // An earlier try whose answer was lost: nobody else writes this object.
      const until = performance.now() + this.bucket.attempt;
      const found = await this.bucket.get(name, until, { content: false, beside: true });
      this.#generation = found?.stored.generation ?? "0";
    }
  }

  async #read(): Promise<void> {
    const others = new Map<string, Change>();
    const until = performance.now() + this.bucket.attempt;
    const { entries } = await this.bucket.list(this.#prefix, undefined, until);
    for (const { name, stored, metadata } of entries.slice(0, mostServers)) {
      if (name === this.#prefix + this.#id) continue;
      if (this.clock.now() - Number(metadata.at) > forgottenAfter) {
        await this.bucket.remove(name, stored.generation, true)(until);
        continue;
      }
      const change = { items: Number(metadata.items), bytes: Number(metadata.bytes) };
      if (!Number.isSafeInteger(change.items) || !Number.isSafeInteger(change.bytes)) continue;
      others.set(name, { epoch: stored.epoch, ...change });
    }
    this.#others = others;
  }
}
