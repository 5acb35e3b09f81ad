/**
 * A thread of its own for a part of the load.
 *
 * @module
 */

/// <reference lib="webworker" />

import { messageOf } from "../errors.ts";
import { type Plan, Runner } from "./runner.ts";
import type { TallyMessage } from "./tally.ts";

/** What a worker is told: its plan, then when to begin, and perhaps to stop early. */
export type Order = { readonly plan: Plan } | "begin" | "stop";

/** What a worker tells. */
export type News =
  | { readonly kind: "connected" }
  | { readonly kind: "cannot connect"; readonly reason: string }
  | {
    readonly kind: "progress";
    readonly requests: number;
    readonly errors: number;
    readonly latency: { readonly counts: Float64Array; readonly max: number };
  }
  | { readonly kind: "done"; readonly tally: TallyMessage };

/** How often a worker tells how far it is, in milliseconds. */
const NEWS_INTERVAL = 200;

const thread = globalThis as unknown as DedicatedWorkerGlobalScope;
const tell = (news: News) => thread.postMessage(news);

let runner: Runner | undefined;

thread.onmessage = async ({ data: order }: MessageEvent<Order>) => {
  if (order === "stop") return runner?.stop();
  if (order !== "begin") {
    runner = new Runner(order.plan);
    try {
      await runner.connect();
      return tell({ kind: "connected" });
    } catch (error) {
      return tell({ kind: "cannot connect", reason: messageOf(error) });
    }
  }
  const { tally } = runner!;
  const timer = setInterval(() => {
    const { counts, max } = tally.latency();
    const { requests, errorCount: errors } = tally;
    tell({ kind: "progress", requests, errors, latency: { counts, max } });
  }, NEWS_INTERVAL);
  await runner!.run();
  clearInterval(timer);
  tell({ kind: "done", tally: tally.message() });
};
