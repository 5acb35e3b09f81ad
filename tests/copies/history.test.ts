/**
 * Histories from seeds. `KVS_TEST_SEEDS` sets how many are run, `KVS_TEST_SEED` the first.
 */

import { assert } from "@std/assert";
import { History } from "./history.ts";
import { EmulatedBucket } from "./mortal_destination.ts";

const SEEDS = Number(Deno.env.get("KVS_TEST_SEEDS") ?? 20);
const FIRST = Number(Deno.env.get("KVS_TEST_SEED") ?? 1);

Deno.test(`every moment that is kept is a state that was, whatever died or failed meanwhile (${SEEDS} seeds)`, async () => {
  let [moments, kills] = [0, 0];
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const history = new History(seed);
    await history.run(60);
    moments += history.moments;
    kills += history.kills;
  }
  assert(moments > SEEDS && kills > SEEDS / 2, `${moments} moments, ${kills} kills`);
});

/** Requests over HTTP take longer than calls: one seed for eight. */
const OVER_HTTP = Math.ceil(SEEDS / 8);

Deno.test(`so they are in a bucket that loses answers and refuses requests (${OVER_HTTP} seeds)`, async () => {
  for (let seed = FIRST; seed < FIRST + OVER_HTTP; seed++) {
    await using bucket = await EmulatedBucket.begin();
    await new History(seed, bucket).run(60);
  }
});
