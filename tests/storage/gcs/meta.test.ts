import { followMetaRules } from "../meta_rules.ts";
import { Place } from "./open.ts";

Deno.test("gcs meta: every rule of the meta commands is kept", async () => {
  await using place = await Place.open();
  await followMetaRules(async (number, clock) =>
    (await place.store({ clock, prefix: `${number}/` })).store
  );
});
