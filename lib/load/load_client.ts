/**
 * One client of many: its own connection to each server, and its requests in flight.
 *
 * @module
 */

import type { Address } from "../client/address.ts";
import { Connection, type ConnectionOptions, type Waiting } from "../client/connection.ts";
import type { Ring } from "../client/ring.ts";
import type { Expect, Reply } from "../protocol/client_dialect.ts";
import type { Write } from "./ledger.ts";
import type { Pace } from "./pace.ts";
import type { Command } from "./tally.ts";
import type { Request, Workload } from "./workload.ts";

/** After a lost connection the client waits so long before it tries again, in milliseconds. */
const PAUSE = 100;

/**
 * A timer comes so late by itself, in milliseconds. It is not the server's doing, and not counted,
 * where the client had nothing to wait for but the timer.
 */
const TIMER_LATENESS = 2.5;

/** What all clients of a thread have in common. */
export interface Surroundings {
  readonly servers: readonly Address[];
  /** Which server has a key; absent for one server. */
  readonly ring: Ring | undefined;
  readonly connection: ConnectionOptions;
  readonly workload: Workload;
  /** Wakes a slot at a time of `performance.now()`. */
  wake(slot: Slot, due: number): void;
  /** A slot has no more to do. */
  finished(): void;
}

/** A client. */
export class LoadClient implements Disposable {
  /** Sets that were sent and not answered, by key, where answers are verified. */
  readonly own = new Map<number, Write>();
  /** Whether the run has ended without the replies that are still due. */
  abandoned = false;
  readonly #connections: (Connection | undefined)[] = [];

  constructor(readonly surroundings: Surroundings) {}

  /** Connects to all servers. Rejects as {@linkcode Connection.request} does. */
  async connect(): Promise<void> {
    await Promise.all(
      this.surroundings.servers.map((_, server) =>
        this.#connection(server).request((requests, out, opaque) => requests.noop(out, opaque))
      ),
    );
  }

  /** Begins to send, `pipeline` requests in flight. */
  start(pace: Pace, pipeline: number): void {
    const now = performance.now();
    for (let i = 0; i < pipeline; i++) new Slot(this, pace).go(now);
  }

  /** Sends a whole request to the server that has the key. */
  send(frame: Uint8Array, key: Uint8Array, slot: Slot): void {
    this.#connection(this.surroundings.ring?.serverOf(key) ?? 0).send(frame, slot);
  }

  /** Waits no longer: what is in flight fails as unanswered, and nothing more is sent. */
  abandon(): void {
    this.abandoned = true;
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections) connection?.close();
  }

  #connection(server: number): Connection {
    const open = this.#connections[server];
    if (open !== undefined && !open.closed) return open;
    const { servers, connection } = this.surroundings;
    return this.#connections[server] = new Connection(servers[server]!, connection);
  }
}

/** A place in the pipeline: one request after the other, as the pace has it. */
export class Slot implements Waiting, Request {
  expect: Expect = "value";
  opaque = 0;
  command: Command = "get";
  key = 0;
  write: Write | undefined;
  least = 0;
  before: Write | undefined;
  #due = 0;

  readonly #client: LoadClient;
  readonly #pace: Pace;

  constructor(client: LoadClient, pace: Pace) {
    this.#client = client;
    this.#pace = pace;
  }

  /** Does what is next: sends, waits until something is due, or ends. */
  go(now: number): void {
    const due = this.#pace.next(now);
    if (due === undefined) return this.#client.surroundings.finished();
    this.#due = due;
    if (due <= now) this.#send();
    else this.#client.surroundings.wake(this, due);
  }

  /** Sends the request that it has waited for. */
  wake(now: number): void {
    if (now - this.#due <= TIMER_LATENESS) this.#due = now;
    this.#send();
  }

  #send(): void {
    const { workload } = this.#client.surroundings;
    workload.choose(this);
    const frame = workload.prepare(this, this.#client.own);
    this.#client.send(frame, workload.keyOf(this), this);
  }

  resolve(reply: Reply): void {
    const now = performance.now();
    const client = this.#client;
    client.surroundings.workload.answered(this, reply, now - this.#due, client.own);
    this.go(now);
  }

  reject(error: Error): void {
    const client = this.#client;
    client.surroundings.workload.failed(this, client.abandoned ? undefined : error, client.own);
    if (client.abandoned) return this.go(performance.now());
    setTimeout(() => this.go(performance.now()), PAUSE);
  }
}
