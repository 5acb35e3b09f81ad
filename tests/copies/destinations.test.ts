/** Every destination keeps the contract. */

import { openFileDestination } from "../../lib/copies/file_destination.ts";
import { noRealBucket } from "../storage/gcs/real_bucket.ts";
import type { Deviations } from "../storage/gcs/emulator/mod.ts";
import { EmulatedPlaces, RealPlaces } from "./bucket_places.ts";
import { testDestination } from "./destination_contract.ts";

testDestination("in a directory", async () => {
  const root = await Deno.makeTempDir();
  return {
    open: (name) => openFileDestination(`file://${root}/a place/${name}`.replaceAll(" ", "%20")),
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
});

testDestination("in a bucket", () => EmulatedPlaces.begin());

// All but `noChecksums`: without them nobody could say that a content is damaged.
const deviations: Deviations = {
  plainMissing: true,
  deletesWith200: true,
  noXmlMetadata: true,
  noZeroSize: true,
  ignoresChecksums: true,
};
testDestination("in a bucket of another server", () => EmulatedPlaces.begin({ deviations }));

testDestination(
  `in a real bucket${noRealBucket === undefined ? "" : ` (skipped: ${noRealBucket})`}`,
  () => Promise.resolve(new RealPlaces()),
  { ignore: noRealBucket !== undefined },
);
