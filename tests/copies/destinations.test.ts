/** Every destination keeps the contract. */

import { noRealBucket } from "../storage/gcs/real_bucket.ts";
import type { Deviations } from "../storage/gcs/emulator/mod.ts";
import { EmulatedPlaces, RealPlaces } from "./bucket_places.ts";
import type { Destination } from "../../lib/copies/destination.ts";
import { openFileDestination } from "../../lib/copies/file_destination.ts";
import { type Places, testDestination } from "./destination_contract.ts";
import { MemoryBucket } from "./memory_destination.ts";

/** Destinations below a directory. */
class FilePlaces implements Places {
  readonly #root = Deno.makeTempDirSync({ prefix: "kvs-copies-" });

  open(name: string): Promise<Destination> {
    return openFileDestination(`file://${this.#root}/${name}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.#root, { recursive: true });
  }
}

/** Destinations in memory, as other tests have them. */
class MemoryPlaces implements Places {
  readonly #buckets = new Map<string, MemoryBucket>();

  open(name: string): Promise<Destination> {
    const bucket = this.#buckets.get(name) ?? new MemoryBucket();
    this.#buckets.set(name, bucket);
    return Promise.resolve(bucket.open());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

testDestination("in a directory", () => Promise.resolve(new FilePlaces()));

testDestination("in memory", () => Promise.resolve(new MemoryPlaces()));

testDestination("in a bucket", () => EmulatedPlaces.begin());

// All but `noChecksums`: without them nobody could say that a content is damaged.
const deviations: Deviations = {
  plainMissing: true,
  deletesWith200: true,
  noXmlMetadata: true,
  noZeroSize: true,
  ignoresChecksums: true,
  damagedWith412: true,
};
testDestination("in a bucket of another server", () => EmulatedPlaces.begin({ deviations }));

testDestination(
  `in a real bucket${noRealBucket === undefined ? "" : ` (skipped: ${noRealBucket})`}`,
  () => Promise.resolve(new RealPlaces()),
  { ignore: noRealBucket !== undefined },
);
