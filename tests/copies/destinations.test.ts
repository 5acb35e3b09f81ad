/** Every destination keeps the contract. */

import { noRealBucket } from "../storage/gcs/real_bucket.ts";
import type { Deviations } from "../storage/gcs/emulator/mod.ts";
import { EmulatedPlaces, RealPlaces } from "./bucket_places.ts";
import { testDestination } from "./destination_contract.ts";

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
