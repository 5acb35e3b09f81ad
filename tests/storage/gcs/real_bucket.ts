/**
 * A bucket of the real service, where `KVS_TEST_BUCKET` names one: what the tests write into it has a
 * prefix of its own, and is deleted after them. Credentials are the application default ones; the
 * account needs roles/storage.objectUser. `KVS_TEST_GCS_ENDPOINT` names another endpoint, such as that
 * of Google's storage-testbench.
 *
 * @module
 */

import { IdempotencyStrategy, Storage } from "@google-cloud/storage";
import type { Clock } from "../../../lib/clock.ts";
import { openGcsStore } from "../../../lib/storage/gcs/mod.ts";
import type { Store } from "../../../lib/storage/contract.ts";

/** The bucket's name, where there is one. */
export const realBucket = Deno.env.get("KVS_TEST_BUCKET");
/** Another endpoint than Google's, where one is meant. */
export const realEndpoint = Deno.env.get("KVS_TEST_GCS_ENDPOINT");

/** Why tests on a real bucket are skipped, if they are. */
export const noRealBucket = realBucket ? undefined : "KVS_TEST_BUCKET names none";

/** A part of the bucket, emptied at its end. */
export class RealPlace implements AsyncDisposable {
  readonly #prefix = `kvs-test/${crypto.randomUUID()}/`;

  /** Opens a store; with a name in a place of its own. */
  open(clock: Clock, name = ""): Promise<Store> {
    const prefix = this.#prefix + name;
    return openGcsStore({
      bucket: realBucket!,
      endpoint: realEndpoint,
      prefix,
      clock,
      log: console.error,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await emptyRealBucket(this.#prefix);
  }
}

/** Deletes all below a prefix. */
export async function emptyRealBucket(prefix: string): Promise<void> {
  const storage = new Storage({
    projectId: "kvs",
    apiEndpoint: realEndpoint,
    // As the store has it: in clear, credentials go only where somebody says which.
    useAuthWithCustomEndpoint: !realEndpoint?.startsWith("http:") ||
      Deno.env.has("GOOGLE_APPLICATION_CREDENTIALS"),
    // What was written a moment ago is deleted a second later.
    retryOptions: { idempotencyStrategy: IdempotencyStrategy.RetryAlways },
  });
  await storage.bucket(realBucket!).deleteFiles({ prefix, force: true });
}
