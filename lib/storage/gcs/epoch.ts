/**
 * The flush epoch: the number that tells what was stored before the last flush, kept in one object
 * that all servers watch. `FORMAT.md` has its content and the rules that make a flush hold everywhere.
 *
 * @module
 */

import type { Say } from "../../log_level.ts";
import { bytesOf } from "../../bytes.ts";
import type { Clock } from "../../clock.ts";
import { messageOf, StoreError } from "../../errors.ts";
import { Refused } from "./answers.ts";
import type { Bucket, Insert } from "./bucket.ts";
import { backoff } from "./requests.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import { newToken } from "./metadata.ts";

/** How often the object is read, in milliseconds. */
const interval = 500;

/** How old the last reading may be when a command begins, in milliseconds. */
const greatestAge = 1000;

/** After how long every server knows of a flush, in milliseconds; a little more than the age. */
const settled = greatestAge + 100;

/** For how long it is relied on that the bucket is there, where the object is not, in milliseconds. */
const verifiedFor = 60_000;

/** How many readings may be in flight while the service is slow. */
const greatestReadings = 4;

/** How many commands may wait for a reading. */
const greatestWaiting = 65_536;

/** What the object says. */
interface Content {
  readonly epoch: number;
  readonly next?: { readonly epoch: number; readonly at: number };
}

