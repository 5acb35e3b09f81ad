/**
 * What is written of copies in a bucket. Every write has its generation as its condition and the
 * CRC-32C of its content, so that a try whose answer was lost may be sent again, and no damaged content
 * is taken for a copy. What is larger than a part goes by a resumable upload.
 *
 * @module
 */

import { equalBytes } from "../bytes.ts";
import { textOfCrc32c } from "../crc32c.ts";
import { messageOf, type Resource, resourceOf, saysRetained } from "../storage/gcs/answers.ts";
import { multipart } from "../storage/gcs/multipart.ts";
import type { Answer } from "../storage/gcs/transport.ts";
import { Bandwidth } from "./bandwidth.ts";
import type { BucketPlace } from "./bucket_place.ts";
import type { BucketReader } from "./bucket_reader.ts";
import { type BucketRequests, partAttempt } from "./bucket_requests.ts";
import { type Destination, DestinationError, type Source } from "./destination.ts";
import { fill, quantum, uploadInParts } from "./resumable_upload.ts";
import { sourceOf } from "./source.ts";

/** Parts a second at least where there is a limit of bandwidth: a part is sent as fast as can be. */
const partsPerSecond = 4;

/** How often a content is sent again that the bucket finds damaged: what is wrong with it stays wrong. */
const damagedAtMost = 3;

/** What became of a write. */
type Written =
  | { readonly kind: "done"; readonly generation: string; readonly unclear: boolean }
  /** What is damaged and has a generation was stored so. */
  | {
    readonly kind: "conflict" | "damaged";
    readonly generation?: string;
    readonly unclear: boolean;
  };

/** Writes to a prefix of a bucket. */
export class BucketWriter implements Pick<Destination, "create" | "replace" | "remove"> {
  readonly #bandwidth: Bandwidth;
  readonly #part: number;

  /**
   * @param part bytes that are sent in one request at most.
   * @param rate bytes a second that uploads may take together; `Infinity` for no limit.
   */
  constructor(
    readonly place: BucketPlace,
    readonly requests: BucketRequests,
    readonly reader: BucketReader,
    part: number,
    rate: number,
  ) {
    this.#bandwidth = new Bandwidth(rate, (ms) => requests.deadlines.pause(ms));
    const most = Math.min(part, rate / partsPerSecond);
    this.#part = Math.max(quantum, most - most % quantum);
  }

  async create(name: string, source: Source): Promise<{ generation: string } | "exists"> {
    let unclear = false;
    for (let tries = 1;; tries++) {
      const written = source.length <= this.#part
        ? await this.#insert(name, source, "0")
        : await this.#uploaded(name, source);
      unclear ||= written.unclear;
      switch (written.kind) {
        case "done":
          return { generation: written.generation };
        case "conflict": {
          const found = await this.#find(name);
          // A lost answer may have been that it is done.
          if (found !== undefined) {
            return unclear && isOf(source, found) ? { generation: found.generation } : "exists";
          }
          // Some servers say so of a content that was damaged on its way.
          if (tries === damagedAtMost) throw this.#damaged(name);
          continue;
        }
        case "damaged":
          if (written.generation !== undefined) await this.remove(name, written.generation);
          if (tries === damagedAtMost) throw this.#damaged(name);
      }
    }
  }

  async replace(
    name: string,
    bytes: Uint8Array,
    generation: string,
  ): Promise<{ generation: string } | "changed"> {
    const source = sourceOf(bytes);
    let replaces = generation === "" ? "0" : generation;
    let unclear = false;
    for (let tries = 1;; tries++) {
      const written = await this.#insert(name, source, replaces);
      unclear ||= written.unclear;
      switch (written.kind) {
        case "done":
          return { generation: written.generation };
        case "conflict": {
          const found = await this.reader.read(name);
          const isOurs = unclear && found !== undefined && equalBytes(found.bytes, bytes);
          if (isOurs) return { generation: found.generation };
          if ((found?.generation ?? "0") !== replaces) return "changed";
          if (tries === damagedAtMost) throw this.#damaged(name);
          continue;
        }
        case "damaged":
          if (tries === damagedAtMost) throw this.#damaged(name);
          replaces = written.generation ?? replaces;
      }
    }
  }

