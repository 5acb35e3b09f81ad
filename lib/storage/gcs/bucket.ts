/**
 * The bucket's objects: reads and listings that are tried until they have an answer, writes that are
 * tried once and tell what became of them.
 *
 * Reads go through the XML API, whose answer carries value and metadata in one
 * (cloud.google.com/storage/docs/xml-api/get-object), all else through the JSON API.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { StoreError } from "../../errors.ts";
import type { Counters } from "./counters.ts";
import type { Gate } from "./gate.ts";
import { type Stored, storedOf } from "./metadata.ts";
import { type Answer, type Request, type Transport, Unanswered } from "./transport.ts";

/** The service refused what no retry would mend: a right, a bucket that is not there, a bad request. */
export class Refused extends StoreError {
  override name = "Refused";
}

/** An object as it was read. */
export interface Found {
  readonly stored: Stored;
  /** The content; `undefined` where only the metadata was asked for. */
  readonly value: Uint8Array<ArrayBuffer> | undefined;
}

/** An object in a listing. */
export interface Entry {
  readonly name: string;
  readonly stored: Stored;
}

/** A page of a listing. */
export interface Page {
  readonly entries: Entry[];
  /** Where the next page begins; `undefined` after the last. */
  readonly next: string | undefined;
}

/**
 * What became of a write: done, with the new generation (empty after a delete); not done, because the
 * condition does not hold, the service's limits are reached or it cannot be reached; or nobody knows.
 */
export type Outcome =
  | { readonly kind: "done"; readonly generation: string }
  | { readonly kind: "conflict" }
  | { readonly kind: "limited" | "unsent" | "unclear"; readonly trouble: string };

/** A write that is ready to be tried, any number of times. */
export type Write = (until: number) => Promise<Outcome>;

/** An insert that is ready, with the copy of the content that it sends. */
export interface Insert {
  readonly send: Write;
  readonly content: Uint8Array;
}

/** One bucket. Times are `performance.now()`'s. */
export class Bucket {
  readonly #objects: string;
  readonly #xml: string;
  readonly #upload: string;

  /**
   * @param gate limits the requests for commands.
   */
  constructor(
    readonly name: string,
    readonly transport: Transport,
    readonly gate: Gate,
    readonly counters: Counters,
  ) {
    const bucket = encodeURIComponent(name);
    this.#objects = `/storage/v1/b/${bucket}/o`;
    this.#upload = `/upload/storage/v1/b/${bucket}/o?uploadType=multipart&fields=generation`;
    this.#xml = `/${bucket}/`;
  }

  /** How long one try may take, in milliseconds. */
  get attempt(): number {
    return this.transport.attempt;
  }

  /**
   * An object with its content, `undefined` where there is none.
   *
   * @param content whether the content is wanted, or the metadata alone.
   * @param beside whether it goes beside the commands' requests, not among them.
   * @throws {StoreError} where it cannot be known.
   */
  async get(
    object: string,
    until: number,
    { content = true, beside = false } = {},
  ): Promise<Found | undefined> {
    const path = content
      ? this.#xml + pathOf(object)
      : `${this.#objects}/${encodeURIComponent(object)}?fields=generation,size,metadata`;
    const answer = await this.#read({ method: "GET", path }, until, beside ? undefined : this.gate);
    if (answer.status === 404) {
      // Only what says so is a miss: a bucket that is not there is another matter.
      if (/NoSuchKey|No such object/.test(textOf(answer))) return undefined;
      throw this.#refused(answer);
    }
    if (!content) {
      return { stored: storedOfResource(JSON.parse(textOf(answer))), value: undefined };
    }
    const { headers, body: value } = answer;
    const generation = headers["x-goog-generation"];
    if (typeof generation !== "string") {
      throw new Refused("The answer is not Cloud Storage's: it has no x-goog-generation");
    }
    const metadata = (key: string) => headers[`x-goog-meta-${key}`]?.toString();
    return { stored: storedOf(generation, value.length, metadata), value };
  }

  /** One page of the objects whose names begin with `prefix`, in the order of their names. */
  async list(prefix: string, from: string | undefined, until: number): Promise<Page> {
    const query = new URLSearchParams({
      prefix,
      maxResults: "1000",
      fields: "nextPageToken,items(name,size,generation,metadata)",
    });
    if (from !== undefined) query.set("pageToken", from);
    const path = `${this.#objects}?${query}`;
    const answer = await this.#read({ method: "GET", path }, until, undefined);
    if (answer.status === 404) throw this.#refused(answer);
    const { items = [], nextPageToken } = JSON.parse(textOf(answer)) as Listing;
    const entries = items.map((item) => ({ name: item.name, stored: storedOfResource(item) }));
    return { entries, next: nextPageToken };
  }

