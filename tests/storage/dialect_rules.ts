/**
 * The rules of the meta commands and of the binary protocol on any store: what they need to remember of an item (that it is stale,
 * that somebody won it, when it was read) is in the format of each.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import type { Store } from "../../lib/storage/contract.ts";
import { binaryRules } from "../commands/binary/mod.ts";
import { metaRules } from "../commands/meta/mod.ts";
import { followOnAnyStore } from "../commands/rules.ts";
import { Harness } from "../server/harness.ts";

/** Rules at work concurrently: a store that is far away is waited for. */
const CONCURRENTLY = 8;

/**
 * Follows all rules, each on an empty store.
 *
 * @param open opens a store in a place of its own, told apart by the number of the rule
 */
export async function followDialectRules(
  open: (place: number, clock: AdjustableClock) => Promise<Store>,
): Promise<void> {
  const waiting = [...Object.entries({ ...metaRules, ...binaryRules }).entries()];
  await Promise.all(Array.from({ length: CONCURRENTLY }, async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [place, [rule, steps]] = next;
      const clock = new AdjustableClock();
      const store = await open(place, clock);
      await using harness = new Harness({ clock, store: () => store });
      try {
        await followOnAnyStore(steps, harness);
      } catch (error) {
        throw new Error(`${rule}: ${error instanceof Error ? error.message : error}`);
      }
      assertEquals(harness.said, [], rule);
    }
  }));
}
