/**
 * A thread that serves connections: listeners, commands, and what it is asked by the main thread.
 *
 * @module
 */

import { AdjustableClock, type Clock, systemClock } from "../../clock.ts";
import type { Command } from "../../commands/command.ts";
import type { Context } from "../../commands/context.ts";
import { counted } from "../../counted.ts";
import { Listings } from "../../commands/listings.ts";
import { replaceRun } from "../../commands/table.ts";
import type { LogLevel } from "../../log_level.ts";
import { Counters } from "../../observe/counters.ts";
import { LoopLag } from "../../observe/loop_lag.ts";
import { isExporting } from "../../observe/process.ts";
import type { Spans } from "../../observe/spans.ts";
import { Timing } from "../../observe/timing.ts";
import { type WatchedLine, type Watcher, Watchers } from "../../observe/watch.ts";
import type { Outcome } from "../../protocol/outcome.ts";
import type { Op, Request } from "../../protocol/request.ts";
import type { Listed, Store } from "../../storage/contract.ts";
import { openRemoteStore, openStore } from "../../storage/open.ts";
import type { RemoteStore, Whole } from "../../storage/shared/mod.ts";
import { VERSION } from "../../version.ts";
import { Access } from "../access/access.ts";
import { AuditLog } from "../access/audit.ts";
import type { Again } from "../front.ts";
import { listen, type Listening, listenOn, type Place, placesOf } from "../listen.ts";
import { makeContext, makePrefixes, policyOf } from "../make_context.ts";
import { Server } from "../server.ts";
import { evicts } from "../settings.ts";
import type { Audited, News, OwnerCalls, Said, Setup, Snapshot, WorkerCalls } from "./calls.ts";
import { CommonCounts } from "./common.ts";
import { ExchangeNotes } from "./exchange_notes.ts";
import { beat } from "./heartbeat.ts";
import type { Line } from "./line.ts";
import { Parcels } from "./parcels.ts";
import { SharedAddressCounts } from "./shared_address_counts.ts";

/** Commands that are run by the main thread. */
const ELSEWHERE: readonly Op[] = [
  "stats",
  "flush",
  "crawl",
  "verbosity",
  "memoryLimit",
  "moveClock",
  "shutdown",
  "refreshCertificates",
];
/** Talkers that a thread tells of. */
const TALKERS = 10;

type Owner = Line<OwnerCalls, WorkerCalls>;

