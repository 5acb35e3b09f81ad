/**
 * One TCP or TLS connection to one Redis, kept by ioredis: it finds the address, authenticates,
 * parses replies, keeps commands and replies together, and connects again.
 *
 * @module
 */

import { Redis, type RedisOptions } from "ioredis";
import { causeOf, failureOf, isDenied, isReplyError } from "./failure.ts";
import type { Request } from "./request.ts";

/** How long a connection that has been given up may take to end, in milliseconds. */
const ENDING = 50;
/** The longest pause before the next attempt to connect, in milliseconds. */
const RETRY = 200;
/** The same where Redis refuses the password or the rights. */
const RETRY_DENIED = 500;

/** What a {@linkcode Connection} tells. */
export interface ConnectionEvents {
  /** It is connected, and has authenticated if it can. */
  readonly opened: () => void;
  /** It is lost, or an attempt failed; the next comes by itself. */
  readonly lost: () => void;
}

/** What is needed of ioredis beyond its types: both are public there. */
interface Wire {
  readonly status: string;
  readonly stream: { readonly writable: boolean; write(bytes: Uint8Array): boolean };
  sendCommand(request: Request, sink: { write(): void }): unknown;
}

/** ioredis only notes the command: its bytes go out with the whole batch. */
const SINK = { write() {} };

export class Connection {
  /** When the last attempt began, by `performance.now()`. */
  attemptAt = performance.now();
  /** Whether Redis refuses the password or the rights. */
  denied = false;
  private readonly redis: Redis;
  private readonly wire: Wire;
  private lastError: Error | undefined;

  /** @param timeout for the TCP connection, in milliseconds */
  constructor(
    host: string,
    port: number,
    private readonly address: string,
    timeout: number,
    options: RedisOptions,
    events: ConnectionEvents,
  ) {
    this.redis = new Redis({
      ...options,
      host,
      port,
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
      retryStrategy: (times) => this.denied ? RETRY_DENIED : Math.min(20 * times, RETRY),
    });
    this.wire = this.redis as unknown as Wire;
    this.redis.on("connecting", () => {
      this.attemptAt = performance.now();
      this.denied = false;
    });
    this.redis.on("ready", events.opened);
    this.redis.on("error", (error: Error) => this.fault(error));
    this.redis.on("close", events.lost);
  }

  /** Whether there is a connection at all. */
  get isOpen(): boolean {
    return this.wire.status === "ready" || this.wire.status === "connect";
  }

  /** Whether bytes can be sent. */
  get isWritable(): boolean {
    // Were ioredis to refuse a command, its bytes must not go out: the replies would be others'.
    return this.wire.status === "ready" && this.wire.stream.writable;
  }

  /** Sends requests, whose bytes are in `payload`. Only while it {@linkcode isWritable}. */
  write(requests: readonly Request[], payload: Uint8Array): void {
    for (const request of requests) this.wire.sendCommand(request, SINK);
    this.wire.stream.write(payload);
  }

  /** Ends the connection, for the reason given, and makes another. */
  restart(why: Error): void {
    // What follows from a wrong password is not the cause.
    if (!this.denied) this.fault(why);
    this.attemptAt = performance.now();
    this.redis.disconnect(true);
  }

  /** Why it was lost, in words that can follow a colon. */
  get lossCause(): string {
    const cause = causeOf(this.lastError ?? "it closed the connection");
    return cause.replace(`Redis at ${this.address} `, "it ");
  }

  /** All is well again. */
  forgetFaults(): void {
    this.lastError = undefined;
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    const live = ["connecting", "connect", "ready"].includes(this.redis.status);
    const ended = new Promise<void>((resolve) => this.redis.once("end", () => resolve()));
    this.redis.disconnect();
    let timer: ReturnType<typeof setTimeout>;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, 2 * ENDING));
    await (live ? Promise.race([ended, limit]) : limit);
    clearTimeout(timer!);
  }

  private fault(error: Error): void {
    this.lastError = isReplyError(error) ? failureOf(error, this.address) : error;
    this.denied = isDenied(error);
  }
}
