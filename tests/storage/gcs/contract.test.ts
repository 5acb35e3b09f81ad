import { openGcsStore } from "../../../lib/storage/gcs/mod.ts";
import { testContract } from "../contract.ts";
import { Emulator } from "./emulator/mod.ts";
import { noRealBucket, RealPlace } from "./real_bucket.ts";

const log = () => {};
const certain = "a swap is answered when its object is written";

testContract("gcs", async () => {
  const emulator = await Emulator.start();
  const { endpoint } = emulator;
  return {
    open: (clock) => openGcsStore({ bucket: "bucket", endpoint, clock, log }),
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  };
}, { ordered: true, certain });

if (noRealBucket) {
  Deno.test({
    name: `gcs bucket: the contract on a real bucket (skipped: ${noRealBucket})`,
    ignore: true,
    fn: () => {},
  });
} else testContract("gcs bucket", () => new RealPlace(), { ordered: true, lingers: true, certain });
