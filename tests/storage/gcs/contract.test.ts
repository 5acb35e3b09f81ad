import { openGcsStore } from "../../../lib/storage/gcs/mod.ts";
import { type Harness, testContract } from "../contract.ts";
import { Emulator } from "./emulator/mod.ts";

const log = () => {};

testContract("gcs", async () => {
  const emulator = await Emulator.start();
  const { endpoint } = emulator;
  return {
    open: (clock) => openGcsStore({ bucket: "bucket", endpoint, clock, log }),
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  };
}, { ordered: true });

const bucket = Deno.env.get("KVS_TEST_BUCKET");
if (bucket === undefined) {
  Deno.test({
    name: "gcs bucket: the contract on a real bucket (skipped: KVS_TEST_BUCKET names none)",
    ignore: true,
    fn: () => {},
  });
} else testContract("gcs bucket", () => onRealBucket(bucket), { ordered: true });

/** Each test has a prefix of its own in the bucket, which is emptied after it. */
function onRealBucket(bucket: string): Harness {
  const prefix = `kvs-test/${crypto.randomUUID()}/`;
  return {
    open: (clock) => openGcsStore({ bucket, prefix, clock, log }),
    async [Symbol.asyncDispose]() {
      const { Storage } = await import("@google-cloud/storage");
      await new Storage().bucket(bucket).deleteFiles({ prefix, force: true });
    },
  };
}