  async remove(name: string, generation: string): Promise<"removed" | "kept" | "changed"> {
    const { answer } = await this.requests.ask({
      method: "DELETE",
      path: `${this.place.objectPath(name)}?ifGenerationMatch=${generation}`,
    });
    const { status } = answer;
    if (status >= 200 && status < 300) return "removed";
    if (status === 404) return this.requests.missing(answer) ?? "removed";
    if (status === 412) return "changed";
    if (status === 403 && saysRetained(answer)) return "kept";
    throw this.requests.refused(answer);
  }

  /** Sends an object in one request. */
  async #insert(name: string, source: Source, replaces: string): Promise<Written> {
    const path = this.place.uploadPath("multipart", name, replaces);
    // Drawn at random, so that no content holds it.
    const boundary = `kvs-${crypto.randomUUID()}`;
    const { request, content } = multipart(path, resource(source), source.length, boundary);
    await fill(source, name, 0, content);
    await this.#bandwidth.take(content.length);
    const { answer, unclear } = await this.requests.ask(
      { ...request, attempt: partAttempt },
      (answer) =>
        answer.status === 200 && resourceOf(answer) === undefined
          ? this.requests.unreadable()
          : undefined,
    );
    switch (answer.status) {
      case 200:
        return this.#stored(source, resourceOf(answer)!, unclear);
      case 400:
        this.requests.counters.damaged++;
        return { kind: "damaged", unclear };
      case 412:
        return { kind: "conflict", unclear };
    }
    if (answer.status === 403 && saysRetained(answer)) throw this.#retained(name, answer);
    throw this.requests.refused(answer);
  }

  /** Sends an object in parts. */
  async #uploaded(name: string, source: Source): Promise<Written> {
    const uploaded = await uploadInParts(this.requests, {
      name,
      path: this.place.uploadPath("resumable", name, "0"),
      resource: resource(source),
      source,
      part: this.#part,
      bandwidth: this.#bandwidth,
    });
    switch (uploaded.kind) {
      case "done":
        return this.#stored(source, uploaded.resource, false);
      case "damaged":
        this.requests.counters.damaged++;
        return uploaded;
      case "conflict":
        return uploaded;
    }
  }

  /** What was stored, if it is what was sent: a careless server may have looked at no checksum. */
  #stored(source: Source, { generation, crc32c, size }: Resource, unclear: boolean): Written {
    const isRight = (crc32c === undefined || crc32c === textOfCrc32c(source.crc32c)) &&
      Number(size ?? 0) === source.length;
    if (isRight) return { kind: "done", generation, unclear };
    this.requests.counters.damaged++;
    return { kind: "damaged", generation, unclear };
  }

  /** What is told of an object; `undefined` where there is none. */
  async #find(name: string): Promise<Resource | undefined> {
    const { answer } = await this.requests.ask({
      method: "GET",
      path: `${this.place.objectPath(name)}?fields=generation,size,crc32c`,
    });
    if (answer.status === 404) return this.requests.missing(answer);
    if (answer.status !== 200) throw this.requests.refused(answer);
    const found = resourceOf(answer);
    if (found === undefined) throw notCloudStorage();
    return found;
  }

  #damaged(name: string): DestinationError {
    return new DestinationError(
      `The bucket '${this.place.bucket}' finds '${
        this.place.shown(name)
      }' damaged each time it is sent`,
      true,
    );
  }

  #retained(name: string, answer: Answer): DestinationError {
    const said = messageOf(answer);
    return new DestinationError(`'${this.place.shown(name)}' may not be replaced: ${said}`, false);
  }
}

/** Whether an object has the bytes of a source. Without a checksum nobody knows. */
function isOf(source: Source, { crc32c, size }: Resource): boolean {
  return crc32c === textOfCrc32c(source.crc32c) && Number(size ?? 0) === source.length;
}

/** What the service is told of an object. */
function resource(source: Source): Record<string, string> {
  return {
    crc32c: textOfCrc32c(source.crc32c),
    contentType: "application/octet-stream",
    cacheControl: "no-store",
  };
}

function notCloudStorage(): DestinationError {
  return new DestinationError("The answer is not Cloud Storage's: it has no generation", false);
}