/** One thread that serves. */
export class Serving implements WorkerCalls {
  readonly #owner: Owner;
  readonly #post: (frame: ArrayBuffer) => void;
  #context!: Context;
  #server!: Server;
  #store!: Store;
  #remote: RemoteStore | undefined;
  readonly #exchanges = new ExchangeNotes((all) => this.#owner.tell("exchanged", all));
  #access: Access | undefined;
  #setup!: Setup;
  #listening: Listening[] = [];
  #scans = 0;
  #lag: LoopLag | undefined;
  /** Where Deno exports them; the times go to the main thread. */
  #spans: Spans | undefined;
  /** Lines for watchers of other threads. */
  readonly #lines = new Parcels<WatchedLine>((lines) => this.#owner.call("lines", lines));
  /** Lines of the log, and of the audit log. */
  readonly #said = new Parcels<Said>(
    (said) => this.#owner.call("log", said),
    (count) => this.#sayLeftOut(count, "log"),
  );
  readonly #audited = new Parcels<Audited>(
    (audited) => this.#owner.call("audited", audited),
    (count) => this.#sayLeftOut(count, "audit log"),
  );

  /**
   * @param line to the main thread
   * @param post sends the main thread a frame for the owner of the store
   */
  constructor(line: (calls: WorkerCalls) => Owner, post: (frame: ArrayBuffer) => void) {
    this.#owner = line(this);
    this.#post = post;
  }

  /** A frame of the owner of the store. */
  take(frame: ArrayBuffer): void {
    this.#remote?.take(frame);
  }

  async begin(setup: Setup): Promise<void> {
    this.#setup = setup;
    const { configuration, number, maxConnections, live, started } = setup;
    const common = new CommonCounts(setup.common);
    beat(common.beatsOf(number));
    if (setup.slow !== undefined) this.#lag = new LoopLag();
    const debugClock = setup.testClock && new AdjustableClock(setup.testClock);
    const clock = debugClock ?? systemClock;
    const log = this.#log;
    const watchers = new Watchers(common.lines, {
      changed: () => void this.#tellWatched(),
      line: (line) => this.#relay(line),
    });
    if (isExporting()) {
      const { Spans } = await import("../../observe/spans.ts");
      this.#spans = new Spans(VERSION, configuration.store);
    }
    this.#store = await this.#openStore(clock, log, watchers);
    // TLS listeners are the first thread's. What is to be said of certificates the main thread says.
    const own = number === 1 ? configuration : { ...configuration, tls: undefined };
    const counters = new Counters();
    const access = this.#access = new Access(own, counters, () => {});
    const context = makeContext(
      configuration,
      makePrefixes(configuration),
      {
        ...{ clock, debugClock, log, watchers, maxConnections, started },
        store: this.#store,
        counters,
        users: access.users,
        tls: undefined,
        audit: new AuditLog((line, more) => this.#audited.add({ line, more }, line.length)),
        // They are read again by the main thread's order.
        refreshCertificates: undefined,
        timing: this.#timing(setup.slow),
        events: undefined,
        // It is run by the main thread.
        shutdown: undefined,
        live: { ...live },
        listings: new Listings(undefined, common.listings),
      },
      () => this.#server,
    );
    this.#context = context;
    const { connections, numbers, strangers } = common;
    const byAddress = new SharedAddressCounts(setup.byAddress);
    const recent = new SharedAddressCounts(setup.recent, () => Math.floor(Date.now() / 1000) | 0);
    const shared = { connections, numbers, strangers, byAddress, recent };
    const policy = policyOf(configuration, access.tls, shared, this.#sharers);
    this.#server = new Server(context, policy);
    replaceRun(ELSEWHERE, () => this.#runElsewhere);
    replaceRun(["watch"], (run) => this.#watching(run));
  }

  async listen(): Promise<readonly Place[]> {
    const { endpoints, listenBacklog: backlog, unixSocket, unixMask, protocol } =
      this.#setup.configuration;
    this.#listening = await listen({
      endpoints,
      backlog,
      socket: unixSocket === undefined ? undefined : { path: unixSocket, mode: unixMask, protocol },
      reusePort: true,
      tls: this.#access?.encryption,
    });
    return placesOf(this.#listening);
  }

  listenToo(places: readonly Place[]): void {
    this.#listening = listenOn(places, this.#setup.configuration.listenBacklog);
  }

  accept(): void {
    // What the main thread gives up then is given up for all threads.
    for (const { listener, protocol } of this.#listening) this.#server.accept(listener, protocol);
  }

  snapshot(whole: boolean): Snapshot {
    const { counters, prefixes, watchers } = this.#context;
    const { written, sent, skipped, count } = watchers;
    const { before: _, ...plain } = counters;
    return {
      counters: plain as unknown as Record<string, number>,
      prefixes: whole ? [...prefixes.entries()] : [],
      watchers: { written, sent, skipped, count },
      isAccepting: this.#server.isAccepting,
      disabled: { ...this.#server.listenDisabled },
      limits: this.#server.describeLimits(),
      talkers: {
        bytes: this.#server.talkers("bytes", TALKERS),
        requests: this.#server.talkers("requests", TALKERS),
      },
      connectionsBy: this.#server.connectionsBy(),
      loopLag: this.#lag?.seconds,
      store: this.#remote === undefined ? this.#store.info() : undefined,
    };
  }

  describe() {
    return this.#server.describe();
  }

  reset(): void {
    const { counters, prefixes } = this.#context;
    counters.reset(counters.before);
    prefixes.clear();
  }

  news({ live, countsPrefixes }: News): void {
    Object.assign(this.#context.live, live);
    this.#context.prefixes.enabled = countsPrefixes;
  }

  watched(kinds: number): void {
    this.#context.watchers.elsewhere = kinds;
  }

  lines(lines: readonly WatchedLine[]): void {
    for (const line of lines) this.#context.watchers.push(...line);
  }

  async reload({ certificates, users }: Again): Promise<number> {
    const access = this.#access;
    // It begins: what it is to read again it has yet to read.
    if (access === undefined) return 0;
    // The main thread has found nothing wrong: what is wrong here is said here.
    const problem = certificates ? await access.refreshCertificates() : undefined;
    const ended = users ? access.refreshUsers(() => this.#server.members) : 0;
    for (const what of [problem, ended]) {
      if (typeof what === "string") this.#log(`thread ${this.#setup.number}: ${what}`);
    }
    return typeof ended === "number" ? ended : 0;
  }

  async drain(): Promise<void> {
    this.#access?.close();
    await this.#server.drain();
    await this.#store.close();
    this.#exchanges.flush();
    this.#audited.flush();
    this.#said.flush();
    // It beats on until it is ended: others may take longer, and this one is not dead meanwhile.
    this.#lag?.[Symbol.dispose]();
  }

  /** How many threads share what is for clients: a TLS listener and a Unix socket are the first one's alone. */
  get #sharers(): number {
    const { configuration: { endpoints, threads }, number } = this.#setup;
    if (endpoints.some(({ tls }) => tls === "off")) return threads;
    return number === 1 ? 1 : Infinity;
  }

  /** Times requests, and tells the main thread, where somebody wants to know. */
  #timing(slow: number | undefined): Timing | undefined {
    if (slow === undefined) return undefined;
    const timing = new Timing(slow, undefined, (told) => this.#owner.tell("timed", told));
    timing.spans = this.#spans;
    return timing;
  }

  async #openStore(
    clock: Clock,
    log: (line: string, level?: LogLevel) => void,
    watchers: Watchers,
  ): Promise<Store> {
    const { configuration, owner, number, tellsExchanges } = this.#setup;
    if (owner === undefined) {
      return await openStore({
        ...configuration,
        evict: evicts(configuration),
        // The requests of all threads are those of one server.
        gcsConcurrency: Math.max(1, Math.ceil(configuration.gcsConcurrency / this.#sharers)),
        clock,
        log,
        onEvicted: (item) => watchers.evicted(item, clock.now()),
        ...tellsExchanges && {
          onExchanged: (exchanged) => {
            this.#spans?.exchanged(exchanged);
            this.#exchanges.add(exchanged);
          },
        },
        causeOf: this.#spans?.cause,
      });
    }
    return this.#remote = await openRemoteStore({
      ...owner,
      number,
      clock,
      post: this.#post,
      whole: this.#whole(),
    });
  }

  /** What is asked of the whole store, which the main thread does. */
  #whole(): Whole {
    const owner = this.#owner;
    const name = () => `${this.#setup.number}:${++this.#scans}`;
    return {
      flush: () => Promise.reject(new Error("a flush is run by the main thread")),
      async *scan(): AsyncGenerator<readonly Listed[]> {
        const id = name();
        try {
          for (;;) {
            const group = await owner.call("scan", id);
            if (group === undefined) return;
            yield group;
          }
        } finally {
          await owner.call("endScan", id);
        }
      },
      info: () => ({
        ...{ items: 0, bytes: 0, limit: 0, evictions: 0, reclaimed: 0, flushedReads: 0 },
        own: [],
      }),
    };
  }

  readonly #runElsewhere: Command = async (request, outcome, session) => {
    const { op, words, number, exptime } = request;
    const { id: connection, address } = session;
    const user = session.user && { ...session.user, rights: undefined };
    const order = { op, words, number, exptime, connection, address, user };
    const report = await this.#owner.call("run", order);
    const { code, text, figures, entries, failure, closes } = report;
    Object.assign(outcome, { code, text, figures, entries, failure });
    outcome.closes ||= closes;
  };

  #watching(run: Command): Command {
    return (request: Request, outcome: Outcome, session, context) => {
      run(request, outcome, session, context);
      if (outcome.code === "watch") (outcome.watch as Watcher).ready = this.#tellWatched();
    };
  }

  /** Resolves when all threads know what is watched here; false where there are too many watchers. */
  #tellWatched(): Promise<boolean> {
    const { kindsHere: kinds, count } = this.#context.watchers;
    return this.#owner.call("watch", { kinds, count });
  }

  /** Sends a line to those who watch in other threads. */
  #relay(told: WatchedLine): void {
    const [, line] = told;
    if (!this.#lines.add(told, line.length)) this.#context.watchers.skipped++;
  }

  /** Says a line of the log, which the main thread writes. */
  readonly #log = (line: string, level?: LogLevel): void => {
    const isOnWay = this.#said.add({ line, level }, line.length);
    // What matters is told also where this thread ends in this turn.
    if (isOnWay && level !== "debug") this.#said.flush();
  };

  #sayLeftOut(count: number, what: string): void {
    const lines = `${counted(count, "line")} of its ${what}`;
    this.#log(`thread ${this.#setup.number}: ${lines} left out, which nobody took in time`);
  }
}
