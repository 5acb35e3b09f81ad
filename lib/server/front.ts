/**
 * Who serves connections: this thread, or several.
 *
 * @module
 */

import type { Context } from "../commands/context.ts";
import type { Configuration } from "./configuration.ts";
import type { Figure } from "../protocol/outcome.ts";
import type { Member } from "./access/access.ts";
import { type Encryption, listen, type Listening, type Place, placesOf } from "./listen.ts";
import { type Connections, policyOf } from "./make_context.ts";
import { Server } from "./server.ts";
import type { Talker, talkerOrders } from "./talkers.ts";

/** What is to be read again. */
export interface Again {
  readonly certificates: boolean;
  readonly users: boolean;
}

/** What serves connections. */
export interface Front extends Connections {
  /** Resolves, with a sentence, when it cannot go on. */
  readonly died: Promise<string>;
  /** Gets ready to serve. */
  start(context: Context): Promise<void>;
  /**
   * Opens all listeners.
   *
   * @throws {ExitError} 71, in one line, where an address cannot be listened on
   */
  listen(): Promise<readonly Place[]>;
  /** The connections of this thread, as far as their users matter. */
  members(): Iterable<Member>;
  /** Accepts connections from now on. */
  accept(): Promise<void>;
  /** The connections that have moved the most bytes, so many at most. */
  talkers(order: keyof typeof talkerOrders, most: number): readonly Talker[];
  /** Brings what is counted up to date, as far as other threads tell. Never rejects. */
  refresh(): Promise<void>;
  /** By how much the event loops of other threads were late at most, in seconds each, in their order. */
  loopLag(): readonly number[];
  /**
   * What was read again here other threads read too.
   *
   * @returns how many connections of theirs that has ended
   */
  reload(again: Again): Promise<number>;
  /** Stops: what was read is answered, then every connection is closed. */
  drain(): Promise<void>;
  /** Ends all threads but this, whatever they do, and listeners that nobody accepts from. */
  end(): void;
}

/** This thread alone. */
export class OneThread implements Front {
  readonly died: Promise<string> = new Promise(() => {});
  #server!: Server;
  #isAccepting = false;
  #listening: readonly Listening[] = [];

  readonly #configuration: Configuration;
  readonly #tls: Encryption | undefined;

  /** @param tls what TLS listeners encrypt with */
  constructor(configuration: Configuration, tls: Encryption | undefined) {
    this.#configuration = configuration;
    this.#tls = tls;
  }

  get size(): number {
    return this.#server.size;
  }

  get isAccepting(): boolean {
    return this.#server.isAccepting;
  }

  get listenDisabled(): { readonly count: number; readonly time: number } {
    return this.#server.listenDisabled;
  }

  start(context: Context): Promise<void> {
    this.#server = new Server(context, policyOf(this.#configuration, this.#tls?.by));
    return Promise.resolve();
  }

  members(): Iterable<Member> {
    return this.#server?.members ?? [];
  }

  async listen() {
    const { endpoints, listenBacklog: backlog, unixSocket: path, unixMask: mode, protocol } =
      this.#configuration;
    const socket = path === undefined ? undefined : { path, mode, protocol };
    this.#listening = await listen({ endpoints, backlog, tls: this.#tls, ...socket && { socket } });
    return placesOf(this.#listening);
  }

  accept(): Promise<void> {
    this.#isAccepting = true;
    for (const { listener, protocol } of this.#listening) this.#server.accept(listener, protocol);
    return Promise.resolve();
  }

  connectionsBy() {
    return this.#server.connectionsBy();
  }

  describe() {
    return this.#server.describe();
  }

  describeThreads(): readonly Figure[] {
    return this.#server.describeThreads();
  }

  describeLimits() {
    return this.#server.describeLimits();
  }

  talkers(order: keyof typeof talkerOrders, most: number): readonly Talker[] {
    return this.#server.talkers(order, most);
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  loopLag(): readonly number[] {
    return [];
  }

  reload(): Promise<number> {
    return Promise.resolve(0);
  }

  drain(): Promise<void> {
    return this.#server.drain();
  }

  end(): void {
    if (this.#isAccepting) return;
    for (const { listener } of this.#listening) listener.close();
  }
}
