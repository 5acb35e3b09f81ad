/**
 * Histories from seeds. `KVS_TEST_SEEDS` sets how many are run, `KVS_TEST_SEED` the first.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { MissingError } from "../../lib/copies/destination.ts";
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

Deno.test("in a bucket that keeps versions they are the same: what was removed or replaced is noncurrent, and nobody's", async () => {
  await using emulated = await EmulatedBucket.begin();
  const bucket = emulated.emulator.bucket();
  bucket.versioning = true;
  const history = new History(FIRST, emulated);
  // With takeovers, restores, listings and retention; what remains at the end is what is needed.
  await history.run(60);
  const current = new Map(
    (await Array.fromAsync(emulated.inner.list(""))).map((one) => [one.name, one.generation]),
  );
  const removed = bucket.noncurrentNames()
    .map((name) => name.slice("copies/".length))
    .filter((name) => !current.has(name));
  for (const kind of ["pieces/", "manifests/"]) {
    assert(removed.some((name) => name.startsWith(kind)), kind);
  }
  const heads = bucket.noncurrent("copies/head").map(({ generation }) => generation);
  assert(heads.length > 10 && !heads.includes(current.get("head")!));
  // Each name that is written once was there once, and was removed once.
  for (const name of removed) {
    assertEquals(bucket.noncurrent(`copies/${name}`).length, 1, name);
    assertEquals(await emulated.inner.read(name), undefined);
    await assertRejects(() => Array.fromAsync(emulated.inner.stream(name)), MissingError);
  }
  for (const [name, generation] of current) {
    assertEquals((await emulated.inner.read(name))!.generation, generation);
  }
});
