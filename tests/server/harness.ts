/**
 * A server for tests: a store, a clock that can be moved, and one connection or many to it.
 *
 * Most tests speak to a {@linkcode Connection} over a {@linkcode ScriptedSocket}, which delivers the
 * bytes in exactly the pieces that a test wants; what needs a network listens on a free port.
 *
 * @module
 */

import { binaryString, bytesOfBinaryString } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import type { Context } from "../../lib/commands/context.ts";
import { Crawls } from "../../lib/commands/crawls.ts";
import { Listings } from "../../lib/commands/listings.ts";
import { Counters } from "../../lib/observe/counters.ts";
import { PrefixCounts } from "../../lib/observe/prefixes.ts";
import { Watchers } from "../../lib/observe/watch.ts";
import { Rounds } from "../../lib/rounds.ts";
import type { Protocols } from "../../lib/protocol/negotiation.ts";
import { ClientMemory } from "../../lib/server/client_memory.ts";
import { Connection } from "../../lib/server/connection.ts";
import { type Policy, Server } from "../../lib/server/server.ts";
import type { Socket } from "../../lib/server/socket.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import type { Store } from "../../lib/storage/contract.ts";

/** What `version` answers in tests. */
export const VERSION = "1.6.45-kvs-test";

/** What a test may want otherwise. */
export interface HarnessOptions {
  /** The clock that the store was opened with, where the test opens it. */
  readonly clock?: AdjustableClock;
  /** Opens the store, which the harness closes at its end; without it one in memory. */
  readonly store?: () => Store;
  readonly context?: Partial<Context>;
  /** Seconds of silence after which a connection is closed; 0 for never. */
  readonly idleTimeout?: number;
  /** How the server treats its connections otherwise. */
  readonly policy?: Partial<Policy>;
  /** The protocols that its listener takes. */
  readonly protocols?: Protocols;
}

/** A socket whose client sends what the script says and then leaves. */
export class ScriptedSocket implements Socket {
  /** All that the server wrote. */
  written = "";
  /** How many writes that took. */
  writes = 0;
  closed = false;
  readonly #pieces: Uint8Array[];

  /** @param pieces what each read brings, one character a byte. */
  constructor(pieces: readonly string[]) {
    this.#pieces = pieces.map(bytesOfBinaryString);
  }

  read(into: Uint8Array): Promise<number | null> {
    const piece = this.#pieces.shift();
    if (piece === undefined) return Promise.resolve(null);
    const count = Math.min(piece.length, into.length);
    into.set(piece.subarray(0, count));
    if (count < piece.length) this.#pieces.unshift(piece.subarray(count));
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    this.written += binaryString(bytes);
    this.writes++;
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.closed = true;
  }
}

/** A store and all that commands need around it, without a network. */
export class Harness implements AsyncDisposable {
  readonly clock: AdjustableClock;
  readonly store: Store;
  readonly context: Context;
  /** What was said to the operator. */
  readonly said: string[] = [];
  readonly #listening: { server: Server; serving: Promise<void>; port: number } | undefined;
  readonly #protocols: Protocols;

  /** @param listens whether there is a server on a free port as well. */
  constructor(options: HarnessOptions = {}, listens = false) {
    const log = (line: string) => void this.said.push(line);
    this.#protocols = options.protocols ?? "auto";
    this.clock = options.clock ?? new AdjustableClock();
    this.store = options.store?.() ??
      openMemoryStore({ clock: this.clock, log, limit: 0, evict: true });
    this.context = {
      store: this.store,
      storeName: "memory",
      clock: this.clock,
      log,
      counters: new Counters(),
      limits: { itemSize: 2 ** 20 },
      version: VERSION,
      threads: 1,
      crawls: new Crawls(),
      listings: new Listings(),
      allowFlush: true,
      allowDump: true,
      allowWatch: true,
      usesCas: true,
      users: undefined,
      sasl: false,
      debugClock: undefined,
      shutdown: undefined,
      watchers: new Watchers(),
      prefixes: new PrefixCounts(":", false),
      trackSizes: false,
      requestsPerTurn: Infinity,
      replyMemory: Infinity,
      closesIdle: (options.idleTimeout ?? 0) > 0,
      live: {
        verbosity: 0,
        memoryLimit: 2 ** 26,
        oldestLive: 0,
        lruCrawler: true,
        lruCrawlerSleep: 100,
        lruCrawlerToCrawl: 0,
      },
      accepting: () => ({ now: true, disabled: { count: 0, time: 0 } }),
      connections: () => this.#listening?.server.size ?? 1,
      connectionsBy: () => this.#listening?.server.connectionsBy() ?? [],
      describeConnections: () => this.#listening?.server.describe() ?? [],
      describeThreads: () => [],
      describeLimits: () => this.#listening?.server.describeLimits() ?? [],
      maxConnections: 100,
      settings: [["maxconns", 100], ["flush_enabled", "yes"]],
      started: this.clock.now(),
      ...options.context,
    };
    if (!listens) return;
    const server = new Server(this.context, {
      idleTimeout: options.idleTimeout ?? 0,
      ...options.policy,
    });
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    this.#listening = { server, port, serving: server.accept(listener, this.#protocols) };
  }

  /** The server that listens. */
  get server(): Server {
    if (this.#listening === undefined) throw new Error("this harness does not listen");
    return this.#listening.server;
  }

  /** The port that the server listens on. */
  get port(): number {
    if (this.#listening === undefined) throw new Error("this harness does not listen");
    return this.#listening.port;
  }

  /** Sends pieces, each read by the server on its own, and returns all that comes back. */
  async exchange(pieces: readonly string[]): Promise<string> {
    const socket = new ScriptedSocket(pieces);
    await this.serve(socket);
    return socket.written;
  }

  /** Serves a client to its end. */
  serve(socket: Socket): Promise<void> {
    return this.connection(socket).serve();
  }

  /** A connection that is yet to be served. */
  connection(socket: Socket, rounds = new Rounds()): Connection {
    const { clock } = this;
    const surroundings = {
      ticks: 0,
      get seconds() {
        return Math.floor(clock.now() / 1000);
      },
      rounds,
      memory: new ClientMemory(Infinity, this.context.log),
    };
    const origin = { id: 1, name: "tcp:127.0.0.1:1", protocols: this.#protocols };
    return new Connection(socket, this.context, surroundings, origin);
  }

  /** Moves the clock. */
  advance(seconds: number): void {
    this.clock.offset += seconds * 1000;
  }

  /** A connection over the network. */
  async connect(): Promise<Deno.TcpConn> {
    return await Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#listening !== undefined) {
      await this.#listening.server.drain();
      await this.#listening.serving;
    }
    await this.store.close();
  }
}
