/**
 * Items in Redis: one, or a Redis Cluster. Any number of servers may share it; none of them keeps
 * anything. `FORMAT.md` says what is stored and what is promised.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { StoreError } from "../../errors.ts";
import {
  Batch,
  type Expected,
  isExpired,
  type Item,
  type Listed,
  type NewItem,
  type Store,
  type StoreInfo,
  type Swapped,
  type Waiter,
} from "../contract.ts";
import { type ChangeScope, Put, Puts, Swap } from "./change.ts";
import { Cluster } from "./cluster.ts";
import { exptimeOf, listedOf, revisionHigh, revisionLow, revisionOf } from "./item.ts";
import { Gathering } from "./gathering.ts";
import { LastReads } from "./last_reads.ts";
import { Health } from "./health.ts";
import { Ledger } from "./ledger.ts";
import { Counters } from "./counters.ts";
import { type Link, MOST_UNANSWERED } from "./link.ts";
import { type Nodes, SingleNode } from "./nodes.ts";
import { type RedisStoreOptions, targetOf } from "./options.ts";
import { Read, Reads, type ReadScope } from "./read.ts";
import { Seen } from "./seen.ts";
import { Sweep, type Sweepable } from "./sweep.ts";
import { walk } from "./walk.ts";

export type { RedisStoreOptions, Tokens } from "./options.ts";

const TIMEOUT = 2000;
/** How often deadlines are looked after, in milliseconds; requests are given up so much earlier. */
const TICK = 50;
/** How often Redis is asked about itself, in milliseconds. */
const INQUIRY = 2000;

/**
 * Opens the store. It is there also while Redis is not: requests fail until it is, and the log says
 * so once.
 *
 * @throws {ExitError} where the options cannot be meant
 */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const store = new RedisStore(options);
  await store.open();
  return store;
}

