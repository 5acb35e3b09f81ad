/**
 * One HTTP request and its answer: authentication, connections and a time limit. No retries here.
 *
 * `fetch` would do it too, but sends a request again by itself when a kept-alive connection dies (a
 * write that is sent twice in silence meets its own condition), unless its body is a `Blob` or stream,
 * and takes three times the CPU.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { messageOf, StoreError } from "../../errors.ts";
import { type Address, Connection } from "./connection.ts";
import type { Counters } from "./counters.ts";
import type { Credentials } from "./credentials.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Gate } from "./gate.ts";
import type { Answer } from "./response.ts";

/** A request. */
export interface Request {
  readonly method: "GET" | "POST" | "DELETE";
  /** Path and query, after the endpoint, in ASCII. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
}

/** No whole answer came. */
export class Unanswered extends Error {
  override name = "Unanswered";

  /** @param sent whether what was asked may have been done, or may yet be done. */
  constructor(readonly kind: "broken" | "silent", readonly sent: boolean, message: string) {
    super(message);
  }
}

/** A connection that has had nothing to do for so long is ended, in milliseconds. */
const idleAtMost = 60_000;

/** Sends requests to one endpoint. */
export class Transport {
  readonly #address: Address;
  readonly #host: string;
  /** Connections that wait for a request, those used last at the end. */
  #free: Connection[] = [];
  readonly #sweeper: ReturnType<typeof setInterval>;
  #closed = false;

  /** @param endpoint such as `https://storage.googleapis.com`. */
  constructor(
    endpoint: string,
    readonly credentials: Credentials | undefined,
    readonly deadlines: Deadlines,
    readonly counters: Counters,
  ) {
    const { protocol, hostname, port, host } = new URL(endpoint);
    const tls = protocol === "https:";
    this.#address = {
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? tls ? 443 : 80 : Number(port),
      tls,
    };
    this.#host = host;
    this.#sweeper = setInterval(() => this.#sweep(), idleAtMost / 4);
  }

  /**
   * Sends a request once; a second time where the service no longer takes the credentials.
   *
   * @param gate what limits the requests under way, or `undefined` for one that goes beside them.
   * @param until when it must be done, as `performance.now()` tells time.
   * @param limit how long it may take once it is under way, in milliseconds.
   * @throws {Unanswered} where no whole answer came.
   * @throws {StoreError} where there are no credentials, or too many requests wait.
   */
  async send(
    request: Request,
    gate: Gate | undefined,
    until: number,
    limit: number,
  ): Promise<Answer> {
    if (gate !== undefined && !gate.tryEnter()) await gate.enter(until);
    try {
      const rest = Math.min(limit, until - performance.now());
      if (rest <= 0) throw new Unanswered("silent", false, "no answer came in time");
      const answer = await this.#once(request, rest);
      if (answer.status !== 401 || this.credentials === undefined) return answer;
      this.credentials.renew();
      return await this.#once(request, rest);
    } finally {
      gate?.leave();
    }
  }

  /** Ends the connections that nobody uses; who uses one has a deadline. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    for (const connection of this.#free.splice(0)) connection.close();
  }

  async #once(request: Request, limit: number): Promise<Answer> {
    if (this.#closed) throw new StoreError("The bucket store is closed");
    const controller = new AbortController();
    const { signal } = controller;
    let connection: Connection | undefined;
    let sent = false;
    const giveUp = () => {
      controller.abort();
      connection?.close();
    };
    const deadline = this.deadlines.set(performance.now() + limit, giveUp);
    try {
      const authorization = await this.credentials?.authorization(signal);
      connection = this.#take() ?? await Connection.to(this.#address, signal);
      signal.throwIfAborted();
      this.counters.requests++;
      sent = true;
      const answer = await connection.send(this.#headOf(request, authorization), request.body);
      this.#give(connection);
      return answer;
    } catch (error) {
      connection?.close();
      if (error instanceof StoreError) throw error;
      if (signal.aborted) throw new Unanswered("silent", sent, "no answer came in time");
      throw new Unanswered("broken", sent, messageOf(error).split("\n")[0]);
    } finally {
      this.deadlines.clear(deadline);
    }
  }

  #headOf({ method, path, contentType, body }: Request, authorization: string | undefined): Buffer {
    let head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\nuser-agent: kvs\r\n` +
      "accept-encoding: identity\r\n";
    if (authorization !== undefined) head += `authorization: ${authorization}\r\n`;
    if (contentType !== undefined) head += `content-type: ${contentType}\r\n`;
    if (body !== undefined) head += `content-length: ${body.length}\r\n`;
    return Buffer.from(`${head}\r\n`, "latin1");
  }

  #take(): Connection | undefined {
    for (let last = this.#free.pop(); last !== undefined; last = this.#free.pop()) {
      if (last.isFree) return last;
    }
    return undefined;
  }

  #give(connection: Connection): void {
    if (this.#closed) return connection.close();
    if (!connection.isFree) return;
    connection.idleSince = performance.now();
    this.#free.push(connection);
  }

  #sweep(): void {
    const since = performance.now() - idleAtMost;
    const [kept, ended]: [Connection[], Connection[]] = [[], []];
    for (const connection of this.#free) {
      (connection.isFree && connection.idleSince > since ? kept : ended).push(connection);
    }
    this.#free = kept;
    for (const connection of ended) connection.close();
  }
}
