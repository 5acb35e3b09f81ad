/**
 * The bucket's objects: reads and listings that are tried until they have an answer, writes that are
 * tried once and tell what became of them.
 *
 * Reads go through the XML API, whose answer carries value and metadata in one
 * (cloud.google.com/storage/docs/xml-api/get-object), all else through the JSON API.
 *
 * @module
 */

import { gunzipSync } from "node:zlib";
import { StoreError } from "../../errors.ts";
import {
  asResource,
  checksumOf,
  headerOf,
  isDecompressed,
  jsonOf,
  Refused,
  type Resource,
  resourceOf,
  retryAfterOf,
  saysNoBucket,
  saysRetained,
} from "./answers.ts";
import type { Counters } from "./counters.ts";
import { crc32cText } from "../../crc32c.ts";
import type { Gate } from "./gate.ts";
import { type Stored, storedOf } from "./metadata.ts";
import { multipart } from "./multipart.ts";
import { pathOf } from "./path.ts";
import { Requests, type Untold } from "./requests.ts";
import { type Answer, greatestBody, type Request, type Transport } from "./transport.ts";

/** How often an insert is sent again that was refused as damaged: what is wrong with it stays wrong. */
const damagedAtMost = 3;

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
  readonly metadata: Readonly<Record<string, string>>;
}

/** A page of a listing. */
export interface Page {
  readonly entries: Entry[];
  /** Where the next page begins; `undefined` after the last. */
  readonly next: string | undefined;
}

/**
 * What became of a write: done, with the new generation (empty after a delete); done with another
 * content than was sent; not done, because the condition does not hold, the service's limits are
 * reached or it cannot be reached; or nobody knows. `pause` is how long the service asks to wait, in
 * milliseconds.
 */
export type Outcome =
  | { readonly kind: "done"; readonly generation: string }
  | { readonly kind: "damaged"; readonly generation: string }
  | { readonly kind: "conflict" }
  | {
    readonly kind: "limited" | "unsent" | "unclear";
    readonly trouble: string;
    readonly pause: number;
  };

/** A write that is ready to be tried, any number of times. */
export type Write = (until: number) => Promise<Outcome>;

/** An insert that is ready, with the copy of the content that it sends. */
export interface Insert {
  readonly send: Write;
  readonly content: Uint8Array;
}

/** One bucket. Times are `performance.now()`'s. */
export class Bucket {
  readonly #requests: Requests;
  readonly #objects: string;
  readonly #xml: string;
  readonly #upload: string;
  /** Why the service refused the last write, where it would refuse any; empty where it took it. */
  refusal = "";
  /** Whether contents are read through the JSON API, as this endpoint's XML API tells no metadata. */
  #byJson = false;

  /**
   * @param gate limits the requests for commands.
   */
  constructor(
    readonly name: string,
    readonly transport: Transport,
    readonly gate: Gate,
    readonly counters: Counters,
  ) {
    this.#requests = new Requests(name, transport, counters);
    const bucket = encodeURIComponent(name);
    this.#objects = `/storage/v1/b/${bucket}/o`;
    this.#upload = `/upload/storage/v1/b/${bucket}/o?uploadType=multipart&fields=generation,crc32c`;
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
    const through = beside ? undefined : this.gate;
    if (!content || this.#byJson) return await this.#getByJson(object, content, until, through);
    const found = await this.#getByXml(object, until, through);
    // Every object of kvs's has a token. One without is another's, or this endpoint does not tell
    // metadata on the XML API: then all that lies beside the content would be lost in silence.
    if (found === undefined || found.stored.tokens.length > 0) return found;
    const told = await this.#getByJson(object, false, until, through);
    if (told?.stored.generation !== found.stored.generation) {
      return told && await this.#getByJson(object, true, until, through);
    }
    if (told.stored.tokens.length === 0) return found;
    this.#byJson = true;
    return { stored: told.stored, value: found.value };
  }

  /**
   * Makes sure that the bucket is there: a 404 for an object need not say which of the two is missing.
   *
   * @throws {StoreError} where it is not, or that cannot be known.
   */
  async verify(until: number): Promise<void> {
    const path = `${this.#objects}?maxResults=1&fields=kind`;
    const answer = await this.#requests.attempt({ method: "GET", path }, until, undefined);
    if ("status" in answer && answer.status === 404) throw this.#requests.refused(answer);
  }

  /** Content and metadata in one answer. */
  async #getByXml(
    object: string,
    until: number,
    gate: Gate | undefined,
  ): Promise<Found | undefined> {
    const request: Request = { method: "GET", path: this.#xml + pathOf(object) };
    const answer = await this.#requests.read(
      request,
      until,
      gate,
      (answer) => this.#damage(answer),
    );
    if (answer.status === 404) return this.#missing(answer);
    const generation = headerOf(answer, "x-goog-generation");
    if (generation === undefined) {
      throw new Refused("The answer is not Cloud Storage's: it has no x-goog-generation");
    }
    const value = await this.#contentOf(answer, request, generation, until, gate);
    if (value === undefined) return await this.#getByXml(object, until, gate);
    const metadata = (key: string) => headerOf(answer, `x-goog-meta-${key}`);
    return { stored: storedOf(generation, value.length, metadata), value };
  }

