/**
 * What is measured in a comparison, and what it returns.
 *
 * @module
 */

import { Client } from "../lib/client/client.ts";
import { UnreachableError } from "../lib/client/errors.ts";
import { Histogram } from "../lib/load/histogram.ts";
import { Lines } from "../lib/load/lines.ts";
import { GENERATOR_LIMIT, runLoad } from "../lib/load/load.ts";
import type { LatencyRow } from "./aims/latency.ts";
import type { AimRow } from "./aims/measure.ts";
import type { UpkeepRow } from "./aims/upkeep.ts";
import type { ContestantId, LeftOut } from "./contestants.ts";
import { keyOf } from "./frames.ts";
import type { Machine } from "./machine.ts";

/** Calls on one connection, each when the one before is answered; or on a hundred, all to one key. */
export type CallKind = "set" | "get" | "set one key";

/** So many calls of one kind on one server. */
export interface CallRow {
  readonly contestant: ContestantId;
  readonly kind: CallKind;
  readonly calls: number;
  /** Those that were answered; fewer than `calls` where the time limit or a lost server ended it. */
  readonly answered: number;
  /** Those that were answered with an error, or with nothing where there should be something. */
  readonly refused: number;
  readonly seconds: number;
}

/** So many concurrent clients of one server, half of their requests gets and half sets. */
export interface ClientRow {
  readonly contestant: ContestantId | "echo";
  readonly clients: number;
  readonly requestsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Requests that failed, or were answered wrong. */
  readonly failed: number;
  /** Whether the generator was the limit, not the server. */
  readonly generatorLimited: boolean;
}

/** A comparison, as it is written to `comparison.json`. */
export interface Comparison {
  readonly machine: Machine;
  /** How it was called. */
  readonly command: string;
  /** Bytes. */
  readonly valueSize: number;
  /** How long one number of calls might take, in seconds. */
  readonly limit: number;
  readonly contestants: readonly {
    readonly id: ContestantId;
    readonly label: string;
    readonly command: string;
    readonly note: string;
  }[];
  readonly leftOut: readonly LeftOut[];
  readonly calls: readonly CallRow[];
  readonly clients: readonly ClientRow[];
  /** What the generator gets out of a server that only counts bytes, by number of clients. */
  readonly ceiling: readonly ClientRow[];
  /** Where each aim stands; and what must not get slower. */
  readonly aims: readonly AimRow[];
  readonly latencies: readonly LatencyRow[];
  readonly upkeep: readonly UpkeepRow[];
  /** How much of all cores' time went to processes that had nothing to do with it, 0 to 1. */
  readonly othersShare: number;
}

/** A server to be measured. */
export interface Target {
  readonly id: ContestantId | "echo";
  readonly port: number;
}

/** How many keys the concurrent clients share. */
const SHARED_KEYS = 1000;
/** How long a reply may take, in milliseconds. A store that holds writes back is slow at times. */
const TIMEOUT = 120_000;
/** How many clients set one and the same key concurrently. */
export const ONE_KEY_CONNECTIONS = 100;

/** So many calls of one kind, and what is known of the server. */
export interface CallTask {
  readonly kind: CallKind;
  readonly calls: number;
  /** Bytes. */
  readonly valueSize: number;
  /** No call begins after so many milliseconds. */
  readonly limit: number;
  /** How many keys gets may ask for. */
  readonly stored: number;
  /** Is told how many calls were answered. */
  readonly advance: (answered: number) => void;
}

/** Makes calls. */
export async function measureCalls(
  { id, port }: Target & { readonly id: ContestantId },
  { kind, calls, valueSize, limit, stored, advance }: CallTask,
): Promise<CallRow> {
  await using stack = new AsyncDisposableStack();
  const clients = Array.from({ length: kind === "set one key" ? ONE_KEY_CONNECTIONS : 1 }, () => {
    return stack.use(new Client({ servers: [`127.0.0.1:${port}`], timeout: TIMEOUT }));
  });
  await Promise.all(clients.map((client) => client.version()));
  const value = new Uint8Array(valueSize).fill(118);
  const callOf = {
    "set": (client: Client, index: number) => client.set(keyOf(index), value),
    "get": async (client: Client, index: number) => {
      if (await client.get(keyOf(index % stored)) === undefined) throw new Error("the key was set");
    },
    "set one key": (client: Client) => client.set("one-key", value),
  }[kind];
  let begun = 0;
  let answered = 0;
  let refused = 0;
  const start = performance.now();
  await Promise.all(clients.map(async (client) => {
    while (begun < calls && performance.now() - start < limit) {
      try {
        await callOf(client, begun++);
      } catch (error) {
        // Without its connection a client makes no more calls; the row shows how many are missing.
        if (error instanceof UnreachableError) return;
        refused++;
      }
      advance(++answered);
    }
  }));
  const seconds = (performance.now() - start) / 1000;
  return { contestant: id, kind, calls, answered, refused, seconds };
}

/** Sets every key that the concurrent clients share. */
export async function fill({ port }: Target, valueSize: number): Promise<void> {
  using client = new Client({ servers: [`127.0.0.1:${port}`], timeout: TIMEOUT });
  const value = new Uint8Array(valueSize).fill(118);
  await Promise.all(
    Array.from({ length: SHARED_KEYS }, (_, index) => client.set(keyOf(index), value)),
  );
}

/** Lets so many clients work concurrently for `duration` milliseconds. */
export async function measureClients(
  { id, port }: Target,
  clients: number,
  valueSize: number,
  duration: number,
): Promise<ClientRow> {
  // The echo server answers every get with the same key, so only that one is asked for.
  const keys = Lines.make(id === "echo" ? 1 : SHARED_KEYS, (out, index) => out.ascii(keyOf(index)));
  const { tally, seconds, generatorBusy } = await runLoad({
    threads: 1,
    servers: [`127.0.0.1:${port}`],
    timeout: TIMEOUT,
    clients,
    pipeline: 1,
    requests: Infinity,
    duration,
    // A store that takes a write a second answers the last of them late, and has not failed.
    grace: TIMEOUT,
    getRatio: 0.5,
    keys: keys.shared,
    keyDistribution: "uniform",
    valueSizes: String(valueSize),
    seed: 1,
  });
  const latency = new Histogram();
  latency.add(tally.commands.get.latency);
  latency.add(tally.commands.set.latency);
  return {
    contestant: id,
    clients,
    requestsPerSecond: tally.requests / seconds,
    p50: latency.percentile(50),
    p99: latency.percentile(99),
    failed: tally.errorCount + tally.wrongCount,
    generatorLimited: generatorBusy >= GENERATOR_LIMIT,
  };
}