  /** Makes a write ready that replaces a generation (`"0"` for none). Copies the content. */
  insert(
    object: string,
    content: Uint8Array,
    metadata: Record<string, string>,
    customTime: string | undefined,
    replaces: string,
    token: string,
  ): Insert {
    const resource = {
      contentType: "application/octet-stream",
      cacheControl: "no-store",
      customTime,
      metadata,
    };
    // The token is random, so no content holds this boundary.
    const boundary = `kvs-${token}`;
    const head = bytesOf(
      `--${boundary}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(resource)}\r\n` +
        `--${boundary}\r\nContent-Type: application/octet-stream\r\n\r\n`,
    );
    const tail = bytesOf(`\r\n--${boundary}--\r\n`);
    // One part: each part of a `Blob` costs as much as half a request.
    const body = new Uint8Array(head.length + content.length + tail.length);
    body.set(head);
    body.set(content, head.length);
    body.set(tail, head.length + content.length);
    const request: Request = {
      method: "POST",
      path: `${this.#upload}&name=${encodeURIComponent(object)}&ifGenerationMatch=${replaces}`,
      contentType: `multipart/related; boundary=${boundary}`,
      body,
    };
    return {
      send: (until) => this.#write(request, until, this.gate),
      content: body.subarray(head.length, head.length + content.length),
    };
  }

  /** Makes a delete of one generation ready. */
  remove(object: string, generation: string, beside = false): Write {
    const request: Request = {
      method: "DELETE",
      path: `${this.#objects}/${encodeURIComponent(object)}?ifGenerationMatch=${generation}`,
    };
    return (until) => this.#write(request, until, beside ? undefined : this.gate);
  }

  /** The error of who gave up waiting for an answer; `trouble` is what went wrong last, or empty. */
  late(trouble: string): StoreError {
    const why = trouble === "" ? "" : `: ${trouble}`;
    return new StoreError(`The bucket '${this.name}' did not answer in time${why}`);
  }

  /** Reads until there is an answer: 200 or 404. */
  async #read(request: Request, until: number, gate: Gate | undefined): Promise<Answer> {
    for (let tries = 0;; tries++) {
      const answer = await this.#try(request, until, gate);
      if ("status" in answer && (answer.status === 200 || answer.status === 404)) return answer;
      const trouble = "trouble" in answer ? answer.trouble : this.#troubleOf(answer);
      if (trouble === undefined) throw this.#refused(answer as Answer);
      const pause = backoff(tries);
      if (performance.now() + pause > until) throw this.late(trouble);
      await sleep(pause);
    }
  }

  async #write(request: Request, until: number, gate: Gate | undefined): Promise<Outcome> {
    const answer = await this.#try(request, until, gate);
    if ("trouble" in answer) {
      return { kind: answer.sent ? "unclear" : "unsent", trouble: answer.trouble };
    }
    const { status } = answer;
    if (status === 200) {
      return { kind: "done", generation: (JSON.parse(textOf(answer)) as Resource).generation };
    }
    if (status === 204) return { kind: "done", generation: "" };
    if (status === 412 || status === 404 && request.method === "DELETE") {
      return { kind: "conflict" };
    }
    const trouble = this.#troubleOf(answer);
    if (trouble === undefined) throw this.#refused(answer);
    return { kind: status === 429 ? "limited" : "unclear", trouble };
  }

  /** One try: the answer, or why there was no whole one. */
  async #try(
    request: Request,
    until: number,
    gate: Gate | undefined,
  ): Promise<Answer | { readonly trouble: string; readonly sent: boolean }> {
    try {
      return await this.transport.send(request, gate, until);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.counters[error.kind]++;
      return { trouble: error.message, sent: error.sent };
    }
  }

  /** What an answer tells of a trouble that passes, counted; `undefined` if it will not pass. */
  #troubleOf(answer: Answer): string | undefined {
    const { status } = answer;
    if (status === 429) this.counters.limited++;
    else if (status === 408 || status >= 500) this.counters.failed++;
    else return undefined;
    return `${status} ${messageOf(answer)}`.trimEnd();
  }

  /** The error of an answer that no retry would mend. */
  #refused(answer: Answer): Refused {
    const { status } = answer;
    const said = messageOf(answer);
    const what = refusals[status] ?? `refused the request (${status})`;
    return new Refused(`The bucket '${this.name}' ${what}: ${said}`);
  }
}

const refusals: Record<number, string> = {
  401: "does not take the credentials",
  403: "may not be used (the account needs the role roles/storage.objectUser on it)",
  404: "is not there",
};

interface Resource {
  readonly name: string;
  readonly size: string;
  readonly generation: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

interface Listing {
  readonly nextPageToken?: string;
  readonly items?: Resource[];
}

function storedOfResource({ generation, size, metadata }: Resource): Stored {
  return storedOf(generation, Number(size), (key) => metadata?.[key]);
}

/** The pause after a try that failed, in milliseconds: 50 doubling to 2000, half of it by chance. */
export function backoff(tries: number): number {
  return Math.min(2000, 50 * 2 ** tries) * (0.5 + Math.random() / 2);
}

/** Waits so many milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * A name in the XML API's path, where slashes are not encoded, unless somebody on the way might take
 * its `.` and `..` away.
 */
function pathOf(object: string): string {
  const path = encodeURIComponent(object);
  return /(^|\/)\.\.?(\/|$)/.test(object) ? path : path.replaceAll("%2F", "/");
}

function textOf(answer: Answer): string {
  return new TextDecoder().decode(answer.body);
}

/** What the service said was wrong: in JSON or XML, or else nothing that can be read. */
function messageOf(answer: Answer): string {
  const text = textOf(answer);
  try {
    return oneLine(JSON.parse(text).error.message);
  } catch {
    return oneLine(/<Message>([^<]*)<\/Message>/.exec(text)?.[1] ?? "");
  }
}

function oneLine(text: unknown): string {
  return String(text).split(/\s+/).join(" ").slice(0, 300);
}
