/**
 * How many items there are, counted by listing the bucket now and then and by what this server and
 * others ({@linkcode Counts}) change in between; and the clearing of what is dead, which the listing
 * meets. What others change while a listing begins may be counted twice or not at all, until the next.
 *
 * @module
 */

import type { Say } from "../../log_level.ts";
import type { Clock } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import { isExpired } from "../contract.ts";
import { type Bucket, type Entry } from "./bucket.ts";
import type { Counts } from "./counts.ts";
import type { Counters } from "./counters.ts";
import type { Epoch } from "./epoch.ts";
import type { Stored } from "./metadata.ts";
import { keyOf } from "./name.ts";

/** The least time between two pages, in milliseconds: with the epoch's 2, idle is 5 requests a second. */
const pageInterval = 334;

/** The least time between two listings, in milliseconds, and how much longer than a listing it is. */
const restAtLeast = 15 * 60_000;
const restFactor = 10;

/** An expired object is cleared when it has been dead for so long, in milliseconds: clocks differ. */
const grace = 60_000;

/** How many dead objects are deleted concurrently. */
const clearedAtOnce = 8;

/** Counts items and clears dead ones. */
export class Census {
  #items = 0;
  #bytes = 0;
  /** The count of the listing under way, and up to which name it has come. */
  #pass: { items: number; bytes: number; cursor: string } | undefined;
  #epoch: number;
  #wake: (() => void) | undefined;
  /** Whether there was a flush since the listing under way, or the last one, began. */
  #flushed = false;
  #stopped = false;
  #running: Promise<void> | undefined;
  /** How many listings were finished. */
  passes = 0;

  /** @param prefix what the objects' names begin with. */
  constructor(
    readonly bucket: Bucket,
    readonly prefix: string,
    readonly epoch: Epoch,
    readonly counts: Counts,
    readonly clock: Clock,
    readonly counters: Counters,
    readonly log: Say,
  ) {
    this.#epoch = epoch.current;
  }

  /** Items that are there. */
  get items(): number {
    this.seeFlush();
    return Math.max(0, this.#items + this.counts.others.items);
  }

  /** Bytes of their keys and values. */
  get bytes(): number {
    this.seeFlush();
    return Math.max(0, this.#bytes + this.counts.others.bytes);
  }

  start(): void {
    this.#running = this.#run();
    this.counts.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
    await this.counts.stop();
  }

  /** Takes in a change that this server made. `name` is the object's, after the prefix. */
  change(name: string, before: Stored | undefined, after: Stored | undefined): void {
    this.seeFlush();
    const items = (after ? 1 : 0) - (before ? 1 : 0);
    const bytes = (after ? sizeOf(name, after) : 0) - (before ? sizeOf(name, before) : 0);
    this.#items += items;
    this.#bytes += bytes;
    this.counts.note(items, bytes);
    // What lies behind the listing's cursor it has seen already; what lies before it will see.
    if (this.#pass !== undefined && name <= this.#pass.cursor) {
      this.#pass.items += items;
      this.#pass.bytes += bytes;
    }
  }

  /** Sees whether there was a flush: after it nothing is left, and there is much to clear. */
  seeFlush(): void {
    if (this.epoch.current === this.#epoch) return;
    this.#epoch = this.epoch.current;
    this.#items = this.#bytes = 0;
    if (this.#pass !== undefined) this.#pass.items = this.#pass.bytes = 0;
    this.#flushed = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let failing = false;
    while (!this.#stopped) {
      const began = performance.now();
      this.#flushed = false;
      try {
        await this.#list();
        if (failing) this.log("The bucket's items can be counted again", "notice");
        failing = false;
      } catch (error) {
        if (this.#stopped) return;
        if (!failing) this.log(`Cannot list the bucket to count its items: ${messageOf(error)}`);
        failing = true;
      }
      this.#pass = undefined;
      if (this.#stopped) return;
      if (this.#flushed) continue;
      const took = performance.now() - began;
      await this.#rest(Math.max(restAtLeast, took * restFactor));
    }
  }

  async #list(): Promise<void> {
    const inForce = await this.counts.beginListing();
    const pass = this.#pass = { items: 0, bytes: 0, cursor: "" };
    let from: string | undefined;
    do {
      const sent = performance.now();
      const page = await this.bucket.list(this.prefix, from, sent + this.bucket.attempt * 3);
      if (this.#stopped) return;
      const dead: Entry[] = [];
      for (const entry of page.entries) {
        const name = entry.name.slice(this.prefix.length);
        // Changes of this server's while the page was under way are counted once: by the page.
        pass.cursor = name;
        if (keyOf(name) === undefined) continue;
        if (this.#isDead(entry.stored)) dead.push(entry);
        else if (this.#isLive(entry.stored)) {
          pass.items++;
          pass.bytes += sizeOf(name, entry.stored);
        }
      }
      await this.#clear(dead);
      from = page.next;
      if (from !== undefined) await this.#rest(pageInterval - (performance.now() - sent));
    } while (from !== undefined && !this.#stopped);
    if (this.#stopped) return;
    this.seeFlush();
    this.#items = pass.items;
    this.#bytes = pass.bytes;
    inForce();
    this.passes++;
  }

  #isLive(stored: Stored): boolean {
    return stored.epoch >= this.epoch.current && !isExpired(stored, this.clock.now());
  }

  /** Whether an object is to be cleared. */
  #isDead(stored: Stored): boolean {
    if (stored.unsure > this.clock.now()) return false;
    return stored.epoch < this.epoch.current || isExpired(stored, this.clock.now() - grace);
  }

  async #clear(dead: Entry[]): Promise<void> {
    const next = async () => {
      for (let entry = dead.pop(); entry !== undefined; entry = dead.pop()) {
        if (this.#stopped) return;
        const { generation, epoch } = entry.stored;
        const remove = this.bucket.remove(entry.name, generation, true);
        const { kind } = await remove(performance.now() + this.bucket.attempt);
        if (kind !== "done") continue;
        if (epoch < this.epoch.current) this.counters.cleared++;
        else this.counters.reclaimed++;
      }
    };
    await Promise.all(Array.from({ length: clearedAtOnce }, next));
  }

  /** Waits, but no longer than until a flush or the end. */
  async #rest(ms: number): Promise<void> {
    if (ms <= 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    this.#wake = undefined;
    clearTimeout(timer);
  }
}

function sizeOf(name: string, stored: Stored): number {
  return name.length + stored.size;
}
