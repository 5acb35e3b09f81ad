/**
 * Where copies lie in a bucket, and the addresses of what is there.
 *
 * @module
 */

import { Exit, ExitError } from "../errors.ts";
import { isBucketName } from "../storage/gcs/endpoint.ts";
import { pathOf } from "../storage/gcs/path.ts";

/** The greatest name that the service takes, and what of it the copies' own names may need, in bytes. */
const greatestName = 1024;
const ownName = 256;

/** A prefix of a bucket. */
export class BucketPlace {
  readonly bucket: string;
  /** What stands before each name: empty, or text that ends in a slash. */
  readonly prefix: string;
  /** The path of the listing of the bucket's objects. */
  readonly objects: string;
  readonly #encoded: string;

  /**
   * Reads `gs://BUCKET/PREFIX`.
   *
   * @throws {ExitError} where it is none.
   */
  constructor(url: string) {
    const [, bucket = "", path = ""] = /^gs:\/\/([^/]*)(.*)$/s.exec(url) ?? [];
    const prefix = path.replace(/^\/+|\/+$/g, "");
    if (!isBucketName(bucket) || !isPrefix(prefix)) {
      throw new ExitError(`a bucket for copies is gs://BUCKET/PREFIX, not '${url}'`, Exit.usage);
    }
    this.bucket = bucket;
    this.prefix = prefix === "" ? "" : `${prefix}/`;
    this.#encoded = encodeURIComponent(bucket);
    this.objects = `/storage/v1/b/${this.#encoded}/o`;
  }

  /** The same for all that mean it: `gs://BUCKET/PREFIX`. */
  get url(): string {
    return `gs://${this.bucket}/${this.prefix}`.replace(/\/$/, "");
  }

  /** A name as people find it. */
  shown(name: string): string {
    return `gs://${this.bucket}/${this.prefix}${name}`;
  }

  /** The path of an object's metadata. */
  objectPath(name: string): string {
    return `${this.objects}/${encodeURIComponent(this.prefix + name)}`;
  }

  /** The path of an object's content. */
  contentPath(name: string): string {
    return `/${this.#encoded}/${pathOf(this.prefix + name)}`;
  }

  /** The path of an upload in the place of a generation, `"0"` for none. */
  uploadPath(type: "multipart" | "resumable", name: string, replaces: string): string {
    return `/upload/storage/v1/b/${this.#encoded}/o?uploadType=${type}` +
      `&name=${encodeURIComponent(this.prefix + name)}` +
      `&ifGenerationMatch=${replaces}&fields=generation,size,crc32c`;
  }
}

/** Without dot segments: somebody on the way might take them away. */
function isPrefix(prefix: string): boolean {
  return prefix.isWellFormed() && !/[\r\n]/.test(prefix) &&
    new TextEncoder().encode(prefix).length <= greatestName - ownName &&
    !/(^|\/)\.\.?(\/|$)/.test(prefix) && !prefix.startsWith(".well-known/acme-challenge");
}
