/**
 * Copies in a bucket of Cloud Storage, as `gs://BUCKET/PREFIX`.
 *
 * @module
 */

import { StoreError } from "../errors.ts";
import { endpointOf } from "../storage/gcs/endpoint.ts";
import { Credentials } from "../storage/google_credentials.ts";
import { BucketPlace } from "./bucket_place.ts";
import { BucketReader } from "./bucket_reader.ts";
import { BucketRequests } from "./bucket_requests.ts";
import { BucketWriter } from "./bucket_writer.ts";
import {
  type Destination,
  DestinationError,
  type DestinationOptions,
  type Entry,
  type Source,
} from "./destination.ts";

/** How a bucket is opened as a destination. */
export interface BucketDestinationOptions extends DestinationOptions {
  /** For how long something is tried again after it has failed, in milliseconds; 60,000 without it. */
  readonly patience?: number;
  /** How long the beginning of a content or a block of it may take, in milliseconds; 20,000 without it. */
  readonly attempt?: number;
  /** Bytes that are sent in one request at most; 8 MiB without it. Streams are read by 8 times as many. */
  readonly part?: number | undefined;
}

const usualPatience = 60_000;
const usualAttempt = 20_000;
const usualPart = 8 << 20;

/**
 * Opens a bucket as a destination. It is not asked for anything yet.
 *
 * @throws {ExitError} where the URL or the endpoint is none.
 * @throws {DestinationError} where there are no credentials.
 */
export async function openBucketDestination(
  url: string,
  options: BucketDestinationOptions = {},
): Promise<Destination> {
  const place = new BucketPlace(url);
  const { address, takesCredentials } = endpointOf(options.endpoint);
  let credentials: Credentials | undefined;
  try {
    credentials = takesCredentials ? await Credentials.find(options.log ?? (() => {})) : undefined;
  } catch (error) {
    if (error instanceof StoreError) throw new DestinationError(error.message, true);
    throw error;
  }
  const { patience = usualPatience, attempt = usualAttempt } = options;
  const requests = new BucketRequests(place.bucket, address, credentials, patience, attempt);
  return new BucketDestination(place, requests, options);
}

class BucketDestination implements Destination {
  readonly url: string;
  readonly #requests: BucketRequests;
  readonly #reader: BucketReader;
  readonly #writer: BucketWriter;

  constructor(
    place: BucketPlace,
    requests: BucketRequests,
    { bandwidth = Infinity, part = usualPart, signal }: BucketDestinationOptions,
  ) {
    this.url = place.url;
    this.#requests = requests;
    this.#reader = new BucketReader(place, requests, part);
    this.#writer = new BucketWriter(place, requests, this.#reader, part, bandwidth);
    if (signal?.aborted) void this.close();
    signal?.addEventListener("abort", () => void this.close(), { once: true });
  }

  get time(): number | undefined {
    return this.#requests.time;
  }

  read(name: string): Promise<{ bytes: Uint8Array; generation: string } | undefined> {
    return this.#reader.read(name);
  }

  stream(name: string, from?: number): AsyncIterable<Uint8Array> {
    return this.#reader.stream(name, from);
  }

  create(name: string, source: Source): Promise<{ generation: string } | "exists"> {
    return this.#writer.create(name, source);
  }

  replace(
    name: string,
    bytes: Uint8Array,
    generation: string,
  ): Promise<{ generation: string } | "changed"> {
    return this.#writer.replace(name, bytes, generation);
  }

  remove(name: string, generation: string): Promise<"removed" | "kept" | "changed"> {
    return this.#writer.remove(name, generation);
  }

  list(prefix: string, after?: string): AsyncIterable<Entry> {
    return this.#reader.list(prefix, after);
  }

  async close(): Promise<void> {
    await this.#requests.close();
  }
}