interface Waiter {
  /** The reading must have been sent then or later. */
  readonly since: number;
  readonly deadline: Deadline;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Flush {
  readonly at: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Watches the epoch and moves it on. */
export class Epoch {
  #content: Content = { epoch: 0 };
  #generation = "0";
  /** When the last reading that was answered was sent. */
  #readAt = -Infinity;
  #lastSent = -Infinity;
  #readings = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #waiters = new Set<Waiter>();
  /** Why the last reading came to nothing. */
  #trouble: unknown;
  #flushes: Flush[] = [];
  #flushing = false;
  /** Groups of flushes that are being written, or that not every server need know yet. */
  #settling = 0;
  #settled: (() => void) | undefined;
  /** Whether the last reading failed, which the log has been told. */
  #isAway = false;
  #stopped = false;
  #restoring = false;
  /** When it was last made sure that the bucket of a missing object is there. */
  #verifiedAt = -Infinity;

  /** @param onReading called after each reading that was answered. */
  constructor(
    readonly bucket: Bucket,
    readonly object: string,
    readonly clock: Clock,
    readonly deadlines: Deadlines,
    readonly log: Say,
    readonly onReading: () => void,
  ) {}

  /** Whether the bucket cannot be used at the moment. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** Why the last reading came to nothing. */
  get trouble(): string {
    return messageOf(this.#trouble);
  }

  /** The epoch in force. */
  get current(): number {
    const { epoch, next } = this.#content;
    return next !== undefined && next.at <= this.clock.now() ? next.epoch : epoch;
  }

  /**
   * Reads the epoch for the first time and begins to watch it.
   *
   * @throws {StoreError} where the bucket cannot be used.
   */
  async start(until: number): Promise<void> {
    await this.#read(until);
    this.#timer = setInterval(() => this.#tick(), interval);
  }

  /** Ends, once every flush has failed or is known to all servers. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    if (this.#settling > 0) await new Promise<void>((resolve) => this.#settled = resolve);
  }

  /**
   * Makes sure that every flush is known that was answered before now: immediately where the last reading
   * is young enough, or by the next one.
   *
   * @param until when it is too late, as `performance.now()` tells time.
   * @throws {StoreError} when it is too late, or too many wait.
   */
  ready(until: number): Promise<void> | undefined {
    const now = performance.now();
    const since = now - greatestAge;
    if (this.#readAt >= since) return undefined;
    if (this.#waiters.size >= greatestWaiting) {
      throw new StoreError("Too many requests are waiting for the bucket");
    }
    if (this.#lastSent < now - interval / 5) this.#tick();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const deadline = this.deadlines.set(until, () => {
      this.#waiters.delete(waiter);
      reject(this.#trouble ?? this.bucket.late("the flush epoch could not be read"));
    });
    const waiter: Waiter = { since, deadline, resolve, reject };
    this.#waiters.add(waiter);
    return promise;
  }

  /**
   * Moves the epoch on, now or at a moment to come (milliseconds since 1970). Flushes that come while
   * the object is being written go out together, in their order.
   *
   * @param until when it is too late, as `performance.now()` tells time.
   * @throws {StoreError} where the object cannot be written.
   */
  flush(at: number, until: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#flushes.push({ at, resolve, reject });
      if (!this.#flushing) void this.#flushAll(until);
    });
  }

  async #flushAll(until: number): Promise<void> {
    this.#flushing = true;
    while (this.#flushes.length > 0) {
      const flushes = this.#flushes.splice(0);
      // From here on: the object may be written long before its answer comes.
      this.#settling++;
      try {
        const replaced = await this.#advance(flushes.map(({ at }) => at), until);
        // A moment farther away than that all servers will have seen before it comes.
        const soonest = flushes.reduce((soonest, { at }) => Math.min(soonest, at), replaced);
        const wait = soonest - this.clock.now() > settled ? 0 : settled;
        this.deadlines.set(performance.now() + wait, () => {
          flushes.forEach(({ resolve }) => resolve());
          this.#settle();
        });
      } catch (error) {
        flushes.forEach(({ reject }) => reject(error));
        this.#settle();
      }
      until = performance.now() + this.bucket.attempt * 3;
    }
    this.#flushing = false;
  }

  #settle(): void {
    if (--this.#settling === 0) this.#settled?.();
  }

  /** Writes the object; returns the moment of the pending flush that was replaced. */
  async #advance(moments: readonly number[], until: number): Promise<number> {
    let base = this.#content;
    let generation = this.#generation;
    for (let tries = 0;; tries++) {
      let content = base;
      for (const at of moments) content = after(content, at, this.clock.now());
      const outcome = await this.#insert(content, generation).send(until);
      if (outcome.kind === "done") {
        this.#learn(content, outcome.generation);
        return base.next?.at ?? Infinity;
      }
      if (outcome.kind === "conflict") {
        // An earlier try of ours may have made it so; one flush more does no harm.
        ({ content: base, generation } = await this.#fetch(until));
        if (latest(base) < latest(this.#content)) base = this.#content;
        continue;
      }
      if (outcome.kind === "damaged") {
        generation = outcome.generation;
        continue;
      }
      const least = outcome.kind === "limited" ? greatestAge + backoff(tries) : backoff(tries);
      const pause = Math.max(least, outcome.pause);
      if (performance.now() + pause > until) throw this.bucket.late(outcome.trouble);
      await this.deadlines.pause(pause);
    }
  }

  #tick(): void {
    if (this.#readings >= greatestReadings) return;
    this.#read(performance.now() + this.bucket.attempt).catch((error) => {
      this.#trouble = error;
      // Causes may alternate; the state is one.
      if (!this.#isAway && !this.#stopped) {
        this.log(`${messageOf(error)}; requests fail until that changes`);
        this.#isAway = true;
      }
      // What only took too long goes on until the waiters' own time is up.
      if (!(error instanceof Refused)) return;
      for (const { reject } of this.#released(Infinity)) reject(error);
    });
  }

  async #read(until: number): Promise<void> {
    const sent = performance.now();
    this.#lastSent = sent;
    this.#readings++;
    try {
      const { content, generation } = await this.#fetch(until);
      if (sent < this.#readAt) return;
      this.#readAt = sent;
      this.#trouble = undefined;
      if (this.#isAway) this.log(`The bucket '${this.bucket.name}' can be used again`, "notice");
      this.#isAway = false;
      if (!this.#learn(content, generation)) void this.#restore(generation);
    } finally {
      this.#readings--;
    }
    this.onReading();
    for (const { resolve } of this.#released(this.#readAt)) resolve();
  }

  /** Those for whom a reading is young enough that was sent at a time; they wait no longer. */
  *#released(readAt: number): Iterable<Waiter> {
    for (const waiter of this.#waiters) {
      if (waiter.since > readAt) continue;
      this.#waiters.delete(waiter);
      this.deadlines.clear(waiter.deadline);
      yield waiter;
    }
  }

  async #fetch(until: number): Promise<{ content: Content; generation: string }> {
    const found = await this.bucket.get(this.object, until, { beside: true });
    if (found === undefined) {
      const now = performance.now();
      if (now - this.#verifiedAt > verifiedFor) {
        await this.bucket.verify(until);
        this.#verifiedAt = now;
      }
      return { content: { epoch: 0 }, generation: "0" };
    }
    return { content: contentOf(found.value!), generation: found.stored.generation };
  }

  /** Takes in what the object says, unless that is older than what is known: then it is false. */
  #learn(content: Content, generation: string): boolean {
    if (latest(content) < latest(this.#content)) return false;
    this.#content = content;
    this.#generation = generation;
    return true;
  }

  /** Writes the object anew that somebody has deleted, or put an older one in the place of. */
  async #restore(replaces: string): Promise<void> {
    // A flush writes it too, and a reading that was on its way meanwhile shows what was before.
    if (this.#restoring || this.#settling > 0 || this.#stopped) return;
    this.#restoring = true;
    try {
      const outcome = await this.#insert(this.#content, replaces)
        .send(performance.now() + this.bucket.attempt);
      if (outcome.kind === "done") {
        this.log(`The flush epoch in '${this.object}' was gone or older: it is written again`);
      }
    } catch {
      // The next reading tries again; what is wrong with the bucket it tells.
    } finally {
      this.#restoring = false;
    }
  }

  #insert(content: Content, replaces: string): Insert {
    const bytes = bytesOf(JSON.stringify(content));
    const token = newToken();
    return this.bucket.insert(this.object, bytes, { token }, undefined, replaces, token);
  }
}

/** The state after a flush at `at`. Each flush takes a number that none has had. */
function after(content: Content, at: number, now: number): Content {
  const epoch = content.next !== undefined && content.next.at <= now
    ? content.next.epoch
    : content.epoch;
  const next = latest(content) + 1;
  return at <= now ? { epoch: next } : { epoch, next: { epoch: next, at } };
}

function latest(content: Content): number {
  return content.next?.epoch ?? content.epoch;
}

function contentOf(bytes: Uint8Array): Content {
  try {
    const { epoch, next } = JSON.parse(new TextDecoder().decode(bytes));
    if (Number.isSafeInteger(epoch) && (next === undefined || Number.isSafeInteger(next.epoch))) {
      return next === undefined
        ? { epoch }
        : { epoch, next: { epoch: next.epoch, at: Number(next.at) } };
    }
  } catch (error) {
    throw new Refused(`The flush epoch cannot be read: ${messageOf(error)}`);
  }
  throw new Refused("The flush epoch cannot be read: it has no number");
}
