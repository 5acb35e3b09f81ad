/**
 * The load of one thread: its clients, from their connections to the last answer.
 *
 * @module
 */

import { parseAddress } from "../client/address.ts";
import { messageOf } from "../errors.ts";
import type { Protocol } from "../protocol/client_dialect.ts";
import { clientDialects } from "../protocol/client_dialects.ts";
import { Ring } from "../client/ring.ts";
import { FileContent, RandomContent, StampedContent } from "./content.ts";
import { parseSizes, type Picker, uniform, zipf } from "./distribution.ts";
import { Ledger } from "./ledger.ts";
import { Lines, type SharedLines } from "./lines.ts";
import { LoadClient, type Slot, type Surroundings } from "./load_client.ts";
import { BackToBack, type Pace, Schedule } from "./pace.ts";
import { Random } from "./random.ts";
import { Tally } from "./tally.ts";
import type { Credentials } from "../client/connection.ts";
import type { ClientTls } from "../net/tls/client.ts";
import { Workload } from "./workload.ts";

/** What one thread is to do. It goes from thread to thread as it is. */
export interface Plan {
  /** Which thread it is, of how many. */
  readonly thread: number;
  readonly threads: number;
  readonly servers: readonly string[];
  /** Which dialect they speak (text). */
  readonly protocol?: Protocol;
  /** Who logs in, and how connections are encrypted. */
  readonly credentials?: Credentials;
  readonly tls?: ClientTls;
  /** How long a reply may take, in milliseconds. */
  readonly timeout: number;
  readonly clients: number;
  /** Requests that each client has in flight. */
  readonly pipeline: number;
  /** Of each client in all; `Infinity` for as many as the duration allows. */
  readonly requests: number;
  /** In milliseconds; `Infinity` for as long as the requests take. */
  readonly duration: number;
  /** What is in flight when the duration is over has so long to be answered, in milliseconds (1000). */
  readonly grace?: number;
  /** How many of all requests are gets, 0 to 1. */
  readonly getRatio: number;
  readonly keys: SharedLines;
  readonly keyDistribution: "uniform" | "zipf";
  /** The values of a file; without it they are made, of the sizes that `valueSizes` describes. */
  readonly values?: SharedLines;
  readonly valueSizes: string;
  /** Requests a second of all the thread's clients, for an open loop. */
  readonly rate?: number;
  /** The word by which the run knows its own values, where answers are verified. */
  readonly run?: string;
  readonly seed: number;
}

/** A client that could not begin. */
export class ConnectError extends Error {
  override name = "ConnectError";
}

/** So many connections are opened concurrently: a listener's queue is short. */
const CONNECTING = 100;

/** What is in flight when a run ends has so long to be answered, unless the plan says else, in milliseconds. */
const GRACE = 1000;

/** One thread's load. */
export class Runner implements Disposable {
  readonly tally = new Tally();
  readonly #clients: LoadClient[];
  readonly #alarm = new Alarm();
  readonly #done = Promise.withResolvers<void>();
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  /** When it was stopped, in milliseconds of `performance.now()`. */
  #endedAt: number | undefined;
  #active: number;

