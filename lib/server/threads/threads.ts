/**
 * The workers of a server, as its main thread sees them: as one.
 *
 * @module
 */

import { trimMemory } from "../../bytes.ts";
import type { Context } from "../../commands/context.ts";
import type { User } from "../../commands/session.ts";
import type { Say } from "../../log_level.ts";
import { ExitError, messageOf } from "../../errors.ts";
import { MAX_WATCHERS, type WatchedLine, Watchers } from "../../observe/watch.ts";
import type { ConnectionCount } from "../../observe/figures/row.ts";
import type { Figure } from "../../protocol/outcome.ts";
import type { Listed } from "../../storage/contract.ts";
import type { Exchanged } from "../../storage/exchanges.ts";
import { within } from "../../within.ts";
import type { Configuration } from "../configuration.ts";
import type { Again } from "../front.ts";
import { checkUnused, type Place } from "../listen.ts";
import type { Connections } from "../make_context.ts";
import type { Talker } from "../talkers.ts";
import type { OwnerCalls, Setup, Snapshot, WorkerCalls } from "./calls.ts";
import type { CommonCounts } from "./common.ts";
import { WORKER } from "./default_number.ts";
import { type Patience, Pulse } from "./heartbeat.ts";
import { ownExchanged } from "./exchange_notes.ts";
import { Line } from "./line.ts";
import { runOrder } from "./orders.ts";
import { Sums } from "./sums.ts";

/** Milliseconds between two times that workers are asked what they have counted, for whoever does not wait. */
const INTERVAL = 1000;

/** What the main thread does for its workers. */
export interface Duties extends ThreadsUnderTest {
  readonly configuration: Configuration;
  readonly common: CommonCounts;
  readonly log: Say;
  /** A line of a worker's audit log. */
  readonly audited: (line: string, more: number) => void;
  /** What a worker, from 1, is given; asked once for each. */
  readonly setup: (number: number) => Setup;
  /** A frame of a worker for the owner of the store. */
  readonly frame: (number: number, frame: ArrayBuffer) => void;
  /** Who a user is now; `undefined` where it is nobody any more. */
  readonly renew: (user: User) => User | undefined;
  /** Told of exchanges of the workers' own stores, where somebody counts them. */
  readonly onExchanged: ((exchanged: Exchanged) => void) | undefined;
}

/** What a server under test has otherwise. */
export interface ThreadsUnderTest {
  /** What a worker runs. */
  readonly module?: URL;
  /** How long a worker may do nothing. */
  readonly patience?: Patience;
}

/** One worker. */
interface Thread {
  readonly number: number;
  readonly worker: Worker;
  readonly line: Line<WorkerCalls, OwnerCalls>;
  watching: { readonly kinds: number; readonly count: number };
}

/** All workers. */
export class Threads implements Connections {
  /** Resolves, with a sentence, when a thread has died: nothing can go on then. */
  readonly died: Promise<string>;
  /** Told what is watched in any worker, and of what happens in this thread. */
  readonly watchers: Watchers;
  readonly #duties: Duties;
  readonly #threads: Thread[] = [];
  readonly #sums = new Sums();
  readonly #scans = new Map<string, AsyncIterator<readonly Listed[]>>();
  #context!: Context;
  #pulse: Pulse | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #die: (why: string) => void;

  constructor(duties: Duties) {
    this.#duties = duties;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.died = promise;
    this.#die = resolve;
    this.watchers = new Watchers(duties.common.lines, {
      changed: () => {},
      line: (line) => this.#relay(undefined, [line]),
    });
  }

