/**
 * A load on one or more threads, and what came of it.
 *
 * @module
 */

import process from "node:process";
import { Exit, ExitError, messageOf } from "../errors.ts";
import { orAborted } from "../or_aborted.ts";
import { Histogram } from "./histogram.ts";
import { type Plan, Runner } from "./runner.ts";
import { Tally } from "./tally.ts";
import type { News, Order } from "./worker.ts";

/** What came of a load. */
export interface Outcome {
  readonly tally: Tally;
  readonly clients: number;
  readonly threads: number;
  readonly seconds: number;
  /** The share of the cores that its threads could use that it used: near 1, it was the limit. */
  readonly generatorBusy: number;
}

/** From this share of its threads' time on, the generator counts as the limit. */
export const GENERATOR_LIMIT = 0.9;

/** How far a load has come. */
export interface Advance {
  readonly requests: number;
  readonly errors: number;
  /** Since the first request, in seconds. */
  readonly seconds: number;
  /** Adds up the latencies so far. */
  readonly latency: () => Histogram;
}

/** How a load is watched and ended early. */
export interface Watch {
  readonly advance?: (advance: Advance) => void;
  /** When it aborts, no request begins any more; what is in flight is waited for. */
  readonly stop?: AbortSignal;
}

/** How often `advance` is called, in milliseconds. */
const WATCH_INTERVAL = 100;

/** One thread, wherever it runs. */
interface Part extends Disposable {
  connect(): Promise<void>;
  run(): Promise<void>;
  stop(): void;
  /** How far it is. */
  readonly requests: number;
  readonly errors: number;
  latency(): Pick<Histogram, "counts" | "max">;
  addTo(tally: Tally): void;
}

/**
 * Puts a load on servers: first every client connects, then all begin together.
 *
 * @throws {ExitError} 69 if a client cannot connect, 130 if it was stopped before all were connected.
 */
export async function runLoad(
  plan: Omit<Plan, "thread">,
  { advance, stop }: Watch = {},
): Promise<Outcome> {
  const plans = dividedPlan(plan);
  using stack = new DisposableStack();
  const parts = plans.map((part) => stack.use(plans.length === 1 ? inline(part) : worker(part)));
  const end = () => parts.forEach((part) => part.stop());
  stop?.addEventListener("abort", end);
  stack.defer(() => stop?.removeEventListener("abort", end));
  try {
    const connecting = Promise.all(parts.map((part) => part.connect()));
    await (stop === undefined ? connecting : orAborted(connecting, stop));
  } catch (error) {
    if (stop?.aborted) throw new ExitError("interrupted", Exit.interrupted);
    throw new ExitError(messageOf(error), Exit.unavailable);
  }
  const start = performance.now();
  const cpu = process.cpuUsage();
  const timer = setInterval(() => {
    advance?.({
      requests: parts.reduce((sum, part) => sum + part.requests, 0),
      errors: parts.reduce((sum, part) => sum + part.errors, 0),
      seconds: (performance.now() - start) / 1000,
      latency() {
        const all = new Histogram();
        for (const part of parts) all.add(part.latency());
        return all;
      },
    });
  }, WATCH_INTERVAL);
  stack.defer(() => clearInterval(timer));
  await Promise.all(parts.map((part) => part.run()));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cores = Math.min(plans.length, navigator.hardwareConcurrency);
  const tally = new Tally();
  for (const part of parts) part.addTo(tally);
  return {
    tally,
    clients: plan.clients,
    threads: plans.length,
    seconds,
    generatorBusy: (user + system) / 1e6 / seconds / cores,
  };
}

/** Each thread's share; no thread is without a client. */
function dividedPlan(plan: Omit<Plan, "thread">): Plan[] {
  const threads = Math.min(plan.threads, plan.clients);
  return Array.from({ length: threads }, (_, thread) => {
    const clients = Math.floor((plan.clients + thread) / threads);
    const rate = plan.rate === undefined ? {} : { rate: plan.rate * clients / plan.clients };
    return { ...plan, ...rate, thread, threads, clients };
  });
}

/** The load of a thread in this one. */
function inline(plan: Plan): Part {
  const runner = new Runner(plan);
  return {
    connect: () => runner.connect(),
    run: () => runner.run(),
    stop: () => runner.stop(),
    get requests() {
      return runner.tally.requests;
    },
    get errors() {
      return runner.tally.errorCount;
    },
    latency: () => runner.tally.latency(),
    addTo: (tally) => tally.add(runner.tally.message()),
    [Symbol.dispose]: () => runner[Symbol.dispose](),
  };
}

/** The load of a thread in a worker. */
function worker(plan: Plan): Part {
  const thread = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const tell = (order: Order) => thread.postMessage(order);
  const connected = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const total = new Tally();
  let progress: Omit<Extract<News, { kind: "progress" }>, "kind"> = {
    requests: 0,
    errors: 0,
    latency: new Histogram(),
  };
  thread.onerror = (event) => {
    event.preventDefault();
    connected.reject(new Error(event.message));
    done.reject(new Error(event.message));
  };
  // Whoever stops waiting because of one failure leaves the other promise alone.
  done.promise.catch(() => {});
  thread.onmessage = ({ data: news }: MessageEvent<News>) => {
    switch (news.kind) {
      case "connected":
        return connected.resolve();
      case "cannot connect":
        return connected.reject(new Error(news.reason));
      case "progress":
        progress = news;
        return;
      case "done":
        total.add(news.tally);
        return done.resolve();
    }
  };
  return {
    connect() {
      tell({ plan });
      return connected.promise;
    },
    run() {
      tell("begin");
      return done.promise;
    },
    stop: () => tell("stop"),
    get requests() {
      return progress.requests;
    },
    get errors() {
      return progress.errors;
    },
    latency: () => progress.latency,
    addTo: (tally) => tally.add(total.message()),
    [Symbol.dispose]: () => thread.terminate(),
  };
}