class RedisStore implements Store, ReadScope, ChangeScope, Sweepable {
  readonly prefix: Uint8Array;
  readonly lastReads = new LastReads();
  readonly readGathering = new Gathering();
  readonly putGathering = new Gathering();
  readonly timeout: number;
  readonly #db: number;
  readonly #counters = new Counters();
  readonly #nodes: Nodes;
  readonly #ledger: Ledger;
  readonly #health: Health;
  readonly #sweep: Sweep;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #flushedReads = 0;
  /** Requests that wait until the ledger is known, and their bytes. */
  readonly #unknown = new Set<{ readonly deadline: number; fail(error: unknown): void }>();
  #waiting = 0;
  #closed = false;
  /** The time by `performance.now()` when this turn's first request came; 0 before that. */
  #turnBegan = 0;
  /** Whether what the ledger says was fresh in this turn. */
  #wasFresh = false;
  /** What came in this turn and is not sent yet. Keys of a cluster are in many places: there is none of it. */
  #reads: Reads | undefined;
  #puts: Puts | undefined;
  readonly #endTurn = () => {
    this.#turnBegan = 0;
    this.#wasFresh = false;
    if (this.#puts !== undefined) this.#sendPuts(this.#puts);
    if (this.#reads !== undefined) this.#sendReads(this.#reads);
  };

  readonly #options: RedisStoreOptions;

  constructor(options: RedisStoreOptions) {
    this.#options = options;

    const { places, tls, access, reach } = targetOf(options);
    this.prefix = bytesOf(options.prefix);
    this.timeout = options.timeout ?? TIMEOUT;
    const { log } = options;
    const counters = this.#counters;
    const timeout = this.timeout;
    const { onExchanged, causeOf } = options;
    const lost = () => this.#ledger.doubt();
    const settings = { timeout, tls, access, counters, log, onExchanged, causeOf, lost };
    this.#db = access.db;
    this.#nodes = options.cluster
      ? new Cluster(places, this.prefix, settings, reach)
      : new SingleNode(places[0], settings);
    options.tokens?.onRenewal(() => this.#nodes.renewLogins());
    this.#ledger = new Ledger(this.#nodes, this.prefix, options.clock, this.timeout);
    this.#health = new Health(this.#nodes, this.#ledger, log);
    this.#sweep = new Sweep(this, this.#ledger);
  }

  async open(): Promise<void> {
    this.#timers.push(
      setInterval(() => this.#tick(performance.now()), TICK),
      setInterval(() => this.#inquire(), INQUIRY),
    );
    // Whether or not: the links have said why, and go on trying.
    await this.#ledger.refresh().catch(() => {});
    this.#ledger.start();
    this.#sweep.start();
  }

  read(key: Uint8Array, batch: Batch, peek = false): Promise<Item | undefined> {
    return new Promise((settle, fail) =>
      void this.readLater(key, 0, key.length, batch, peek, { settle, fail })
    );
  }

  readLater(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    waiter: Waiter<Item | undefined>,
  ): undefined {
    const deadline = this.#now() + this.timeout - TICK;
    const seconds = peek ? -1 : batch.seconds;
    if (!this.#isKnown() || this.#options.cluster) {
      const key = bytes.subarray(start, end);
      return this.#readAlone(new Read(key, deadline, this, seconds, waiter), waiter);
    }
    const reads = this.#reads ??= new Reads(deadline, this);
    reads.note(this.#options.causeOf?.());
    if (!reads.add(bytes, start, end, seconds, waiter)) this.#sendReads(reads);
  }

  #readAlone(read: Read, waiter: Waiter<Item | undefined>): undefined {
    if (this.#isKnown()) this.#nodes.send(read);
    else this.#whenKnown(read.key.length, read.deadline, () => this.#nodes.send(read), waiter);
  }

  #sendPuts(puts: Puts): void {
    this.#puts = undefined;
    this.#nodes.send(puts.request);
  }

  #sendReads(reads: Reads): void {
    this.#reads = undefined;
    this.#nodes.send(reads.request);
  }

  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
  ): Promise<Swapped> {
    return new Promise((settle, fail) =>
      this.swapLater(key, expected, next, batch, { settle, fail })
    );
  }

  swapLater(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    _batch: Batch,
    waiter: Waiter<Swapped>,
  ): void {
    const deadline = this.#now() + this.timeout - TICK;
    if (this.#isKnown()) return this.#change(key, deadline, expected, next, waiter);
    const later = () => this.#change(key, deadline, expected, next, waiter);
    this.#whenKnown(key.length + (next?.value.length ?? 0), deadline, later, waiter);
  }

  /** Nothing to do: what Redis has answered it has. */
  commit(_batch: Batch): void {}

  async flush(at: number, _batch: Batch): Promise<void> {
    this.#refuseIfClosed();
    await this.#ledger.flush(at);
  }

  async *scan(): AsyncGenerator<readonly Listed[]> {
    this.#refuseIfClosed();
    await this.#ledger.refresh();
    const seen = new Seen();
    for (const link of this.#nodes.masters()) {
      for await (const group of walk(link, this.prefix, this.timeout)) {
        const now = this.#options.clock.now();
        const listed: Listed[] = [];
        for (const { key, header, length } of group) {
          const revision = revisionOf(header);
          if (revision < this.#ledger.flushed) continue;
          if (isExpired({ exptime: exptimeOf(header) }, now) || !seen.add(key)) continue;
          listed.push(
            listedOf(
              key,
              header,
              length,
              this.lastReads.of(revisionHigh(header), revisionLow(header)),
            ),
          );
        }
        if (listed.length > 0) yield listed;
      }
    }
  }

  info(): StoreInfo {
    const masters = this.#nodes.masters();
    const sum = (name: string) =>
      masters.reduce((total, link) => total + Number(link.info.get(name) ?? 0), 0);
    const counters = this.#counters;
    const ledger = this.#ledger;
    const { swept } = ledger;
    const own: [string, string | number][] = [
      ["redis_nodes", masters.length],
      ["redis_nodes_ready", masters.filter(({ state }) => state === "ready").length],
      ["redis_version", masters[0]?.info.get("redis_version") ?? "unknown"],
      ["redis_used_memory", sum("used_memory")],
      ["redis_maxmemory", sum("maxmemory")],
      ["redis_evicted_keys", sum("evicted_keys")],
      ["redis_expired_keys", sum("expired_keys")],
      ["redis_unanswered_bytes", masters.reduce((total, link) => total + link.waiting, 0)],
      ["redis_requests", counters.requests],
      ["redis_requests_in_flight", masters.reduce((total, link) => total + link.inFlight, 0)],
      ["redis_writes", counters.batches],
      ["redis_reconnects", counters.reconnects],
      ["redis_redirections", counters.redirections],
      ["redis_timeouts", counters.timeouts],
      ["redis_lost_replies", counters.lost],
      ["redis_refused_requests", counters.refused],
      ["redis_unreadable_values", counters.foreign],
      ...counters.resultFigures(),
    ];
    for (const [kind, count] of counters.errors) own.push([`redis_error_${kind}`, count]);
    const { state, reason } = this.#health.now;
    own.push(["state", state]);
    if (reason !== "") own.push(["state_reason", reason]);
    if (swept !== undefined) own.push(["redis_counted_seconds_ago", Math.round(swept.ago / 1000)]);
    return {
      items: this.prefix.length === 0 ? this.#keys() : swept?.items ?? 0,
      bytes: swept?.bytes ?? 0,
      limit: sum("maxmemory"),
      // Redis counts for all its users.
      evictions: sum("evicted_keys"),
      reclaimed: sum("expired_keys"),
      flushedReads: this.#flushedReads,
      own,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.tokens?.stop();
    const [ticking, ...others] = this.#timers;
    for (const timer of others) clearInterval(timer);
    const deadline = performance.now() + this.timeout - 4 * TICK;
    const settled = Promise.all([this.#sweep.close(), this.#ledger.close()]);
    let done = false;
    settled.finally(() => done = true);
    const busy = () => !done || this.#nodes.masters().some((link) => link.waiting > 0);
    while (busy() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // From here on whatever still waits fails.
    await this.#nodes.close();
    await settled;
    clearInterval(ticking);
  }

  flushed(): number {
    return this.#ledger.flushed;
  }

  foundFlushed(): void {
    this.#flushedReads++;
  }

  foundForeign(): void {
    this.#counters.foreign++;
  }

  masters(): readonly Link[] {
    return this.#nodes.masters();
  }

  free(key: Uint8Array): Promise<unknown> {
    return this.swap(key, "absent", null, new Batch());
  }

  #change(
    key: Uint8Array,
    deadline: number,
    expected: Expected,
    next: NewItem | null,
    waiter: Waiter<Swapped>,
  ): void {
    if (next === null || expected !== "any") {
      const now = this.#options.clock.now();
      const revision = next === null ? 0 : this.#ledger.take();
      const swap = new Swap(key, deadline, this, expected, next, revision, now, waiter);
      return this.#nodes.send(swap);
    }
    const revision = this.#ledger.take();
    // What has waited until the ledger was known is of an earlier turn, and has another deadline.
    const isOfTurn = deadline === this.#turnBegan + this.timeout - TICK;
    if (next.exptime !== 0 || !isOfTurn || this.#options.cluster) {
      const now = next.exptime === 0 ? 0 : this.#options.clock.now();
      return this.#nodes.send(new Put(key, deadline, this, next, revision, now, waiter));
    }
    const puts = this.#puts ??= new Puts(deadline, this);
    puts.note(this.#options.causeOf?.());
    if (!puts.add(key, next, revision, waiter)) this.#sendPuts(puts);
  }

  /** The time by `performance.now()`, asked for once for all requests that come together. */
  #now(): number {
    if (this.#turnBegan === 0) {
      this.#turnBegan = performance.now();
      queueMicrotask(this.#endTurn);
    }
    return this.#turnBegan;
  }

  /** Whether the ledger may be relied on; after {@linkcode #now}. */
  #isKnown(): boolean {
    const ledger = this.#ledger;
    if (!this.#wasFresh) this.#wasFresh = ledger.isFresh(this.#turnBegan);
    return this.#wasFresh && ledger.hasRevisions;
  }

  /** Goes on when it is known what is flushed and which revisions are free. */
  #whenKnown(
    size: number,
    deadline: number,
    then: () => void,
    waiter: { fail(error: unknown): void },
  ): void {
    if (this.#closed) return waiter.fail(new StoreError("The Redis store is closed"));
    if (this.#waiting > MOST_UNANSWERED) {
      this.#counters.refused++;
      return waiter.fail(new StoreError("Redis is too slow: too many requests wait for it"));
    }
    this.#waiting += size;
    const one = { deadline, fail: (error: unknown) => waiter.fail(error) };
    this.#unknown.add(one);
    const now = performance.now();
    const time = Date.now();
    this.#ledger.refresh(now, time).finally(() => this.#waiting -= size).then(() => {
      if (!this.#unknown.delete(one)) return;
      // So many may have waited that the revisions are used up again.
      if (this.#ledger.isFresh(now, time)) then();
      else this.#whenKnown(size, deadline, then, waiter);
    }, (error) => this.#unknown.delete(one) && waiter.fail(error));
  }

  /** Gives up what is overdue, and looks how Redis is. */
  #tick(now: number): void {
    this.#nodes.tick(now);
    if (!this.#closed) this.#health.look();
    for (const one of this.#unknown) {
      if (one.deadline > now) continue;
      this.#unknown.delete(one);
      one.fail(new StoreError(`Redis did not answer within ${this.timeout} ms`));
    }
  }

  /** All keys of the database but the ledger's, where the whole database is kvs's. */
  #keys(): number {
    let keys = 0;
    for (const link of this.#nodes.masters()) {
      keys += Number(/keys=(\d+)/.exec(link.info.get(`db${this.#db}`) ?? "")?.[1] ?? 0);
    }
    return Math.max(0, keys - 1);
  }

  #inquire(): void {
    for (const link of this.#nodes.masters()) {
      if (link.state === "ready") link.inquire().catch(() => {});
    }
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new StoreError("The Redis store is closed");
  }
}
