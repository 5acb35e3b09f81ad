/**
 * The way to one Redis: what comes in the same turn goes out in one write, what is not answered in
 * time is given up, and after a lost connection the next is made sure of before it is used.
 *
 * @module
 */

import type { Say } from "../../log_level.ts";
import { Buffer } from "node:buffer";
import type { ConnectionOptions } from "node:tls";
import { ByteBuffer } from "../../bytes.ts";
import type { CauseOf, Exchanged } from "../exchanges.ts";
import { StoreError } from "../../errors.ts";
import { type Batch, newBatch } from "./batch.ts";
import { Connection } from "./connection.ts";
import { nameOf } from "./address.ts";
import type { Counters } from "./counters.ts";
import type { Place } from "./dialer.ts";
import { failureOf, isReplyError, kindOf, Refusal } from "./failure.ts";
import { type Access, authentication, type Identity, readInfo, shakeHands } from "./handshake.ts";
import {
  type Argument,
  Call,
  Confirmation,
  Question,
  type Reply,
  type Request,
} from "./request.ts";

/** A Redis is late when a request has had no answer for so many milliseconds. */
const LATE = 400;
/** How long Redis may wait for its replicas: one part in so many of the time for a request. */
const CONFIRMED_WITHIN = 4;
/** Bytes of requests without an answer at most, for each link; beyond, requests fail immediately. */
export const MOST_UNANSWERED = 64 << 20;
/** How often a Redis that loads its data is asked whether it has, in milliseconds. */
const LOADING_INTERVAL = 100;
/**
 * A batch with so many keys or bytes is sent before the turn ends: Redis has something to do while the rest of
 * the turn goes on. It takes in 16 KiB at a time.
 */
const BATCH_KEYS = 192;
const BATCH_BYTES = 16 << 10;
/** A batch up to so many bytes is copied out, so that the memory it was written in can be used again. */
const BATCH_COPIED = 64 << 10;

/** What all links of a store have in common. */
export interface LinkSettings {
  /** Milliseconds within which Redis answers or the request fails. */
  readonly timeout: number;
  readonly tls: ConnectionOptions | undefined;
  readonly access: Access;
  readonly counters: Counters;
  readonly log: Say;
  /** Told of each write to Redis that has all its answers, or will have none. */
  readonly onExchanged: ((exchanged: Exchanged) => void) | undefined;
  readonly causeOf: CauseOf | undefined;
  /** Takes on a request that was answered with an error, or says that it fails. */
  readonly redirect: (request: Request, error: Error, link: Link) => boolean;
  /** The connection is lost: the next may lead to another Redis. */
  readonly lost: () => void;
  /** The link has become ready, is down, or Redis is late. */
  readonly changed: (link: Link) => void;
}

export type LinkState =
  /** An attempt is under way and none has failed since: requests wait for it. */
  | "connecting"
  | "ready"
  /** The last attempt failed: requests fail immediately, until one succeeds. */
  | "down"
  | "closed";

/** One Redis, over one connection after another. */
export class Link {
  state: LinkState = "connecting";
  /** Whether Redis has something to answer for longer than it should. */
  isLate = false;
  /** Why the link is down. */
  cause = "";
  /** What Redis said of itself when it was last asked: `INFO`. */
  info: ReadonlyMap<string, string> = new Map();
  readonly address: string;
  readonly #connection: Connection;
  #out = new ByteBuffer(BATCH_COPIED);
  #open: Batch | undefined;
  /** Batches without all their replies, in the order in which they were or will be sent. */
  #pending: Batch[] = [];
  #unanswered = 0;
  /** Counts connections, so that what belongs to an older one is known. */
  #session = 0;
  #identity: Identity | undefined;
  /** A lost connection on which something was unanswered. */
  #fence: Identity | undefined;
  /** Whether Redis has told something of itself, and may be asked again. */
  #tells = false;
  readonly #flush = () => this.#send();

  readonly #place: Place;
  readonly #settings: LinkSettings;