  constructor(readonly plan: Plan) {
    const { servers, protocol = "text", clients, pipeline, timeout, credentials, tls } = plan;
    const addresses = servers.map(parseAddress);
    const surroundings: Surroundings = {
      servers: addresses,
      ring: addresses.length > 1 ? new Ring(addresses) : undefined,
      connection: {
        protocol,
        timeout,
        ...credentials && { credentials },
        ...tls && { tls },
      },
      workload: workloadOf(plan, this.tally),
      wake: (slot, due) => this.#alarm.set(slot, due),
      finished: () => {
        if (--this.#active === 0) this.#done.resolve();
      },
    };
    this.#active = clients * pipeline;
    this.#clients = Array.from({ length: clients }, () => new LoadClient(surroundings));
  }

  /**
   * Opens all connections.
   *
   * @throws {ConnectError} for the first that cannot be opened.
   */
  async connect(): Promise<void> {
    for (let i = 0; i < this.#clients.length; i += CONNECTING) {
      const group = this.#clients.slice(i, i + CONNECTING);
      await Promise.all(group.map(async (client, index) => {
        try {
          await client.connect();
        } catch (error) {
          const which = `client ${i + index + 1} of ${this.#clients.length}`;
          throw new ConnectError(`${which}: ${messageOf(error)}`, { cause: error });
        }
      }));
    }
  }

  /**
   * Sends all requests and waits for their answers. When the duration is over no request begins, and
   * those in flight have their grace to be answered: a server that hangs does not hold the run.
   */
  async run(): Promise<void> {
    const start = performance.now();
    const { duration, pipeline } = this.plan;
    if (duration !== Infinity) this.#timers.push(setTimeout(() => this.stop(), duration));
    const { paceOf, unsent } = this.#paces(start);
    for (const client of this.#clients) client.start(paceOf(), pipeline);
    await this.#done.promise;
    this.#timers.forEach(clearTimeout);
    this.tally.unsent = unsent(this.#endedAt ?? performance.now());
  }

  /** Lets no request begin from now on, and waits no longer than the grace for those in flight. */
  stop(): void {
    if (this.#endedAt !== undefined) return;
    this.#endedAt = performance.now();
    this.#alarm.ring();
    const abandon = () => this.#clients.forEach((client) => client.abandon());
    const { grace = GRACE, timeout } = this.plan;
    this.#timers.push(setTimeout(abandon, Math.min(grace, timeout)));
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client[Symbol.dispose]();
  }

  #paces(start: number): { paceOf: () => Pace; unsent: (now: number) => number } {
    const { requests, duration, rate, clients } = this.plan;
    const deadline = start + duration;
    const stoppable = (pace: Pace): Pace => ({
      next: (now) => this.#endedAt === undefined ? pace.next(now) : undefined,
    });
    if (rate === undefined) {
      return { paceOf: () => stoppable(new BackToBack(requests, deadline)), unsent: () => 0 };
    }
    const schedule = new Schedule({ rate, start, requests: requests * clients, deadline });
    const pace = stoppable(schedule);
    return { paceOf: () => pace, unsent: (now) => schedule.unsent(now) };
  }
}

function workloadOf(plan: Plan, tally: Tally): Workload {
  const { seed, thread, getRatio, protocol = "text", run } = plan;
  const keys = new Lines(plan.keys);
  const random = new Random(seed, thread);
  const sizes = parseSizes(plan.valueSizes)!;
  const { requests } = clientDialects[protocol];
  const parts = { keys, getRatio, random, tally, requests, picker: pickerOf(plan, keys.count) };
  const file = plan.values && new FileContent(new Lines(plan.values));
  if (run === undefined) {
    return new Workload({ ...parts, content: file ?? new RandomContent(sizes, random) });
  }
  const content = file ?? new StampedContent(run, sizes, seed);
  return new Workload({ ...parts, content, verify: { ledger: new Ledger(keys.count), content } });
}

/** Where answers are verified, each thread has keys of its own, as it knows its own writes only. */
function pickerOf({ keyDistribution, run, thread, threads }: Plan, count: number): Picker {
  const pickerFor = keyDistribution === "zipf" ? zipf : uniform;
  if (run === undefined || threads === 1) return pickerFor(count);
  const own = pickerFor(Math.ceil((count - thread) / threads));
  return { pick: (random) => own.pick(random) * threads + thread };
}

/** Wakes slots when their requests are due, which they are in the order in which they ask. */
class Alarm {
  readonly #waiting: { slot: Slot; due: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  set(slot: Slot, due: number): void {
    this.#waiting.push({ slot, due });
    this.#wind(performance.now());
  }

  /** Wakes those that are still waiting, to be told that there is nothing to do. */
  ring(): void {
    clearTimeout(this.#timer);
    for (const { slot } of this.#waiting.splice(0)) slot.go(performance.now());
  }

  #wind(now: number): void {
    const first = this.#waiting[0];
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, first.due - now));
  }

  #wake(): void {
    this.#timer = undefined;
    const now = performance.now();
    const waiting = this.#waiting;
    let count = 0;
    while (count < waiting.length && waiting[count]!.due <= now) waiting[count++]!.slot.wake(now);
    waiting.splice(0, count);
    this.#wind(now);
  }
}
