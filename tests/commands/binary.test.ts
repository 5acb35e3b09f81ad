import { assertEquals } from "@std/assert";
import { Harness } from "../server/harness.ts";
import { binaryRules } from "./binary/mod.ts";
import { followOnAnyStore, piecesOf } from "./rules.ts";

for (const [rule, steps] of Object.entries(binaryRules)) {
  Deno.test(`binary: ${rule}`, async () => {
    for (const cut of [(sent: string) => [sent], piecesOf]) {
      await using harness = new Harness();
      await followOnAnyStore(steps, harness, cut);
      assertEquals(harness.said, []);
    }
  });
}
