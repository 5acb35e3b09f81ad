/**
 * What is read of copies in a bucket. Contents go through the XML API, whose answer carries content,
 * generation and checksum in one.
 *
 * @module
 */

import { crc32c, crc32cOfText, textOfCrc32c } from "../crc32c.ts";
import { checksumOf, headerOf, jsonOf, type Resource } from "../storage/gcs/answers.ts";
import { type Answer, type Request, Unanswered } from "../storage/gcs/transport.ts";
import type { BucketPlace } from "./bucket_place.ts";
import { type BucketRequests, partAttempt, Streak } from "./bucket_requests.ts";
import { type Destination, DestinationError, type Entry, MissingError } from "./destination.ts";

/**
 * How many times as much a request streams as others have: it holds none of it, loses none of it where it
 * is cut off, and the pause before the first byte of an answer comes once.
 */
const PARTS = 8;

/** Reads a prefix of a bucket. */
export class BucketReader implements Pick<Destination, "read" | "stream" | "list"> {
  /** Bytes that are streamed in one request at most. */
  readonly part: number;

  /** @param part bytes that other requests have at most. */
  constructor(readonly place: BucketPlace, readonly requests: BucketRequests, part: number) {
    this.part = part * PARTS;
  }

  async read(name: string): Promise<{ bytes: Uint8Array; generation: string } | undefined> {
    const request: Request = {
      method: "GET",
      path: this.place.contentPath(name),
      attempt: partAttempt,
    };
    const { answer } = await this.requests.ask(request, (answer) => this.#damage(answer));
    if (answer.status === 404) return this.requests.missing(answer);
    if (answer.status !== 200) throw this.requests.refused(answer);
    return { bytes: answer.body, generation: generationOf(answer) };
  }

  async *stream(name: string, from = 0): AsyncGenerator<Uint8Array> {
    const streak = new Streak();
    let generation: string | undefined;
    for (let at = from;;) {
      const headers: Record<string, string> = { range: `bytes=${at}-${at + this.part - 1}` };
      if (generation !== undefined) headers["x-goog-if-generation-match"] = generation;
      const answer = await this.requests.open(
        { path: this.place.contentPath(name), headers },
        (answer) => answer.status === 206 ? this.#gap(answer, at) : this.#damage(answer),
        streak,
      );
      const { status, body, content } = answer;
      if (status === 416) return;
      if (status === 404) {
        this.requests.missing(answer);
        throw new MissingError(name, this.place.url);
      }
      // Who does not know of ranges sends all there is.
      if (status === 200) return yield body.subarray(at);
      if (content === undefined && status !== 412) throw this.requests.refused(answer);
      if (content === undefined || (generation ??= generationOf(answer)) !== generationOf(answer)) {
        await content?.end();
        throw new DestinationError(
          `'${this.place.shown(name)}' has changed while it was read`,
          true,
        );
      }
      const { next, length } = rangeOf(answer)!;
      let trouble: string | undefined;
      try {
        for (let block; (block = await content.next()) !== undefined;) {
          if (at + block.length > next) break;
          at += block.length;
          streak.tries = 0;
          yield block;
        }
        if (at < next) trouble = this.requests.unreadable();
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        ({ trouble } = this.requests.untold(error));
      } finally {
        await content.end();
      }
      if (at === length) return;
      if (trouble !== undefined) await this.requests.pause(streak, 0, trouble);
    }
  }

  async *list(prefix: string, after?: string): AsyncGenerator<Entry> {
    const query = new URLSearchParams({
      prefix: this.place.prefix + prefix,
      maxResults: "1000",
      fields: "nextPageToken,items(name,size,generation,crc32c)",
    });
    if (after !== undefined) query.set("startOffset", this.place.prefix + after);
    for (;;) {
      const { answer } = await this.requests.ask(
        { method: "GET", path: `${this.place.objects}?${query}` },
        (answer) =>
          answer.status === 200 && jsonOf(answer) === undefined
            ? this.requests.unreadable()
            : undefined,
      );
      if (answer.status !== 200) throw this.requests.refused(answer);
      const { items = [], nextPageToken } = jsonOf(answer) as Listing;
      for (const item of items) {
        const name = item.name.slice(this.place.prefix.length);
        // The place where a listing starts is a part of it.
        if (name !== after) yield entryOf(name, item);
      }
      if (!nextPageToken) return;
      query.set("pageToken", nextPageToken);
    }
  }

  /** What is wrong with a whole content, by its checksum. */
  #damage(answer: Answer): string | undefined {
    const checksum = checksumOf(answer);
    if (answer.status !== 200 || checksum === undefined) return undefined;
    if (checksum === textOfCrc32c(crc32c(answer.body))) return undefined;
    this.requests.counters.damaged++;
    return "the content does not have its checksum";
  }

  /** What is wrong with a part of a content that is to begin at a place. */
  #gap(answer: Answer, at: number): string | undefined {
    const { first, next } = rangeOf(answer) ?? {};
    const isRight = first === at && next! > at && next! <= at + this.part;
    return isRight ? undefined : this.requests.unreadable();
  }
}

interface Listing {
  readonly nextPageToken?: string;
  readonly items?: Resource[];
}

function entryOf(name: string, { size, generation, crc32c }: Resource): Entry {
  const sum = crc32cOfText(crc32c ?? "");
  const entry = { name, size: Number(size ?? 0), generation: String(generation) };
  return sum === undefined ? entry : { ...entry, crc32c: sum };
}

function generationOf(answer: Answer): string {
  const generation = headerOf(answer, "x-goog-generation");
  if (generation === undefined) throw notCloudStorage();
  return generation;
}

/** What an answer's `Content-Range` says: its first byte, the one behind its last, and all there are. */
function rangeOf(
  answer: Answer,
): { readonly first: number; readonly next: number; readonly length: number } | undefined {
  const range = headerOf(answer, "content-range") ?? "";
  const [, first, last, length] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? [];
  if (length === undefined) return undefined;
  return { first: Number(first), next: Number(last) + 1, length: Number(length) };
}

function notCloudStorage(): DestinationError {
  return new DestinationError("The answer is not Cloud Storage's: it has no generation", false);
}
