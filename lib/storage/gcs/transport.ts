/**
 * One HTTP request and its answer: authentication, concurrency and a time limit. No retries here.
 *
 * The bodies of writes are `Blob`s, also empty ones: `fetch` sends a request again by itself when a
 * kept-alive connection dies, unless it cannot know whether the body can be had once more. A write
 * that is sent twice in silence would meet its own condition.
 *
 * @module
 */

import { messageOf, StoreError } from "../../errors.ts";
import type { Counters } from "./counters.ts";
import type { Credentials } from "./credentials.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Gate } from "./gate.ts";

/** How `fetch` says that it came to no connection. Without these words it may have sent the request. */
const couldNotConnect = "client error (Connect)";

/** An answer with its whole body. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A request. */
export interface Request {
  readonly method: "GET" | "POST" | "DELETE";
  /** Path and query, after the endpoint, in ASCII. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Uint8Array<ArrayBuffer>;
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
  readonly #client: Deno.HttpClient;
  #closed = false;

  /**
   * @param endpoint such as `https://storage.googleapis.com`.
   * @param concurrency how many connections are kept alive.
   */
  constructor(
    readonly endpoint: string,
    concurrency: number,
    readonly credentials: Credentials | undefined,
    readonly deadlines: Deadlines,
    readonly counters: Counters,
  ) {
    // With HTTP/2 all requests would share one connection, and a dead one would hold up them all.
    this.#client = Deno.createHttpClient({ http2: false, poolMaxIdlePerHost: concurrency });
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

  /** Ends the connections; what is under way has a deadline. */
  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  async #once(request: Request, limit: number): Promise<Answer> {
    if (this.#closed) throw new StoreError("The bucket store is closed");
    const { method, path, contentType, body } = request;
    const controller = new AbortController();
    const { signal } = controller;
    let sent = false;
    const deadline = this.deadlines.set(performance.now() + limit, () => controller.abort());
    try {
      const headers: Record<string, string> = { "accept-encoding": "identity" };
      if (this.credentials !== undefined) {
        headers.authorization = await this.credentials.authorization(signal);
      }
      if (contentType !== undefined) headers["content-type"] = contentType;
      this.counters.requests++;
      sent = true;
      const response = await fetch(this.endpoint + path, {
        method,
        headers,
        body: method === "GET" ? undefined : new Blob(body === undefined ? [] : [body]),
        redirect: "manual",
        client: this.#client,
        signal,
      });
      const content = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, headers: response.headers, body: content };
    } catch (error) {
      if (error instanceof StoreError) throw error;
      if (signal.aborted) throw new Unanswered("silent", sent, "no answer came in time");
      const reason = reasonOf(error);
      throw new Unanswered("broken", sent && !reason.startsWith(couldNotConnect), reason);
    } finally {
      this.deadlines.clear(deadline);
    }
  }
}

/** The last cause is what the system said; what `fetch` says before that names the address only. */
function reasonOf(error: unknown): string {
  while (error instanceof Error && error.cause instanceof Error) error = error.cause;
  return messageOf(error).split("\n")[0].replace(/^error sending request for url \([^)]*\): /, "");
}
