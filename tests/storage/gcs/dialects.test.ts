import { followDialectRules } from "../dialect_rules.ts";
import { Place } from "./open.ts";

Deno.test("gcs dialects: every rule of the meta commands and of the binary protocol is kept", async () => {
  await using place = await Place.open();
  await followDialectRules(async (number, clock) =>
    (await place.store({ clock, prefix: `${number}/` })).store
  );
});
