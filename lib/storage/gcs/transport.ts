/**
 * One HTTP request and its answer: authentication, connections and a time limit. No retries here.
 *
 * undici carries them. `fetch` would, but sends a request again by itself when a kept-alive connection
 * dies: a write that is sent twice in silence meets its own condition. What undici has begun to send
 * it never sends again, says when it begins, and takes half the CPU for a write.
 *
 * @module
 */

import type { Socket } from "node:net";
import { buildConnector, type Dispatcher, EnvHttpProxyAgent, Pool } from "undici";
import { messageOf, StoreError } from "../../errors.ts";
import type { CauseOf, Exchanged, Result } from "../exchanges.ts";
import type { Counters } from "./counters.ts";
import type { Credentials } from "../google_credentials.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Gate } from "./gate.ts";

/** A connection that has had nothing to do for so long is ended, in milliseconds. */
const idleAtMost = 60_000;

/** The environment's names for a proxy, as curl and Google's own libraries know them. */
const proxyNames = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];

/** The longest body of an answer, in bytes: the greatest item. */
export const greatestBody = 1 << 30;

/** What is said of a request that had no answer when its time was up. */
const tooLate = "no answer came in time";

/** What a request does, by its method. */
const operations = { GET: "read", POST: "write", PUT: "write", DELETE: "delete" } as const;

/** An answer with its whole body. */
export interface Answer {
  readonly status: number;
  /** By their names in lower case; a list where one came more than once. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A request. */
export interface Request {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path and query, after the endpoint, in ASCII. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
  /** More headers, by their names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long it may take once it is under way, in milliseconds, where not as long as the others. */
  readonly attempt?: number;
}

/** No whole answer came. */
export class Unanswered extends Error {
  override name = "Unanswered";

  /** @param sent whether what was asked may have been done, or may yet be done. */
  constructor(readonly kind: "broken" | "silent", readonly sent: boolean, message: string) {
    super(message);
  }
}

/** Sends requests to one endpoint. */
export class Transport {
  readonly #dispatcher: Dispatcher;
  #closed = false;

