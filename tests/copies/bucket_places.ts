/**
 * Destinations in the emulator's bucket, or in a real one.
 *
 * @module
 */

import {
  type BucketDestinationOptions,
  openBucketDestination,
} from "../../lib/copies/bucket_destination.ts";
import type { Destination } from "../../lib/copies/destination.ts";
import { Emulator, type EmulatorOptions } from "../storage/gcs/emulator/mod.ts";
import { emptyRealBucket, realBucket, realEndpoint } from "../storage/gcs/real_bucket.ts";
import type { Places } from "./destination_contract.ts";

/** An emulator, and destinations in its bucket. */
export class EmulatedPlaces implements Places {
  readonly #opened: Destination[] = [];

  /** @param part bytes in a request, where it is not the usual. */
  private constructor(readonly emulator: Emulator, readonly part: number | undefined) {}

  static async begin(options: EmulatorOptions = {}, part?: number): Promise<EmulatedPlaces> {
    return new EmulatedPlaces(await Emulator.start(options), part);
  }

  async open(
    name = "one",
    options: Partial<BucketDestinationOptions> = {},
  ): Promise<Destination> {
    const destination = await openBucketDestination(`gs://bucket/${name}`, {
      endpoint: this.emulator.endpoint,
      part: this.part,
      ...options,
    });
    this.#opened.push(destination);
    return destination;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((destination) => destination.close()));
    await this.emulator[Symbol.asyncDispose]();
  }
}

/** A part of a real bucket. */
export class RealPlaces implements Places {
  readonly #prefix = `kvs-test/${crypto.randomUUID()}/`;

  open(name: string): Promise<Destination> {
    return openBucketDestination(`gs://${realBucket}/${this.#prefix}${name}`, {
      endpoint: realEndpoint,
      log: console.error,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await emptyRealBucket(this.#prefix);
  }
}