  /** The metadata, and then the content of that generation. */
  async #getByJson(
    object: string,
    content: boolean,
    until: number,
    gate: Gate | undefined,
  ): Promise<Found | undefined> {
    const path = `${this.#objects}/${encodeURIComponent(object)}`;
    for (;;) {
      const fields = "fields=generation,size,crc32c,metadata";
      const answer = await this.#requests.read(
        { method: "GET", path: `${path}?${fields}` },
        until,
        gate,
      );
      if (answer.status === 404) return this.#missing(answer);
      const resource = resourceOf(answer);
      if (resource === undefined) throw notCloudStorage();
      const stored = storedOfResource(resource);
      if (!content) return { stored, value: undefined };
      const { generation, crc32c } = resource;
      const request: Request = {
        method: "GET",
        path: `${path}?alt=media&generation=${generation}`,
      };
      const media = await this.#requests.read(
        request,
        until,
        gate,
        (answer) => this.#damage(answer, crc32c),
      );
      // Replaced or deleted between the two: what is there now is another generation.
      if (media.status === 404) continue;
      const value = await this.#contentOf(media, request, generation, until, gate);
      if (value !== undefined) return { stored: { ...stored, size: value.length }, value };
    }
  }

  /**
   * The content in an answer. What was decompressed on the way has no checksum: such an object (none
   * of kvs's is) is asked for as it is stored, and decompressed here. `undefined` where it has changed
   * in between. Nothing is ever read in ranges or resumed, which could not be checked either.
   */
  async #contentOf(
    answer: Answer,
    request: Request,
    generation: string,
    until: number,
    gate: Gate | undefined,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!isDecompressed(answer)) return answer.body;
    const headers = { "accept-encoding": "gzip" };
    const whole = await this.#requests.read(
      { ...request, headers },
      until,
      gate,
      (answer) => this.#damage(answer),
    );
    if (whole.status === 404 || headerOf(whole, "x-goog-generation") !== generation) {
      return undefined;
    }
    try {
      return new Uint8Array(gunzipSync(whole.body, { maxOutputLength: greatestBody }));
    } catch (error) {
      throw new StoreError(`An object is stored compressed and cannot be read: ${error}`);
    }
  }

  /** What is wrong with a content by its checksum; `undefined` for nothing, or where there is none. */
  #damage(answer: Answer, known?: string): string | undefined {
    if (answer.status !== 200 || isDecompressed(answer)) return undefined;
    const checksum = known ?? checksumOf(answer);
    if (checksum === undefined || checksum === crc32cText(answer.body)) return undefined;
    this.counters.damaged++;
    return "the content does not have its checksum";
  }

  /** A 404 is a miss, unless the service says that the bucket is not there. */
  #missing(answer: Answer): undefined {
    if (saysNoBucket(answer)) throw this.#requests.refused(answer);
    return undefined;
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
    const answer = await this.#requests.read(
      { method: "GET", path },
      until,
      undefined,
      (answer) => jsonOf(answer) === undefined ? this.#unreadable() : undefined,
    );
    if (answer.status === 404) throw this.#requests.refused(answer);
    const { items = [], nextPageToken } = jsonOf(answer) as Listing;
    const entries = items.map((item) => {
      const resource = asResource(item);
      if (resource === undefined) throw notCloudStorage();
      const { name, metadata = {} } = resource;
      return { name, stored: storedOfResource(resource), metadata };
    });
    // An endpoint may write "no more" as an empty text.
    return { entries, next: nextPageToken || undefined };
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
    const checksum = crc32cText(content);
    const resource = {
      crc32c: checksum,
      contentType: "application/octet-stream",
      cacheControl: "no-store",
      customTime,
      metadata,
    };
    const path = `${this.#upload}&name=${encodeURIComponent(object)}&ifGenerationMatch=${replaces}`;
    // The token is random, so no content holds this boundary.
    const { request, content: copy } = multipart(path, resource, content.length, `kvs-${token}`);
    copy.set(content);
    return {
      send: (until) => this.#insert(request, until, checksum),
      content: copy,
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
    return this.#requests.late(trouble);
  }

  /** The error of a write that is refused. */
  #refused(answer: Answer): Refused {
    const refused = this.#requests.refused(answer);
    // A hold or a bad request concerns one object; who may not write may write none.
    if ([401, 403, 404].includes(answer.status) && !saysRetained(answer)) {
      this.refusal = refused.message;
    }
    return refused;
  }

  /** Counts an answer that is not what the service sends; the trouble that it is. */
  #unreadable(): string {
    this.counters.unreadable++;
    return "its answer cannot be read";
  }

  /** Sends an insert; again where the service found it damaged on the way. */
  async #insert(request: Request, until: number, checksum: string): Promise<Outcome> {
    for (let tries = 1;; tries++) {
      const answer = await this.#requests.attempt(request, until, this.gate);
      if ("status" in answer && answer.status === 400 && tries < damagedAtMost) {
        this.counters.damaged++;
        continue;
      }
      const outcome = this.#outcomeOf(request, answer);
      if (outcome.kind !== "done") return outcome;
      const resource = resourceOf(answer as Answer);
      if (resource === undefined) {
        return { kind: "unclear", trouble: this.#unreadable(), pause: 0 };
      }
      this.refusal = "";
      const { generation, crc32c } = resource;
      if (crc32c === undefined || crc32c === checksum) return { kind: "done", generation };
      this.counters.damaged++;
      return { kind: "damaged", generation };
    }
  }

  async #write(request: Request, until: number, gate: Gate | undefined): Promise<Outcome> {
    return this.#outcomeOf(request, await this.#requests.attempt(request, until, gate));
  }

  /** What an answer's status says of a write. */
  #outcomeOf(request: Request, answer: Answer | Untold): Outcome {
    if ("trouble" in answer) {
      return { kind: answer.sent ? "unclear" : "unsent", trouble: answer.trouble, pause: 0 };
    }
    const { status } = answer;
    if (status >= 200 && status < 300) return { kind: "done", generation: "" };
    if (status === 412 || status === 404 && request.method === "DELETE") {
      return { kind: "conflict" };
    }
    const trouble = this.#requests.troubleOf(answer);
    if (trouble === undefined) throw this.#refused(answer);
    return { kind: status === 429 ? "limited" : "unclear", trouble, pause: retryAfterOf(answer) };
  }
}

interface Listing {
  readonly nextPageToken?: string;
  readonly items?: Resource[];
}

function storedOfResource({ generation, size, metadata }: Resource): Stored {
  return storedOf(generation, Number(size ?? 0), (key) => metadata?.[key]);
}

function notCloudStorage(): Refused {
  return new Refused("The answer is not Cloud Storage's: it has no generation");
}
