/**
 * One connection to one Redis, kept by ioredis: it parses replies, keeps commands and replies
 * together, and connects again. It sends nothing of its own: the link shakes hands.
 *
 * @module
 */

import { type Command, Redis } from "ioredis";
import type { ConnectionOptions } from "node:tls";
import { Dialer, type Place } from "./dialer.ts";
import { causeOf, Refusal } from "./failure.ts";
import type { Request } from "./request.ts";

/** How long a connection that has been given up may take to end, in milliseconds. */
const ENDING = 50;
/** The longest pause before the next attempt to connect, in milliseconds. */
const RETRY = 200;
/** The same where Redis refuses the password or the rights. */
const RETRY_DENIED = 500;

/** What a {@linkcode Connection} tells. */
export interface ConnectionEvents {
  /** It is connected. */
  readonly opened: () => void;
  /** It is lost, or an attempt failed; the next comes by itself. */
  readonly lost: () => void;
}

/** ioredis only notes the command: its bytes go out with the whole batch. */
const SINK = { write: () => true } as unknown as Parameters<Redis["sendCommand"]>[1];

export class Connection {
  /** When the last attempt began, by `performance.now()`. */
  attemptAt = performance.now();
  readonly #redis: Redis;
  readonly #dialer: Dialer;
  /** Why it was ended, or what went wrong with it. */
  #lastError: Error | undefined;
  #denied = false;

  /** @param timeout for the TCP connection, in milliseconds */
  constructor(
    place: Place,
    timeout: number,
    tls: ConnectionOptions | undefined,
    events: ConnectionEvents,
  ) {
    const made: Dialer[] = [];
    this.#redis = new Redis({
      Connector: class extends Dialer {
        constructor() {
          super(place, tls, ENDING);
          made.push(this);
        }
      },
      // It only says which of the socket's events means that it is connected.
      ...(tls !== undefined && { tls }),
      // The link's handshake says more than this, and fences the connection before.
      enableReadyCheck: false,
      // An unconfirmed write is never sent again, and nothing waits where it cannot be given up.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      disableClientInfo: true,
      connectTimeout: timeout,
      disconnectTimeout: ENDING,
      keepAlive: 10_000,
      retryStrategy: (times) => this.#denied ? RETRY_DENIED : Math.min(20 * times, RETRY),
    });
    this.#dialer = made[0];
    this.#redis.on("connecting", () => {
      this.attemptAt = performance.now();
      this.#lastError = undefined;
      this.#denied = false;
    });
    this.#redis.on("ready", events.opened);
    this.#redis.on("error", (error: Error) => this.#lastError ??= error);
    this.#redis.on("close", events.lost);
  }

  /** Whether there is a connection at all. */
  get isOpen(): boolean {
    return this.#redis.status === "ready" || this.#redis.status === "connect";
  }

  /** Whether bytes can be sent. */
  get isWritable(): boolean {
    // Were ioredis to refuse a command, its bytes must not go out: the replies would be others'.
    return this.#redis.status === "ready" && this.#dialer.isWritable;
  }

  /** Whether it leads to that address; so also where it leads nowhere yet. */
  leadsTo(host: string, port: number): boolean {
    return !this.isOpen || this.#dialer.leadsTo(host, port);
  }

  /** Sends requests, whose bytes are in `payload`. Only while it {@linkcode isWritable}. */
  write(requests: readonly Request[], payload: Uint8Array): void {
    // A request has what `sendCommand` needs of a command; tests/storage/redis/ioredis.test.ts holds
    // this release of ioredis to that.
    for (const request of requests) this.#redis.sendCommand(request as unknown as Command, SINK);
    this.#dialer.write(payload);
  }

  /** Ends the connection, for the reason given, and makes another. */
  restart(why: Error): void {
    // What follows from the first fault is not the cause.
    this.#lastError ??= why;
    this.#denied = why instanceof Refusal && why.kind === "denied";
    this.attemptAt = performance.now();
    this.#redis.disconnect(true);
  }

  /** Why it was lost, in words that can follow a colon. */
  get lossCause(): string {
    return causeOf(this.#lastError ?? "it closed the connection");
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    const live = ["connecting", "connect", "ready"].includes(this.#redis.status);
    const ended = new Promise<void>((resolve) => this.#redis.once("end", () => resolve()));
    this.#redis.disconnect();
    let timer: ReturnType<typeof setTimeout>;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, 2 * ENDING));
    await (live ? Promise.race([ended, limit]) : limit);
    clearTimeout(timer!);
  }
}
