import { assertEquals } from "@std/assert";
import { AdjustableClock } from "../../../lib/clock.ts";
import { mistakesOn } from "../../conformance/like_memory.ts";
import { Place } from "./open.ts";
import { noRealBucket, RealPlace } from "./real_bucket.ts";

// Here each key of a get is a request: one script asks for 18,700, which tells nothing more.
const leftOut = ["get: 18,700 keys"];

Deno.test("gcs protocol: every script is answered as on the memory store", async () => {
  await using place = await Place.open();
  const open = async (name: string) => (await place.store({ prefix: `${name}/` })).store;
  assertEquals(await mistakesOn(open, place.clock, leftOut), []);
});

Deno.test({
  name: "gcs bucket: every script is answered as on the memory store" +
    (noRealBucket ? ` (skipped: ${noRealBucket})` : ""),
  ignore: noRealBucket !== undefined,
  // The credentials library keeps connections of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using place = new RealPlace();
    const clock = new AdjustableClock();
    const open = (name: string) => place.open(clock, `${encodeURIComponent(name)}/`);
    assertEquals(await mistakesOn(open, clock, leftOut), []);
  },
});