  /**
   * @param endpoint such as `https://storage.googleapis.com`.
   * @param attempt how long a request may take once it is under way, in milliseconds.
   */
  constructor(
    readonly endpoint: string,
    readonly attempt: number,
    readonly credentials: Credentials | undefined,
    readonly deadlines: Deadlines,
    readonly counters: Counters,
    readonly onExchanged?: (exchanged: Exchanged) => void,
    readonly causeOf?: CauseOf,
  ) {
    // With HTTP/2 all requests would share one connection, and a dead one would hold up them all.
    const allowH2 = false;
    // The deadlines see to all times but that of an idle connection.
    const connector = buildConnector({ allowH2, timeout: 0 });
    const connect: buildConnector.connector = (options, done) => {
      const connected: buildConnector.Callback = (...result) => {
        deadlines.clear(deadline);
        done(...result);
      };
      // A connector returns the socket that is to be connected, though its type does not say so.
      const socket = connector(options, connected) as unknown as Socket;
      const deadline = deadlines.set(
        performance.now() + attempt,
        () => socket.destroy(new Error("no connection came about in time")),
      );
    };
    const options = {
      allowH2,
      connect,
      keepAliveTimeout: idleAtMost,
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#dispatcher = proxyNames.some((name) => Deno.env.get(name))
      ? new EnvHttpProxyAgent(options)
      : new Pool(endpoint, options);
  }

  /**
   * Sends a request once; a second time where the service no longer takes the credentials.
   *
   * @param gate what limits the requests under way, or `undefined` for one that goes beside them.
   * @param until when it must be done, as `performance.now()` tells time.
   * @throws {Unanswered} where no whole answer came.
   * @throws {StoreError} where there are no credentials, or too many requests wait.
   */
  async send(request: Request, gate: Gate | undefined, until: number): Promise<Answer> {
    if (gate !== undefined && !gate.tryEnter()) await gate.enter(until);
    try {
      const now = performance.now();
      const late = Math.min(now + (request.attempt ?? this.attempt), until);
      if (late <= now) throw new Unanswered("silent", false, tooLate);
      const { header, answer } = await this.#once(request, late);
      if (answer.status !== 401 || header === undefined) return answer;
      this.credentials!.refuse(header);
      return (await this.#once(request, late)).answer;
    } finally {
      gate?.leave();
    }
  }

  /** Ends the connections, and what is under way on them. */
  async close(): Promise<void> {
    this.#closed = true;
    this.credentials?.stop();
    await this.#dispatcher.destroy();
  }

  /** One try, with the header by which it was authorized. */
  async #once(
    { method, path, contentType, body, headers: more }: Request,
    late: number,
  ): Promise<{ readonly header: string | undefined; readonly answer: Answer }> {
    if (this.#closed) throw new StoreError("The bucket is closed");
    const exchange = new Exchange();
    const deadline = this.deadlines.set(late, () => exchange.giveUp());
    try {
      const headers: Record<string, string> = {
        "user-agent": "kvs",
        "accept-encoding": "identity",
        ...more,
      };
      if (this.credentials !== undefined) {
        const header = this.credentials.authorization();
        headers.authorization = typeof header === "string" ? header : await exchange.before(header);
      }
      if (contentType !== undefined) headers["content-type"] = contentType;
      this.counters.requests++;
      const began = performance.now();
      this.#dispatcher.dispatch({ origin: this.endpoint, method, path, headers, body }, exchange);
      const header = headers.authorization;
      return { header, answer: await this.#watched(exchange.answer, method, began) };
    } finally {
      this.deadlines.clear(deadline);
    }
  }

  /** The answer, counted and told by how it came. */
  async #watched(
    answer: Promise<Answer>,
    method: Request["method"],
    began: number,
  ): Promise<Answer> {
    const cause = this.causeOf?.();
    let result: Result = "connection";
    try {
      const { status } = await answer;
      result = resultOf(status);
      return answer;
    } catch (error) {
      if (error instanceof Unanswered && error.kind === "silent") result = "timeout";
      throw error;
    } finally {
      this.counters.results.add(result);
      const milliseconds = performance.now() - began;
      this.onExchanged?.({
        operation: operations[method],
        result,
        began,
        milliseconds,
        requests: 1,
        causes: cause && [cause],
      });
    }
  }
}

/** How a request ended, by its status; that something is not there, or has changed, is an answer. */
export function resultOf(status: number): Result {
  if (status < 400 || status === 404 || status === 412) return "ok";
  if (status === 429) return "rate_limit";
  return status === 408 || status >= 500 ? "service_error" : "error";
}

/** What undici tells of one request. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<Answer>;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: Error) => void;
  #controller: Dispatcher.DispatchController | undefined;
  /** Why nobody waits any longer. */
  #givenUp: Unanswered | undefined;
  #status = 0;
  #headers: Answer["headers"] = {};
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Waits for what the request needs, no longer than for its answer. */
  before<T>(needed: Promise<T>): Promise<T> {
    return Promise.race([needed, this.answer as Promise<never>]);
  }

  /** Waits no longer. */
  giveUp(): void {
    this.#givenUp = new Unanswered("silent", this.#isSent, tooLate);
    this.#reject(this.#givenUp);
    this.#controller?.abort(this.#givenUp);
  }

  /** The request is about to be written to a connection. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#givenUp !== undefined) controller.abort(this.#givenUp);
    else this.#controller = controller;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Answer["headers"],
  ): void {
    this.#status = status;
    this.#headers = headers;
    if (Number(headers["content-length"]) > greatestBody) this.#refuse(controller);
  }

  /** Takes no more: something else than kvs may have put an object of any size there. */
  #refuse(controller: Dispatcher.DispatchController): void {
    const error = new StoreError("The bucket answers with more bytes than an item can have");
    this.#reject(error);
    controller.abort(error);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > greatestBody) return this.#refuse(controller);
    this.#parts.push(chunk);
  }

  onResponseEnd(): void {
    this.#resolve({ status: this.#status, headers: this.#headers, body: joined(this.#parts) });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(new Unanswered("broken", this.#isSent, reasonOf(error)));
  }

  get #isSent(): boolean {
    return this.#controller !== undefined;
  }
}

/** A copy of the parts in one: they lie in the memory that was read into, much of which may be theirs. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let length = 0;
  for (const part of parts) {
    whole.set(part, length);
    length += part.length;
  }
  return whole;
}

/** Where a name has several addresses, what became of the last. */
function reasonOf(error: Error): string {
  const last = error instanceof AggregateError ? error.errors.at(-1) : error;
  return messageOf(last).split("\n")[0]!.slice(0, 300);
}