  constructor(place: Place, settings: LinkSettings) {
    this.#place = place;
    this.#settings = settings;

    const { path, sentinels } = place;
    this.address = path ??
      (sentinels === undefined ? nameOf(place) : `Sentinel's master '${sentinels.name}'`);
    const { timeout, tls } = settings;
    this.#connection = new Connection(place, timeout, tls, {
      opened: () => void this.#greet(),
      lost: () => this.#lose(),
    });
  }

  get host(): string {
    return this.#place.host;
  }

  /**
   * Which process has answered last; where Redis does not tell that, by which connection. Empty before it is
   * ready.
   */
  get process(): string {
    if (this.#identity === undefined) return "";
    return this.#identity.run || String(this.#session);
  }

  get port(): number {
    return this.#place.port;
  }

  /** Sends a request with all others of this turn, or fails it. */
  enqueue(request: Request): void {
    // Its caller has been told that it failed: it must not be carried out after that.
    if (request.settled) return;
    request.link = this;
    if (this.state === "down" || this.state === "closed") return request.fail(this.#away());
    if (this.#unanswered > MOST_UNANSWERED) {
      this.#settings.counters.refused++;
      return request.fail(
        new StoreError(
          `Redis at ${this.address} is too slow: ${
            this.#unanswered >> 20
          } MiB of requests wait for it`,
        ),
      );
    }
    let batch = this.#open;
    if (batch === undefined) {
      batch = this.#open = newBatch();
      queueMicrotask(this.#flush);
    }
    request.batch = batch;
    batch.requests.push(request);
    const cause = this.#settings.causeOf?.();
    if (cause !== undefined) (batch.causes ??= new Set()).add(cause);
    if (request.causes !== undefined) {
      for (const one of request.causes) (batch.causes ??= new Set()).add(one);
    }
    if (request.deadline < batch.deadline) batch.deadline = request.deadline;
    request.encode(this.#out);
    batch.keys += request.count;
    if (batch.keys >= BATCH_KEYS || this.#out.length >= BATCH_BYTES) this.#send();
  }

  /** One command with its reply, along with the others of this turn. */
  call(words: readonly Argument[], deadline: number): Promise<Reply> {
    const call = new Call(words, deadline);
    this.enqueue(call);
    return call.reply;
  }

  /** Gives up what is overdue, and a connection that does not answer. */
  tick(now: number): void {
    for (const batch of this.#pending.slice()) {
      if (batch.deadline > now) continue;
      if (batch.payload === undefined) this.#giveUp(batch, now);
      else this.#drop(batch, this.#late("; nothing was sent"));
    }
    const eldest = this.#pending[0];
    const sent = eldest !== undefined && eldest.payload === undefined;
    const silence = sent && this.state === "ready" ? now - eldest.sentAt : 0;
    const wasLate = this.isLate;
    this.isLate = silence > LATE + (eldest?.confirmation === undefined ? 0 : this.#patience);
    if (this.isLate && !wasLate) this.#settings.changed(this);
    this.#place.sentinels?.watch(now, ({ host, port }) => {
      if (!this.#connection.leadsTo(host, port)) this.cut("Sentinel names another master");
    });
    if (silence > 2 * this.#settings.timeout) {
      this.cut("it did not answer any more");
    } else if (
      this.#connection.isOpen && this.state !== "ready" &&
      now - this.#connection.attemptAt > this.#settings.timeout
    ) {
      this.cut("it accepts connections but does not answer");
    }
  }

  /** How long Redis may wait for its replicas, in milliseconds. */
  get #patience(): number {
    return Math.ceil(this.#settings.timeout / CONFIRMED_WITHIN);
  }

  /** Logs in again on the connection that there is, as a password that is renewed wants it. */
  async renewLogin(): Promise<void> {
    const { login } = this.#settings.access;
    if (login === undefined || this.state !== "ready") return;
    const session = this.#session;
    try {
      const words = authentication(await login());
      if (session !== this.#session) return;
      await this.call(words, performance.now() + this.#settings.timeout);
    } catch (error) {
      if (session === this.#session) this.cut((error as Error).message);
    }
  }

  /** Ends the connection and makes another. */
  cut(why: string): void {
    if (this.state === "closed") return;
    this.#connection.restart(new Error(why));
  }

  /**
   * Ends the connection, whatever Redis does.
   *
   * @param handOver takes the reads and swaps that were not sent; without it they fail
   */
  async close(handOver?: (request: Request) => void): Promise<void> {
    if (this.state === "closed") return;
    this.#send();
    this.state = "closed";
    for (const batch of this.#pending.slice()) {
      if (batch.payload === undefined) continue;
      if (handOver !== undefined) {
        for (const request of batch.requests.splice(0)) {
          if (request.isBound) request.fail(this.#away());
          else handOver(request);
        }
      }
      this.#drop(batch, this.#away());
    }
    await this.#connection.close();
  }

  /** Bytes of requests that Redis has not answered. */
  get waiting(): number {
    return this.#unanswered;
  }

  /** Requests that were sent and have no answer. */
  get inFlight(): number {
    return this.#pending.reduce(
      (sum, { payload, left }) => payload === undefined ? sum + left : sum,
      0,
    );
  }

  /** For requests: the reply is there. */
  received(request: Request): void {
    // What was given up is counted by then.
    if (!request.settled) this.#settings.counters.results.add("ok");
    this.leave(request.batch!);
  }

  /** For requests: one has left its batch, answered or lost with the connection. */
  leave(batch: Batch): void {
    const { onExchanged } = this.#settings;
    if (--batch.left > 0) return;
    if (onExchanged !== undefined) {
      onExchanged({
        operation: "pipeline",
        result: batch.result,
        began: batch.sentAt,
        milliseconds: performance.now() - batch.sentAt,
        requests: batch.requests.length,
        causes: batch.causes,
      });
    }
    this.#unanswered -= batch.size;
    const pending = this.#pending;
    while (pending.length > 0 && pending[0].left === 0) pending.shift();
  }

  /** For requests: Redis answered with an error, or the connection is lost. */
  refused(request: Request, error: Error): void {
    const batch = request.batch!;
    try {
      this.#answerRefused(request, batch, error);
    } finally {
      this.leave(batch);
    }
  }

  /** Sends it again where that helps, or fails it. */
  #answerRefused(request: Request, batch: Batch, error: Error): void {
    const { counters, redirect } = this.#settings;
    if (!isReplyError(error)) {
      batch.result = "connection";
      this.#fence ??= this.#identity;
      if (request.settled) return;
      counters.lost++;
      counters.results.add("connection");
      return request.fail(
        new StoreError(
          `Lost the connection to Redis at ${this.address} before it answered ` +
            `(${this.#connection.lossCause})${outcomeOf(request)}`,
        ),
      );
    }
    if (request.settled) return;
    const kind = kindOf(error);
    const again = request.again(kind);
    if (again.length > 0) {
      // Others answer for it from here on.
      request.settled = !again.includes(request);
      for (const one of again) this.enqueue(one);
      return;
    }
    if (redirect(request, error, this)) return;
    batch.result = "error";
    counters.results.add("error");
    counters.errors.set(kind, (counters.errors.get(kind) ?? 0) + 1);
    request.fail(failureOf(error, this.address));
  }

  #send(): void {
    const batch = this.#open;
    if (batch === undefined) return;
    this.#open = undefined;
    const { replicas } = this.#settings.access;
    if (replicas > 0 && batch.requests.some((request) => request.changes)) {
      const confirmation = new Confirmation(replicas, this.#patience, Infinity);
      confirmation.link = this;
      confirmation.batch = batch;
      batch.confirmation = confirmation;
      batch.requests.push(confirmation);
      confirmation.encode(this.#out);
    }
    batch.size = this.#out.length;
    batch.left = batch.requests.length;
    this.#unanswered += batch.size;
    if (batch.size <= BATCH_COPIED) {
      batch.payload = Buffer.from(this.#out.view());
      this.#out.clear(BATCH_COPIED);
    } else {
      batch.payload = this.#out.view();
      this.#out = new ByteBuffer(BATCH_COPIED);
    }
    this.#pending.push(batch);
    if (this.state === "ready") this.#transmit(batch);
    else if (this.state !== "connecting") this.#drop(batch, this.#away());
  }

  #transmit(batch: Batch): void {
    if (!this.#connection.isWritable) return this.#drop(batch, this.#away());
    const payload = batch.payload!;
    batch.payload = undefined;
    batch.sentAt = performance.now();
    this.#settings.counters.batches++;
    this.#settings.counters.requests += batch.requests.length;
    this.#connection.write(batch.requests, payload);
  }

  /** A command of the handshake, ahead of all that waits. */
  #ask(...words: Argument[]): Promise<Reply> {
    const question = new Question(words, performance.now() + this.#settings.timeout);
    const batch = newBatch();
    const out = new ByteBuffer(256);
    question.link = this;
    question.batch = batch;
    question.encode(out);
    batch.requests.push(question);
    batch.left = 1;
    batch.deadline = question.deadline;
    batch.payload = out.view();
    this.#pending.unshift(batch);
    this.#transmit(batch);
    return question.reply;
  }

  /** Makes sure of a new connection before the first request. */
  async #greet(): Promise<void> {
    const session = ++this.#session;
    this.#identity = undefined;
    const isOver = () =>
      session !== this.#session || !this.#connection.isWritable || this.state === "closed";
    for (;;) {
      try {
        const ask = (...words: Argument[]) => this.#ask(...words);
        const met = await shakeHands(ask, this.#settings.access, this.#fence);
        if (isOver()) return;
        this.#fence = undefined;
        this.#identity = met.identity;
        this.#tells = met.info !== undefined;
        this.info = met.info ?? new Map();
        return this.#admit();
      } catch (error) {
        if (isOver()) return;
        if (!(error instanceof Refusal) || error.kind !== "loading") {
          return this.#connection.restart(error as Error);
        }
        this.#failed(error.message);
        this.#connection.attemptAt = performance.now();
        await new Promise((resolve) => setTimeout(resolve, LOADING_INTERVAL));
        if (isOver()) return;
      }
    }
  }

  #admit(): void {
    const { counters, log, changed } = this.#settings;
    if (this.state === "down") log(`Redis at ${this.address} can be used again`, "notice");
    if (this.#session > 1) counters.reconnects++;
    this.state = "ready";
    this.cause = "";
    for (const batch of this.#pending.slice()) {
      if (batch.payload !== undefined) this.#transmit(batch);
    }
    changed(this);
  }

  /** Asks Redis about itself; what it does not tell is not known. */
  async inquire(): Promise<void> {
    if (this.state !== "ready" || !this.#tells) return;
    this.info = readInfo(await this.call(["INFO"], performance.now() + this.#settings.timeout));
  }

  #lose(): void {
    if (this.state === "closed") return;
    this.#session++;
    if (this.state === "ready") {
      this.#settings.lost();
      this.state = "connecting";
      this.#settings.changed(this);
      return;
    }
    // Where that is no master any more, another Sentinel may know.
    this.#place.sentinels?.doubt();
    this.#failed(this.#connection.lossCause);
  }

  /** An attempt has failed: nobody waits for the next. */
  #failed(cause: string): void {
    if (this.state === "closed") return;
    // Causes may follow one another, or alternate; the state is one.
    if (this.state !== "down") {
      this.#settings.log(
        `Cannot use Redis at ${this.address}: ${cause}; requests fail until that changes`,
      );
    }
    this.cause = cause;
    this.state = "down";
    for (const batch of this.#pending.slice()) {
      if (batch.payload !== undefined) this.#drop(batch, this.#away());
    }
    this.#settings.changed(this);
  }

  /** Fails the overdue requests of a batch that was sent. */
  #giveUp(batch: Batch, now: number): void {
    let next = Infinity;
    for (const request of batch.requests) {
      if (request.settled) continue;
      if (request.deadline > now) {
        next = Math.min(next, request.deadline);
        continue;
      }
      this.#settings.counters.timeouts++;
      this.#settings.counters.results.add("timeout");
      batch.result = "timeout";
      request.fail(this.#late(outcomeOf(request)));
    }
    batch.deadline = next;
  }

  /** Fails a batch that was not sent. */
  #drop(batch: Batch, error: StoreError): void {
    this.#pending.splice(this.#pending.indexOf(batch), 1);
    this.#unanswered -= batch.size;
    for (const request of batch.requests) request.fail(error);
  }

  #late(outcome: string): StoreError {
    return new StoreError(
      `Redis at ${this.address} did not answer within ${this.#settings.timeout} ms${outcome}`,
    );
  }

  #away(): StoreError {
    return new StoreError(
      this.state === "closed"
        ? "The Redis store is closed"
        : `Cannot use Redis at ${this.address}: ${this.cause || "the connection was lost"}`,
    );
  }
}

/** What is said of a request whose bytes may have arrived, after what went wrong. */
function outcomeOf(request: Request): string {
  return request.changes ? "; a change may or may not have been made" : "";
}
