/**
 * A large object sent in parts, which goes on from what the bucket has of it after every trouble
 * (cloud.google.com/storage/docs/performing-resumable-uploads).
 *
 * @module
 */

import { headerOf, type Resource, resourceOf } from "../storage/gcs/answers.ts";
import type { Answer, Request } from "../storage/gcs/transport.ts";
import type { Bandwidth } from "./bandwidth.ts";
import { type BucketRequests, partAttempt, Streak } from "./bucket_requests.ts";
import { DestinationError, type Source } from "./destination.ts";

/** Every part but the last is a multiple of so many bytes. */
export const quantum = 1 << 18;

/**
 * What became of an upload: the object, or its condition does not hold, or its bytes came damaged;
 * `unclear` where it may have been done by a try whose answer was lost.
 */
export type Uploaded =
  | { readonly kind: "done"; readonly resource: Resource }
  | { readonly kind: "conflict" | "damaged"; readonly unclear: boolean };

/** What is to be sent, and how. */
export interface Upload {
  /** For messages. */
  readonly name: string;
  /** The address that begins a session, with the upload's condition. */
  readonly path: string;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly source: Source;
  /** Bytes of a part at most, a multiple of {@linkcode quantum}; so much memory is used. */
  readonly part: number;
  readonly bandwidth: Bandwidth;
}

/**
 * Sends it.
 *
 * @throws {DestinationError} where nothing more comes of it for too long, or the bucket refuses.
 */
export async function uploadInParts(requests: BucketRequests, upload: Upload): Promise<Uploaded> {
  return await new ResumableUpload(requests, upload).run();
}

class ResumableUpload {
  readonly #requests: BucketRequests;
  readonly #upload: Upload;
  readonly #block: Uint8Array;
  #part: number;
  /** The most that a session has had, and the failures since that grew. */
  #best = 0;
  #streak = new Streak();
  #unclear = false;

  constructor(requests: BucketRequests, upload: Upload) {
    this.#requests = requests;
    this.#upload = upload;
    this.#part = upload.part;
    this.#block = new Uint8Array(Math.min(upload.part, upload.source.length));
  }

  async run(): Promise<Uploaded> {
    for (;;) {
      const session = await this.#begin();
      if (session === undefined) return { kind: "conflict", unclear: this.#unclear };
      const end = await this.#send(session);
      if (end !== "gone") return end;
      await this.#pause(0, "it has forgotten the upload");
    }
  }

  /** A new session's path; `undefined` where the condition does not hold. */
  async #begin(): Promise<string | undefined> {
    const { path, resource, source } = this.#upload;
    const { answer } = await this.#requests.ask({
      method: "POST",
      path,
      contentType: "application/json",
      headers: { "x-upload-content-length": String(source.length) },
      body: new TextEncoder().encode(JSON.stringify(resource)),
    });
    if (answer.status === 412) return undefined;
    if (answer.status !== 200) throw this.#requests.refused(answer);
    const location = headerOf(answer, "location") ?? "";
    if (!URL.canParse(location)) {
      throw new DestinationError("The answer is not Cloud Storage's: it has no location", false);
    }
    // The service names itself as it is known to others: it is asked where it is known to us.
    const { pathname, search } = new URL(location);
    return pathname + search;
  }

  async #send(session: string): Promise<Uploaded | "gone"> {
    const { length } = this.#upload.source;
    let at = 0;
    // Whether to ask how far it is, before more is sent.
    let asks = false;
    for (;;) {
      const size = asks ? 0 : Math.min(this.#part, length - at);
      const answer = await this.#requests.try(await this.#request(session, at, size));
      asks = true;
      if ("trouble" in answer) {
        // On a line so slow that a part does not get through in its time a smaller one does.
        this.#part = Math.max(quantum, this.#part >> 1 & -quantum);
        this.#unclear ||= answer.sent;
        await this.#pause(0, answer.trouble);
        continue;
      }
      const { status } = answer;
      switch (status) {
        case 308: {
          const kept = keptOf(answer);
          if (kept > this.#best) {
            this.#best = kept;
            this.#streak = new Streak();
          } else if (size > 0 && kept <= at) {
            await this.#pause(0, "it takes no more of the upload");
          }
          at = Math.min(kept, length);
          // With all of it there, what is left to be asked is what it came to.
          asks = at === length;
          if (asks && size === 0) await this.#pause(0, "it does not finish the upload");
          continue;
        }
        case 200:
        case 201: {
          const resource = resourceOf(answer);
          if (resource !== undefined) return { kind: "done", resource };
          await this.#pause(0, this.#requests.unreadable());
          continue;
        }
        case 400:
          return { kind: "damaged", unclear: this.#unclear };
        case 404:
        case 410:
        case 499:
          return "gone";
        case 412:
          return { kind: "conflict", unclear: this.#unclear };
      }
      const passing = this.#requests.passing(answer);
      if (passing === undefined) throw this.#requests.refused(answer);
      this.#unclear ||= status !== 429;
      await this.#pause(passing.pause, passing.trouble);
    }
  }

  /** The next part; of no bytes a question how far the session is. */
  async #request(session: string, at: number, size: number): Promise<Request> {
    const { source, name, bandwidth } = this.#upload;
    const range = size === 0 ? "*" : `${at}-${at + size - 1}`;
    const headers = { "content-range": `bytes ${range}/${source.length}` };
    const request = { method: "PUT", path: session, headers } as const;
    if (size === 0) return { ...request, body: new Uint8Array(0) };
    const body = this.#block.subarray(0, size);
    await fill(source, name, at, body);
    await bandwidth.take(size);
    return { ...request, attempt: partAttempt, body };
  }

  #pause(least: number, trouble: string): Promise<void> {
    return this.#requests.pause(this.#streak, least, trouble);
  }
}

/**
 * Fills a block from a place of a source.
 *
 * @throws {DestinationError} where the source is shorter than it says.
 */
export async function fill(
  source: Source,
  name: string,
  from: number,
  block: Uint8Array,
): Promise<void> {
  for (let done = 0; done < block.length;) {
    const count = await source.read(from + done, block.subarray(done));
    if (count === 0) {
      throw new DestinationError(
        `What is to be '${name}' ends ${block.length - done} bytes early`,
        true,
      );
    }
    done += count;
  }
}

/** How many bytes a session has, from its answer 308. */
function keptOf(answer: Answer): number {
  const [, last] = /^bytes=0-(\d+)$/.exec(headerOf(answer, "range") ?? "") ?? [];
  return last === undefined ? 0 : Number(last) + 1;
}