  /** Starts all workers. The context is what their orders are run with. */
  async start(context: Context): Promise<void> {
    this.#context = context;
    const { configuration, setup, common, log, patience } = this.#duties;
    for (let number = 1; number <= configuration.threads; number++) this.#spawn(number);
    await this.#unlessDead(
      Promise.all(this.#threads.map(({ line, number }) => line.call("begin", setup(number)))),
    );
    const beats = this.#threads.map(({ number }) => common.beatsOf(number));
    this.#pulse = new Pulse(beats, {
      late: (index, seconds) =>
        log(`thread ${index + 1} has done nothing for ${seconds} s: its clients wait`),
      back: (index, seconds) => log(`thread ${index + 1} goes on after ${seconds} s`),
      lost: (index, seconds) =>
        this.#die(`thread ${index + 1} has done nothing for ${seconds} s, and is given up`),
    }, patience);
    this.#timer = setInterval(() => {
      void this.refresh();
      trimMemory();
    }, INTERVAL);
  }

  /**
   * Lets all workers listen.
   *
   * @throws {ExitError} 71, in one line, where an address cannot be listened on
   */
  async listen(): Promise<readonly Place[]> {
    await checkUnused(this.#duties.configuration.endpoints);
    const [first, ...others] = this.#threads;
    const places = await this.#unlessDead(first!.line.call("listen", undefined));
    const shared = places.filter(({ addr, policy }) =>
      addr.transport === "tcp" && policy === undefined
    );
    if (shared.length < places.length) {
      this.#duties.log("a TLS listener or a Unix socket is served by one thread", "notice");
    }
    await this.#unlessDead(Promise.all(others.map(({ line }) => line.call("listenToo", shared))));
    return places;
  }

  /** This thread has none: each worker looks after its own. */
  members(): Iterable<never> {
    return [];
  }

  /** Lets all workers accept. */
  async accept(): Promise<void> {
    await this.#unlessDead(this.#all("accept"));
  }

  /** Lets all workers read certificates or users again; returns how many connections that has ended. */
  async reload(again: Again): Promise<number> {
    const ended = await Promise.all(this.#threads.map(({ line }) => line.call("reload", again)));
    return ended.reduce((sum, count) => sum + count, 0);
  }

  /** Sends a worker a frame of the owner of the store. */
  post(number: number, frame: ArrayBuffer): void {
    this.#threads[number - 1]!.worker.postMessage(frame, [frame]);
  }

  /** Ends all workers when what they have read is answered. */
  async drain(): Promise<void> {
    clearInterval(this.#timer);
    await this.#unlessDead(this.#all("drain"));
    this.end();
  }

  /** Resolves also when all is over and no worker answers any more, or one stands still. */
  refresh(): Promise<void> {
    return within(INTERVAL, this.#gather().catch(() => {}));
  }

  /** Ends all workers, whatever they do. */
  end(): void {
    clearInterval(this.#timer);
    this.#pulse?.[Symbol.dispose]();
    for (const { worker, line } of this.#threads) {
      worker.terminate();
      line.end();
    }
  }

  /** Nothing can go on. */
  die(why: string): void {
    this.#die(why);
  }

  /** What orders are run with. */
  get context(): Context {
    return this.#context;
  }

  get sums(): Sums {
    return this.#sums;
  }

  get size(): number {
    return this.#duties.common.connections.value;
  }

  get isAccepting(): boolean {
    return this.#sums.snapshots.every(({ isAccepting }) => isAccepting);
  }

  get listenDisabled(): { readonly count: number; readonly time: number } {
    const sum = { count: 0, time: 0 };
    for (const { disabled } of this.#sums.snapshots) {
      sum.count += disabled.count;
      sum.time += disabled.time;
    }
    return sum;
  }

  async describe(): Promise<readonly Figure[]> {
    return (await this.#all("describe")).flat();
  }

  describeThreads(): readonly Figure[] {
    return this.#sums.threads();
  }

  describeLimits(): readonly Figure[] {
    return this.#sums.limits();
  }

  loopLag(): readonly number[] {
    return this.#sums.snapshots.flatMap(({ loopLag }) => loopLag ?? []);
  }

  connectionsBy(): ConnectionCount[] {
    return this.#sums.connectionsBy();
  }

  talkers(order: "bytes" | "requests", most: number): Talker[] {
    const value = (talker: Talker) =>
      order === "bytes" ? talker.received + talker.sent : talker.requests;
    return this.#sums.snapshots.flatMap(({ talkers }) => talkers[order])
      .sort((a, b) => value(b) - value(a)).slice(0, most);
  }

  #spawn(number: number): void {
    const { module = WORKER, frame } = this.#duties;
    const worker = new Worker(module, { type: "module", name: `kvs thread ${number}` });
    const line = new Line<WorkerCalls, OwnerCalls>(
      worker.postMessage.bind(worker),
      this.#callsOf(number),
    );
    worker.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) frame(number, data);
      else line.take(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#die(`thread ${number} has failed: ${event.message}`);
    };
    this.#threads.push({ number, worker, line, watching: { kinds: 0, count: 0 } });
  }

  /** What a worker may ask. */
  #callsOf(number: number): OwnerCalls {
    return {
      ended: () => this.#die(`thread ${number} has ended itself`),
      log: (said) => {
        for (const { line, level } of said) this.#duties.log(line, level);
      },
      audited: (audited) => {
        for (const { line, more } of audited) this.#duties.audited(line, more);
      },
      timed: (told) => this.#context.timing?.take(told),
      exchanged: (all) => {
        for (const told of all) this.#duties.onExchanged?.(ownExchanged(told));
      },
      run: (order) => this.#run(order),
      scan: (id) => this.#scan(id),
      endScan: async (id) => {
        const scan = this.#scans.get(id);
        this.#scans.delete(id);
        await scan?.return?.();
      },
      watch: (watching) => this.#watch(number, watching),
      lines: (lines) => this.#relay(number, lines),
    };
  }

  async #run(order: Parameters<OwnerCalls["run"]>[0]) {
    const context = this.#context;
    const before = this.#news();
    if (order.op === "stats") {
      const isDetail = order.words[0]?.startsWith("d") === true;
      await this.#gather(isDetail);
      if (isDetail) this.#sums.prefixes(context);
    }
    const report = await runOrder(order, context, this.#duties.renew);
    if (report.code === "reset") {
      this.#sums.reset();
      await this.#all("reset");
    }
    const news = this.#news();
    if (JSON.stringify(news) !== JSON.stringify(before)) {
      await Promise.all(this.#threads.map(({ line }) => line.call("news", news)));
    }
    return report;
  }

  #news() {
    const { live, prefixes } = this.#context;
    return { live: { ...live }, countsPrefixes: prefixes.enabled };
  }

  async #gather(whole = false): Promise<void> {
    await Promise.all(this.#threads.map(async ({ line, number }) => {
      const snapshot: Snapshot = await line.call("snapshot", whole);
      this.#sums.add(number, snapshot, this.#context);
    }));
  }

  async #scan(id: string): Promise<readonly Listed[] | undefined> {
    let scan = this.#scans.get(id);
    if (scan === undefined) {
      scan = this.#context.store.scan()[Symbol.asyncIterator]();
      this.#scans.set(id, scan);
    }
    const { done, value } = await scan.next();
    return done ? undefined : value.map((item: Listed) => ({ ...item, key: item.key.slice() }));
  }

  async #watch(
    number: number,
    watching: { readonly kinds: number; readonly count: number },
  ): Promise<boolean> {
    const own = this.#threads[number - 1]!;
    const isMore = watching.count > own.watching.count;
    const count = this.#threads.reduce((sum, { watching }) => sum + watching.count, 0);
    if (isMore && count - own.watching.count + watching.count > MAX_WATCHERS) return false;
    own.watching = watching;
    this.watchers.elsewhere = this.#kindsBut(undefined);
    await Promise.all(
      this.#threads.map((thread) => thread.line.call("watched", this.#kindsBut(thread))),
    );
    return true;
  }

  /** What is watched in all workers but one. */
  #kindsBut(thread: Thread | undefined): number {
    return this.#threads.reduce(
      (kinds, other) => other === thread ? kinds : kinds | other.watching.kinds,
      0,
    );
  }

  /** Sends lines to all workers in which their kinds are watched, but not back. */
  #relay(
    from: number | undefined,
    lines: readonly WatchedLine[],
  ): void {
    for (const { number, line, watching } of this.#threads) {
      if (number === from) continue;
      const wanted = lines.filter(([kind]) => (watching.kinds & kind) !== 0);
      if (wanted.length > 0) line.tell("lines", wanted);
    }
  }

  /** Asks all workers the same, which takes nothing. */
  #all<Name extends "accept" | "describe" | "reset" | "drain">(name: Name) {
    return Promise.all(this.#threads.map(({ line }) => line.call(name, undefined as never)));
  }

  async #unlessDead<T>(work: Promise<T>): Promise<T> {
    const died = this.died.then((why) => {
      throw new ExitError(why, 70);
    });
    try {
      return await Promise.race([work, died]);
    } catch (error) {
      throw error instanceof ExitError ? error : new ExitError(messageOf(error), 70);
    }
  }
}
