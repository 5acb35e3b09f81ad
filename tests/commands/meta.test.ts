import { assertEquals } from "@std/assert";
import { Harness } from "../server/harness.ts";
import { metaRules } from "./meta/mod.ts";
import { followOnAnyStore, piecesOf } from "./rules.ts";

for (const [rule, steps] of Object.entries(metaRules)) {
  Deno.test(`meta: ${rule}`, async () => {
    for (const cut of [(sent: string) => [sent], piecesOf]) {
      await using harness = new Harness();
      await followOnAnyStore(steps, harness, cut);
      assertEquals(harness.said, []);
    }
  });
}
