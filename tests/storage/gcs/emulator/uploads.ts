/**
 * Resumable uploads (cloud.google.com/storage/docs/performing-resumable-uploads): what has come of
 * each, how far it is, and what it ends in.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Bucket, ObjectFields, Preconditions, StoredObject } from "./bucket.ts";
import { invalid, offsetTooLarge, Refusal, sessionGone } from "./errors.ts";

/** What is kept of a part that is not the last comes in multiples of so many bytes. */
const quantum = 1 << 18;

/** What a session is begun with. */
export interface Start {
  readonly name: string;
  readonly fields: ObjectFields;
  readonly conditions: Preconditions;
  /** What the content's CRC-32C has to be, in base64. */
  readonly checksum: unknown;
}

/** How far a session is: so many bytes are kept, or the object that it came to. */
export type Progress = { readonly kept: number } | { readonly object: StoredObject };

/** A session. */
interface Session extends Start {
  readonly parts: Uint8Array[];
  kept: number;
  object?: StoredObject;
}

/** The uploads to one bucket. */
export class Uploads {
  readonly #sessions = new Map<string, Session>();

  constructor(readonly bucket: Bucket) {}

  /** How many sessions have begun that are not over. */
  get open(): number {
    return [...this.#sessions.values()].filter(({ object }) => object === undefined).length;
  }

  /** Begins a session, if its conditions hold; returns its name. */
  start(start: Start): string {
    this.bucket.checkConditions(start.name, start.conditions);
    const id = crypto.randomUUID();
    this.#sessions.set(id, { ...start, parts: [], kept: 0 });
    return id;
  }

  /** Ends a session: whatever asks for it again learns that it is gone. */
  cancel(id: string): void {
    if (!this.#sessions.delete(id)) throw sessionGone();
  }

  /** Every session is gone, as after a week. */
  forget(): void {
    this.#sessions.clear();
  }

  /**
   * Takes a part, or tells how far the session is.
   *
   * @param range the header `Content-Range`; without one the body is the whole content.
   */
  put(id: string, range: string | undefined, body: Uint8Array): Progress {
    const session = this.#sessions.get(id);
    if (session === undefined) throw sessionGone();
    if (session.object !== undefined) return { object: session.object };
    const [found, first, last, total] =
      /^bytes (?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(range ?? "bytes 0-*/*") ?? [];
    if (found === undefined) throw invalid(`Failed to parse Content-Range header: ${range}`);
    if (first === undefined) {
      return Number(total) === session.kept ? this.#finish(id, session) : { kept: session.kept };
    }
    const from = Number(first);
    if (last !== "*" && from + body.length !== Number(last) + 1) {
      throw invalid("The number of bytes uploaded does not match the Content-Range header.");
    }
    if (from > session.kept) throw offsetTooLarge(from, session.kept);
    const end = from + body.length;
    if (total !== "*" && end > Number(total)) {
      throw invalid("The Content-Range header speaks of more bytes than there are in all.");
    }
    // A part up to `*` of `*` is the rest: the request's end is the upload's.
    const isLast = total === "*" ? last === "*" : end === Number(total);
    if (!isLast && body.length < quantum) throw tooFew(body.length);
    // What has come before is passed over.
    const fresh = body.subarray(Math.min(body.length, session.kept - from));
    const kept = isLast ? fresh.length : fresh.length - (session.kept + fresh.length) % quantum;
    session.parts.push(new Uint8Array(fresh.subarray(0, kept)));
    session.kept += kept;
    return isLast ? this.#finish(id, session) : { kept: session.kept };
  }

  #finish(id: string, session: Session): Progress {
    const { name, parts, fields, conditions, checksum } = session;
    try {
      const content = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      session.object = this.bucket.insert(name, content, fields, conditions, checksum);
    } catch (error) {
      // What is wrong with it stays wrong; a bucket that is too busy may be asked again.
      if (error instanceof Refusal && error.status !== 429) this.#sessions.delete(id);
      throw error;
    }
    session.parts.length = 0;
    return { object: session.object };
  }
}

function tooFew(bytes: number): Refusal {
  return invalid(
    `Invalid request.  The number of bytes uploaded is required to be equal or greater than ${quantum}, ` +
      "except for the final request (it's recommended to be the exact multiple of " +
      `${quantum}).  The received request contained ${bytes} bytes, which does not meet this requirement.`,
  );
}
