import { openGcsStore } from "../../../lib/storage/gcs/mod.ts";
import { testContract } from "../contract.ts";
import { Emulator } from "./emulator/mod.ts";

testContract("gcs", async () => {
  const emulator = await Emulator.start();
  const { endpoint } = emulator;
  return {
    open: (clock) => openGcsStore({ bucket: "bucket", endpoint, clock, log: () => {} }),
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  };
});
