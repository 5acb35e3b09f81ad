import { assertEquals } from "@std/assert";
import { mistakesOn } from "../../conformance/like_memory.ts";
import { Place } from "./open.ts";

Deno.test("gcs protocol: every script is answered as on the memory store", async () => {
  await using place = await Place.open();
  const open = (name: string) => place.store({ prefix: `${name}/` });
  // Here each key of a get is a request: one script asks for 18,700, which tells nothing more.
  assertEquals(await mistakesOn(open, place.clock, ["get: 18,700 keys"]), []);
});
