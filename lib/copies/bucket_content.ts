/**
 * Contents of a bucket that are read as they come.
 *
 * Deno's own `fetch` carries them: TLS and HTTP are native there, and the bytes come into memory that is
 * used again, which takes half the CPU of the other requests' undici. It may send a request again by
 * itself, which is no harm to one that reads.
 *
 * @module
 */

import { assert, messageOf, StoreError } from "../errors.ts";
import type { Counters } from "../storage/gcs/counters.ts";
import type { Deadline, Deadlines } from "../storage/gcs/deadlines.ts";
import { type Answer, type Request, resultOf, Unanswered } from "../storage/gcs/transport.ts";
import type { Credentials } from "../storage/google_credentials.ts";

/** Bytes of a block: they are checked and written while the processor's cache still has them. */
const BLOCK = 1 << 18;

/** Connections that are kept for the next request, one for each that is under way as a rule. */
const KEPT = 16;

/** An answer; one that is a part of a content (206) has that behind it. */
export interface Opened extends Answer {
  readonly content?: Content;
}

/** Asks for contents. */
export class Contents {
  /** Made where it is needed: who only writes has none. */
  #client: Deno.HttpClient | undefined;
  #closed = false;

  /**
   * @param endpoint such as `https://storage.googleapis.com`.
   * @param attempt how long the beginning of an answer or a block may take, in milliseconds.
   */
  constructor(
    readonly endpoint: string,
    readonly attempt: number,
    readonly credentials: Credentials | undefined,
    readonly deadlines: Deadlines,
    readonly counters: Counters,
  ) {}

  /**
   * Asks for a content once; a second time where the service no longer takes the credentials.
   *
   * @throws {Unanswered} where no answer came.
   * @throws {StoreError} where there are no credentials, or all of this is closed.
   */
  async open(request: Pick<Request, "path" | "headers">): Promise<Opened> {
    const header = await this.credentials?.authorization();
    const answer = await this.#once(request, header);
    if (answer.status !== 401 || header === undefined) return answer;
    this.credentials!.refuse(header);
    return await this.#once(request, await this.credentials!.authorization());
  }

  /** Ends what is kept. What is under way ends with the deadlines. */
  close(): void {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
  }

  async #once(
    { path, headers }: Pick<Request, "path" | "headers">,
    authorization: string | undefined,
  ): Promise<Opened> {
    if (this.#closed) throw new StoreError("The bucket is closed");
    // With HTTP/2 all would share one connection.
    const client = this.#client ??= Deno.createHttpClient({
      http2: false,
      poolMaxIdlePerHost: KEPT,
    });
    this.counters.requests++;
    const watch = new Watch(this.deadlines, this.attempt);
    try {
      const response = await watch.over(fetch(this.endpoint + path, {
        headers: {
          "user-agent": "kvs",
          "accept-encoding": "identity",
          ...headers,
          ...authorization === undefined ? {} : { authorization },
        },
        redirect: "manual",
        client,
        signal: watch.signal,
      }));
      const { status } = response;
      const head = { status, headers: Object.fromEntries(response.headers) };
      const answer = status === 206 && response.body !== null
        ? { ...head, body: new Uint8Array(0), content: new Content(response.body, watch) }
        : { ...head, body: new Uint8Array(await watch.over(response.arrayBuffer())) };
      this.counters.results.add(resultOf(status));
      return answer;
    } catch (error) {
      const isSilent = error instanceof Unanswered && error.kind === "silent";
      this.counters.results.add(isSilent ? "timeout" : "connection");
      throw error;
    }
  }
}

/** A content that is under way. */
export class Content {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #watch: Watch;
  #memory = new ArrayBuffer(BLOCK);
  #isOver = false;

  constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>, watch: Watch) {
    this.#reader = body.getReader({ mode: "byob" });
    this.#watch = watch;
  }

  /**
   * The next bytes, which stay until the next call; `undefined` at the end.
   *
   * @throws {Unanswered} where the content is cut off, or nothing comes.
   */
  async next(): Promise<Uint8Array | undefined> {
    let filled = 0;
    // Not by `min`: a reader that asks for more than has come before the end is refused all of it.
    while (filled < BLOCK && !this.#isOver) {
      const into = new Uint8Array(this.#memory, filled);
      const { value, done } = await this.#watch.over(this.#reader.read(into));
      assert(value !== undefined, "nobody reads on what has ended");
      // The memory was the reader's until it came back with what was read.
      this.#memory = value.buffer;
      this.#isOver = done;
      filled += value.length;
    }
    return filled === 0 ? undefined : new Uint8Array(this.#memory, 0, filled);
  }

  /** Reads no further. */
  async end(): Promise<void> {
    // An error that has ended it was told who read it.
    await this.#reader.cancel().catch(() => {});
  }
}

/** Gives a request up that makes no progress. */
export class Watch {
  readonly #deadlines: Deadlines;
  readonly #aborter = new AbortController();
  #isLate = false;

  /** @param attempt how long it may make none, in milliseconds. */
  constructor(deadlines: Deadlines, readonly attempt: number) {
    this.#deadlines = deadlines;
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** Waits for what is to come of it, and no longer than that may take. */
  async over<T>(coming: Promise<T>): Promise<T> {
    const deadline: Deadline = this.#deadlines.set(performance.now() + this.attempt, () => {
      this.#isLate = true;
      this.#aborter.abort();
    });
    try {
      return await coming;
    } catch (error) {
      if (this.#isLate) throw new Unanswered("silent", true, "no answer came in time");
      throw new Unanswered("broken", true, reasonOf(error));
    } finally {
      this.#deadlines.clear(deadline);
    }
  }
}

/** Without the address, which is long and known. */
function reasonOf(error: unknown): string {
  return messageOf(error).split("\n")[0]!.replace(/ for url \([^)]*\)/, "").slice(0, 300);
}
